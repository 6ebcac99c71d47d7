"""Takes requests from their bytes to their answers. Answers only after the commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from django.utils import timezone
from opentelemetry import trace

from monitoring.catalogue import ask_of_version, catalogue
from monitoring.decode import decode, is_slow
from monitoring.decode.answers import content_type, success
from monitoring.desk import Desk
from monitoring.detect.registry import heeds_tries
from monitoring.failpoints import reach
from monitoring.native.turn import give_way, wait_begins, wait_ends, working_on
from monitoring.pipeline import Foreseen, foresee, run_main_line
from monitoring.project import run_kinds, workflows
from monitoring.project.workflows import WorkflowsAsked
from monitoring.receive.arrival import Answer, Arrival, refusal
from monitoring.receive.body import LargerThanExpected, decompress
from monitoring.receive.connections import drop_broken_connection
from monitoring.receive.log import Kept, Packed, ask_to_keep, digest, packed, payload_of_arrival
from monitoring.records import Decoded, MalformedPayload, Payload, PayloadTooLarge, Signal, UnsupportedPayload
from partners.database.statements import Asked, waits_are_told
from partners.faults import sqlstate, will_pass
from partners.scope import tenant_scope

_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("andon.monitoring")

ACTOR = "system:intake"
#: Up to this size nothing takes long to read, however odd it is.
_USUAL_BYTES = 256 << 10
#: What is no larger than this as it came is taken before what is: an alert rarely comes in a full batch.
_SHORT_BYTES = 8 << 10
#: Two requests that meet on the same rows may be told to try again; the second time they find the rows made.
_TRIES = 3
_TRY_AGAIN = {"40001", "40P01"}

#: Told, once committed, which outbox rows of which tenant wait to be sent.
After = Callable[[int, tuple[int, ...]], None]


@dataclass(frozen=True, slots=True)
class _Read:
    """A request whose body could be read."""

    arrival: Arrival
    payload: Payload
    decoded: Decoded
    digest: bytes
    packed: Packed

    @property
    def count(self) -> int:
        decoded = self.decoded
        return len(decoded.spans) + len(decoded.logs) + len(decoded.metrics) + len(decoded.events)


def accept_together(arrivals: Sequence[Arrival], after: After) -> list[Answer | Exception]:
    """Return the answers to requests of one tenant, each in its place; an error where one can't be answered.

    Traces are committed together: then a transaction, and whatever one row of it costs, is paid once for all.
    """
    is_short = sum(len(arrival.body) for arrival in arrivals) <= _SHORT_BYTES
    with working_on(short=is_short), waits_are_told(wait_begins, wait_ends):
        return _accepted(arrivals, after)


def _accepted(arrivals: Sequence[Arrival], after: After) -> list[Answer | Exception]:
    now = timezone.now()
    answers: list[Answer | Exception | None] = [None] * len(arrivals)
    together: list[tuple[int, _Read]] = []
    for place, arrival in enumerate(arrivals):
        give_way()
        found = _read(arrival, now)
        if isinstance(found, _Read):
            together.append((place, found))
        else:
            answers[place] = found
    traces = [(place, read) for place, read in together if read.arrival.signal is Signal.TRACES]
    others = [[one] for one in together if one[1].arrival.signal is not Signal.TRACES]
    traces.sort(key=_in_order)
    for group in (traces, *others):
        for (place, _), answer in zip(group, _answers([read for _, read in group], after), strict=True):
            answers[place] = answer
    return [answer for answer in answers if answer is not None]


def accept(arrival: Arrival, after: After) -> Answer:
    """Return the answer to one request.

    A fault that will pass is answered with 503, never 500: exporters drop a batch for good at 500.
    """
    answer = accept_together([arrival], after)[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


def _in_order(one: tuple[int, _Read]) -> bytes:
    return one[1].digest


def _read(arrival: Arrival, now: datetime) -> _Read | Answer | Exception:
    try:
        body = decompress(arrival.body, arrival.content_encoding, settings.INTAKE_MAX_BYTES, arrival.room)
        if not body and arrival.signal is not Signal.EVENTS:
            raise MalformedPayload("The body is empty. An OTLP request that has something to say is never empty.")
        payload = payload_of_arrival(arrival, body, now)
        if arrival.room is not None and len(body) > _USUAL_BYTES and is_slow(payload):
            return LargerThanExpected("it takes as long to read as a larger one")
        reach("intake.received")
        with _tracer.start_as_current_span("andon.decode"):
            decoded = decode(payload)
        return _Read(arrival, payload, decoded, digest(payload), packed(arrival, payload))
    except MalformedPayload as error:
        return refusal(arrival.encoding, 400, "malformed", str(error))
    except PayloadTooLarge as error:
        return refusal(arrival.encoding, 413, "too_large", str(error))
    except UnsupportedPayload as error:
        return refusal(arrival.encoding, 415, "unsupported", str(error))
    except Exception as error:  # noqa: BLE001  It is this request's own; those it came with know nothing of it.
        return error


def _answers(reads: Sequence[_Read], after: After) -> list[Answer | Exception]:
    """The answers once all are committed; each alone, where together they can't be."""
    if not reads:
        return []
    try:
        return list(_committed(reads, after))
    except (DatabaseError, InterfaceError) as error:
        if will_pass(error) or not connection.is_usable():
            _log.warning("intake is waiting for the database: %s", error)
            message = "The database can't be written to at the moment; try again."
            return [refusal(read.arrival.encoding, 503, "database", message, items=read.count) for read in reads]
        if len(reads) == 1:
            return [error]
    except Exception as error:  # noqa: BLE001  The door says what it was, and asks the sender to come again.
        if len(reads) == 1:
            return [error]
    return [answer for read in reads for answer in _answers([read], after)]


