"""What the campaign sends: every request follows from its plan, so the ledger keeps plans and the checker rebuilds."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

#: Kinds of requests and how often each is made, in percent.
SHARES = {
    "big": 6, "small": 22, "json": 12, "retry": 10, "dead": 8, "head": 10, "poison": 6,
    "structured": 9, "batch": 9, "binary": 8,
}  # fmt: skip
EVENT_KINDS = frozenset({"structured", "batch", "binary"})
#: Spans of one trace, traces of one request.
SHAPES = {
    "big": (64, 8), "small": (6, 1), "json": (8, 1), "retry": (3, 1), "dead": (3, 1), "head": (4, 1), "tail": (3, 1),
    "again": (7, 1), "poison": (6, 1),
}  # fmt: skip
#: A trace in two halves, and once more as a whole: three requests, numbered one after the other.
_OF_ONE_TRACE = ("head", "tail", "again")
EVENTS = {"structured": 1, "batch": 8, "binary": 1}
#: One request in this many goes to a second tenant too, byte by byte the same.
TWIN_EVERY = 25
DURATION_MS = 250
#: Dead requests of one sender in this many of its requests share an error class, and so an alert.
_CLASS_SPAN = 24


@dataclass(frozen=True, slots=True)
class Plan:
    """One request. `seq` counts a sender's requests; `at_ns` is when its spans and events ended.

    A twin sends for its tenant the very bytes that another tenant sends.
    """

    run: int
    sender: int
    seq: int
    tenant: int
    kind: str
    at_ns: int
    twin: bool = False

    @property
    def stamp(self) -> str:
        """What every item of the request carries: the same length for all, so that it can be put into a template."""
        return f"{self.run:08x}-s{self.sender:03d}-{self.seq:07d}"

    @property
    def id(self) -> str:
        """Its name in the ledger: stamp and tenant, for twins share a stamp."""
        return f"{self.stamp}@{self.tenant}"

    @property
    def items(self) -> int:
        """Spans or events, poisoned ones too."""
        return EVENTS[self.kind] if self.kind in EVENTS else SHAPES[self.kind][0] * SHAPES[self.kind][1]

    @property
    def rejected(self) -> int:
        """Items that no receiver may take."""
        return 1 if self.kind == "poison" else 0

    @property
    def error_class(self) -> str:
        """Of a dead letter."""
        return f"Fault{self.sender:03d}n{self.seq // _CLASS_SPAN:05d}"

    @property
    def minute(self) -> datetime:
        """The minute of event time that its runs and events count in."""
        return datetime.fromtimestamp(self.at_ns // 1_000_000_000, UTC).replace(second=0, microsecond=0)

    def trace_id(self, number: int) -> bytes:
        """The id of its trace with this number."""
        seq = self.seq - _OF_ONE_TRACE.index(self.kind) if self.kind in _OF_ONE_TRACE else self.seq
        return trace_prefix(self.run, self.sender, seq) + number.to_bytes(4, "big")

    def as_json(self) -> dict[str, Any]:
        """Its fields, for the ledger."""
        return asdict(self)


def trace_prefix(run: int, sender: int, seq: int) -> bytes:
    """The first twelve bytes of a request's trace ids."""
    return run.to_bytes(4, "big") + sender.to_bytes(2, "big") + b"\xa5\xa5" + seq.to_bytes(4, "big")


class Planner:
    """Draws one sender's plans from the seed; the same seed draws the same kinds for the same tenants."""

    def __init__(self, run: int, sender: int, tenants: int, seed: int) -> None:
        self._run, self._sender, self._tenants = run, sender, tenants
        self._chance = random.Random(f"{seed}/{sender}")
        self._seq = 0

    def draw(self, now_ns: int) -> list[Plan]:
        """Return the next request: several where a trace is told piece by piece, or where two tenants send the same."""
        kind = self._chance.choices(list(SHARES), list(SHARES.values()))[0]
        tenant = self._chance.randrange(self._tenants)
        at_ns = now_ns // 1_000_000 * 1_000_000
        first = self._plan(kind, tenant, at_ns)
        if kind == "head":
            return [first, *(self._plan(other, tenant, at_ns) for other in _OF_ONE_TRACE[1:])]
        if kind != "big" and self._chance.randrange(TWIN_EVERY) == 0:
            other = (tenant + 1) % self._tenants
            return [first, Plan(self._run, self._sender, first.seq, other, kind, at_ns, twin=True)]
        return [first]

    def _plan(self, kind: str, tenant: int, at_ns: int) -> Plan:
        self._seq += 1
        return Plan(self._run, self._sender, self._seq, tenant, kind, at_ns)
