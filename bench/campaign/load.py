"""The senders: they repeat with the same bytes what is not acknowledged, as exporters do, and some of what is."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bench.campaign.bodies import Wire, wire
from bench.campaign.ledger import Ledger
from bench.campaign.plans import Plan, Planner

#: As long as the exporters wait by default.
_PATIENCE_S = 10.0
_COME_BACK = frozenset({408, 429, 502, 503, 504})
#: Shares of requests that are sent again after their acknowledgement, twice at once, and given up when in doubt.
_REPEATED, _DOUBLED, _DROPPED = 0.15, 0.04, 0.02
_PIECES = frozenset({"head", "tail", "again"})


class Broken(Exception):
    """The connection ended or fell silent before a whole answer had come."""


class Connection:
    """One kept-alive HTTP/1.1 connection; a broken one is made anew with the next request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, sent: Wire, key: str) -> tuple[int, str, bytes]:
        """Return status, content type and body. Raises Broken."""
        try:
            return await asyncio.wait_for(self._exchange(sent, key), _PATIENCE_S)
        except (TimeoutError, OSError, EOFError, ValueError, IndexError) as error:
            self.close()
            raise Broken(type(error).__name__) from error

    async def _exchange(self, sent: Wire, key: str) -> tuple[int, str, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        headers = {**sent.headers, "host": "127.0.0.1", "authorization": f"Bearer {key}"}
        headers["content-length"] = str(len(sent.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST {sent.path} HTTP/1.1\r\n{lines}\r\n".encode() + sent.body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        said = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(said.get("content-length", "0")))
        if said.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), said.get("content-type", ""), body

    def close(self) -> None:
        """Forget the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


@dataclass(slots=True)
class Mark:
    """A moment from which the first acknowledgement of a request sent later is waited for."""

    at: float
    acked_at: float | None = None


@dataclass(slots=True)
class Load:
    """All senders. `pause_s` is what a sender waits between requests; `marks` are set by the nemesis."""

    port: int
    keys: Sequence[str]
    ledger: Ledger
    run: int
    seed: int
    senders: int = 10
    pause_s: float = 0.2
    marks: list[Mark] = field(default_factory=list)
    acked: set[str] = field(default_factory=set)
    acked_items: int = 0
    stopping: bool = False

    async def send_until_stopped(self) -> None:
        """Keep all senders busy; returns once each has finished its last request."""
        _ = wire(Plan(self.run, 0, 0, 0, "big", time.time_ns()))  # The template is made before anyone waits for it.
        await asyncio.gather(*(self._sender(number) for number in range(self.senders)))

    async def _sender(self, number: int) -> None:
        planner = Planner(self.run, number, len(self.keys), self.seed)
        chance = random.Random(f"{self.seed}/{number}/fate")
        lines = [Connection(self.port) for _ in range(3)]
        while not self.stopping:
            plans = planner.draw(time.time_ns())
            await self.ledger.attempted(plans)
            # The pieces of a trace, and twins of two tenants, go out at once and may overtake each other.
            await asyncio.gather(*(self._deliver(plan, chance, line) for plan, line in zip(plans, lines, strict=False)))
            await asyncio.sleep(self.pause_s * (0.5 + chance.random()))
        for line in lines:
            line.close()

    async def _deliver(self, plan: Plan, chance: random.Random, line: Connection) -> None:
        sent = wire(plan)
        if chance.random() < _DOUBLED:
            other = Connection(self.port)
            first, _ = await asyncio.gather(self._once(plan, sent, line), self._once(plan, sent, other))
            other.close()
        else:
            first = await self._once(plan, sent, line)
        while first in ("unsure", "later"):
            # A half that never came would leave its trace open for as long as the console waits.
            if first == "unsure" and plan.kind not in _PIECES and chance.random() < _DROPPED:
                self.ledger.note("G", plan)
                return
            await asyncio.sleep(0.1 + 0.5 * chance.random())
            first = await self._once(plan, sent, line)
        if first == "acked" and chance.random() < _REPEATED:
            await self._once(plan, sent, line)

    async def _once(self, plan: Plan, sent: Wire, line: Connection) -> str:
        """One try: `acked`, `refused` for good, `later`, or `unsure`."""
        begun = time.monotonic()
        try:
            status, content_type, body = await line.post(sent, self.keys[plan.tenant])
        except Broken as error:
            self.ledger.note("U", plan, str(error))
            return "unsure"
        if 200 <= status < 300:
            self._acked(plan, begun, rejected_of(content_type, body))
            return "acked"
        if status in _COME_BACK:
            self.ledger.note("L", plan, str(status))
            return "later"
        self.ledger.note("R", plan, str(status))
        return "refused"

    def _acked(self, plan: Plan, begun: float, rejected: int) -> None:
        self.ledger.note("A", plan, str(rejected))
        if plan.id not in self.acked:
            self.acked.add(plan.id)
            self.acked_items += plan.items - plan.rejected
        for mark in self.marks:
            if mark.acked_at is None and begun >= mark.at:
                mark.acked_at = time.monotonic()


def rejected_of(content_type: str, body: bytes) -> int:
    """How many items an answer of 200 turns away."""
    if "protobuf" in content_type:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    said = orjson.loads(body) if body else {}
    return int(said.get("partialSuccess", {}).get("rejectedSpans", 0))