def _committed(reads: Sequence[_Read], after: After) -> list[Answer]:
    """The answers, in the order of the requests' digests, which is the order of their locks."""
    tenant_id = reads[0].arrival.tenant_id
    foreseen = foresee(_together(reads), tenant_id, reads[0].payload.received_at)
    for left in reversed(range(_TRIES)):
        try:
            with tenant_scope(tenant_id, actor=ACTOR):
                told = [_ask_to_keep(read) for read in reads]
                version = ask_of_version()
                named = foreseen.ask_of_workflows(reads[0].payload.received_at) if foreseen else None
                each = [Kept.of(one) for one in told]
                reach("intake.inserted")
                intended = _projected(tenant_id, reads, each, version, (foreseen, named))
        except (_Outdated, IntegrityError):
            # What was foreseen no longer holds, and may have named what is gone by now.
            if foreseen is None or not left:
                raise
            foreseen = None
            continue
        except (OperationalError, InterfaceError) as error:
            # A repeat finds what the first try has committed: even where the connection broke within COMMIT.
            was_lost = drop_broken_connection()
            if was_lost:
                workflows.forget_all()
                run_kinds.forget_all()
            if left and (was_lost or sqlstate(error) in _TRY_AGAIN):
                continue
            raise
        reach("intake.committed")
        if intended:
            after(tenant_id, intended)
        break
    return [_taken(read, one) for read, one in zip(reads, each, strict=True)]


class _Outdated(Exception):
    """The catalogue has changed since it was known here."""


def _ask_to_keep(read: _Read) -> Asked:
    return ask_to_keep(read.arrival, read.payload, read.decoded, read.digest, read.packed)


def _projected(
    tenant_id: int,
    reads: Sequence[_Read],
    each: Sequence[Kept],
    version: Asked,
    ahead: tuple[Foreseen | None, WorkflowsAsked | None],
) -> tuple[int, ...]:
    """Walk what is new along the main line; return the outbox rows that it made."""
    fresh = [(read, one.intake_id) for read, one in zip(reads, each, strict=True) if not one.repeated]
    if not fresh:
        return ()
    known, (foreseen, named) = catalogue(version), ahead
    if foreseen is not None and known is not foreseen.catalogue:
        raise _Outdated
    intakes = tuple(intake_id for _, intake_id in fresh)
    desk = Desk(tenant_id, intakes, known, fresh[0][0].payload.received_at, heeds_tries(known.thresholds))
    if foreseen is not None and len(fresh) == len(reads):
        desk = replace(desk, foreseen=foreseen.mapped, workflows=named)
    return run_main_line(_together([read for read, _ in fresh]), desk).intended


def _together(reads: Sequence[_Read]) -> Decoded:
    """What several requests say, as if one had said it; each one's share of the spans is told."""
    if len(reads) == 1:
        return reads[0].decoded
    spans = [read.decoded.spans for read in reads]
    return Decoded(spans=tuple(chain.from_iterable(spans)), shares=tuple(map(len, spans)))


def _taken(read: _Read, known: Kept) -> Answer:
    arrival, rejections = read.arrival, read.decoded.rejections
    body = success(arrival.signal, arrival.encoding, rejections, accepted=read.count, warning=read.decoded.warning)
    reason = "repeated" if known.repeated else ""
    return Answer(200, body, content_type(arrival.encoding), reason, items=read.count, rejected=len(rejections))
