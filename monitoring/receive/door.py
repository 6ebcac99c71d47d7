"""The one way in, over HTTP and gRPC alike: a request's key, its share, its body, its turn, and its answer counted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace

from django.conf import settings

from monitoring.receive.accept import After, accept_together
from monitoring.receive.apart import Apart, CommandLine
from monitoring.receive.arrival import Answer, Arrival, refusal
from monitoring.receive.body import LargerThanExpected, expected_size
from monitoring.receive.gate import KeyRing, KeysUnavailable
from monitoring.receive.outcomes import Outcomes
from monitoring.receive.pace import Pace
from monitoring.receive.quota import OverQuota, Quota
from monitoring.receive.room import Hold, Room
from monitoring.receive.share import Overloaded, OverShare, Share
from monitoring.receive.turns import Stalled, Turns
from monitoring.records import Encoding, PayloadTooLarge, Signal, UnsupportedPayload
from partners.keys import KeyHolder

_log = logging.getLogger(__name__)

#: How long a sender may take to hand over its body.
_PATIENCE_S = 30.0
#: An answer comes within this long of the body, whatever the database does: exporters give up after ten seconds,
#: retries included. What is committed after all is known again when it is repeated.
_ANSWER_S = 5.0
#: How long a request waits for a database that is away before its sender is asked to come back: exporters try six
#: times and, told to wait a second, would have used up their tries within five.
_HOLD_S = 0.7
#: A body that is larger than this once decompressed waits for the one place of large bodies.
_LARGE_BYTES = 4 << 20
#: A body that says what it holds may hold somewhat more, where that is an estimate; not so much more that those it is
#: worked on together with wait for it.
_SMALL_BYTES, _MOST_TIMES_SAID = 256 << 10, 4
#: So many bytes, decompressed, are committed together at most: ten thousand spans or so. A span then takes 0.9
#: times the processor time that it takes with half as many; only a tenant that has so much waiting ever gets there.
_TOGETHER_BYTES = 4 << 20
_WAITING = 256


class Disconnected(Exception):
    """The sender went away before its body was complete."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that has not been read yet. `encoding` names the body's encoding or raises UnsupportedPayload; `read`
    returns the body and tells each chunk's size before it is kept; `announced` is the size it will have, or 0;
    `packing` names the body's Content-Encoding; `reading` is shared by what can only be read in one piece."""

    signal: Signal
    spoken: Encoding
    key: str
    encoding: Callable[[], Encoding]
    packing: Callable[[bytes], str]
    headers: Mapping[str, str]
    announced: int
    read: Callable[[Callable[[int], None]], Awaitable[bytes]]
    reading: Share | None = None


class Door:
    """Lets requests in within this worker's bounds: bytes held, requests waiting, threads, each tenant's share."""

    def __init__(self, after: After, large_bodies: CommandLine | None = None) -> None:
        """`after(tenant_id, notification_ids)` is called once outbox rows are committed; `large_bodies` starts the
        process that works on those. Without one they are worked on here."""
        self._after = after
        self._apart = Apart(large_bodies, after) if large_bodies else None
        self.keys = KeyRing()
        self.quota = Quota(settings.INTAKE_TENANT_REQUESTS_PER_S, settings.INTAKE_TENANT_BYTES_PER_S)
        self.room = Room(settings.INTAKE_MAX_IN_FLIGHT_BYTES)
        self.turns: Turns[Arrival, Answer] = Turns(
            *(settings.INTAKE_THREADS, self._worked_on),
            waiting=_WAITING,
            together=_TOGETHER_BYTES,
        )
        self.pace = Pace()
        self.outcomes = Outcomes()

    async def answer(self, ask: Ask) -> Answer:
        """Answer one request and count what became of it. Raises Disconnected, which is no answer."""
        holder: KeyHolder | None = None
        hold = Hold()
        try:
            holder = await self._holder(ask.key) if ask.key else None
            if holder is None:
                message = "The ingest key is missing, unknown or revoked. Send 'Authorization: Bearer <ingest key>'."
                answer = refusal(ask.spoken, 401, "unauthenticated", message)
            else:
                answer = await self._taken(ask, holder, hold)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001  The sender must keep its batch: 500 would make it drop it.
            answer = _refused(ask.spoken, error)
        self.refuse(ask.signal, answer, holder, hold.size)
        return answer

    def refuse(self, signal: Signal | None, answer: Answer, holder: KeyHolder | None = None, size: int = 0) -> None:
        """Count an answer that was given without, or after, asking anybody; no signal where the path names none."""
        self.outcomes.count(holder, signal, answer, size)

    async def refuse_unread(self, signal: Signal | None, answer: Answer, key: str) -> None:
        """Count an answer to what is no request to take anything in, for whoever the key names."""
        try:
            holder = await self._holder(key) if key else None
        except KeysUnavailable:
            holder = None
        self.refuse(signal, answer, holder)

    def close(self) -> None:
        """Wait for what is being worked on."""
        self.turns.close()
        self.keys.close()
        if self._apart is not None:
            self._apart.close()

    async def _taken(self, ask: Ask, holder: KeyHolder, hold: Hold) -> Answer:
        encoding = ask.encoding()
        if ask.announced > settings.INTAKE_MAX_BYTES:
            raise too_large()
        self.quota.enter(holder.tenant_id)
        with self.room.entered(holder.tenant_id, ask.announced, hold):
            body = await _read(ask, holder, hold)
            self.quota.spend(holder.tenant_id, len(body))
            packing = ask.packing(body)
            arrival = Arrival(holder.tenant_id, holder.prefix, ask.signal, encoding, packing, ask.headers, body)
            return await self._committed(arrival)

    async def _holder(self, key: str) -> KeyHolder | None:
        try:
            return await self.keys.holder(key)
        except KeysUnavailable:
            await asyncio.sleep(_HOLD_S)
            return await self.keys.holder(key)

    async def _committed(self, arrival: Arrival) -> Answer:
        began = time.monotonic()
        answer = await self._in_turn(arrival, began + _ANSWER_S)
        left_s = began + _HOLD_S - time.monotonic()
        if answer.reason == "database" and left_s > 0:
            await asyncio.sleep(left_s)
            answer = await self._in_turn(arrival, began + _ANSWER_S)
        return answer

    async def _in_turn(self, arrival: Arrival, ends: float) -> Answer:
        size = expected_size(arrival.body, arrival.content_encoding)
        if size <= _LARGE_BYTES:
            try:
                room = min(_LARGE_BYTES, max(_SMALL_BYTES, _MOST_TIMES_SAID * size))
                return await self._run(replace(arrival, room=room), ends, size, is_large=False)
            except LargerThanExpected:
                # It said less than it holds, or takes longer: now it waits its turn among the large ones.
                pass
        return await self._run(arrival, ends, size, is_large=True)

    def _worked_on(self, arrivals: Sequence[Arrival]) -> Sequence[Answer | Exception]:
        # A large body comes alone, and has all the room there is.
        if self._apart is not None and arrivals[0].room is None:
            return [self._apart.accept(arrivals[0])]
        return accept_together(arrivals, self._after)

    async def _run(self, arrival: Arrival, ends: float, size: int, *, is_large: bool) -> Answer:
        limit_s = max(0.0, ends - time.monotonic())
        with nullcontext() if is_large else self.pace.ahead():
            return await self.turns.run(arrival.tenant_id, arrival, size=size, is_large=is_large, limit_s=limit_s)


async def _read(ask: Ask, holder: KeyHolder, hold: Hold) -> bytes:
    with ExitStack() as stack:
        if ask.reading is not None:
            stack.enter_context(ask.reading.holding(holder.tenant_id)).add(1)
        async with asyncio.timeout(_PATIENCE_S):
            return await ask.read(hold.add)


def too_large() -> PayloadTooLarge:
    """The body passes the limit before it is decompressed."""
    return PayloadTooLarge(f"The body is larger than {settings.INTAKE_MAX_BYTES} bytes; send smaller batches.")


def _refused(spoken: Encoding, error: Exception) -> Answer:
    """What is answered where a request could not be taken, for its own fault or ours."""
    if isinstance(error, UnsupportedPayload):
        return refusal(spoken, 415, "unsupported", str(error))
    if isinstance(error, PayloadTooLarge):
        return refusal(spoken, 413, "too_large", str(error))
    if isinstance(error, OverQuota):
        return refusal(spoken, 429, "quota", "This tenant has sent more than its quota; try again in a second.")
    if isinstance(error, OverShare):
        return refusal(spoken, 429, "share", "This tenant holds its share of what can be taken at once; try again.")
    if isinstance(error, Overloaded):
        return refusal(spoken, 503, "overloaded", "More is in flight here than can be taken at once; try again.")
    if isinstance(error, TimeoutError):
        return refusal(spoken, 408, "slow", f"The body did not arrive within {_PATIENCE_S:.0f} s.")
    if isinstance(error, KeysUnavailable):
        _log.warning("intake is waiting for the database: %s", error)
        return refusal(spoken, 503, "database", "The database does not answer at the moment; try again.")
    if isinstance(error, Stalled):
        _log.warning("intake gave up on a request: %s", error)
        return refusal(spoken, 503, "stalled", "This takes longer here than an exporter waits; try again.")
    _log.error("intake failed", exc_info=error)
    return refusal(spoken, 503, "fault", "Something failed here that is not your fault; try again.")
