"""Takes one request from its bytes to its answer. Answers only after the commit."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone
from opentelemetry import trace

from monitoring.catalogue import catalogue
from monitoring.decode import decode
from monitoring.decode.answers import content_type, success
from monitoring.desk import Desk
from monitoring.detect.registry import heeds_tries
from monitoring.failpoints import reach
from monitoring.pipeline import run_main_line
from monitoring.project.workflows import forget_all
from monitoring.receive.arrival import Answer, Arrival, refusal
from monitoring.receive.body import decompress
from monitoring.receive.connections import drop_broken_connection
from monitoring.receive.log import keep, payload_of_arrival
from monitoring.records import Decoded, MalformedPayload, Payload, PayloadTooLarge, UnsupportedPayload
from partners.scope import tenant_scope

_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("andon.monitoring")

ACTOR = "system:intake"
#: Two requests that meet on the same rows may be told to try again; the second time they find the rows made.
_TRIES = 3
_TRY_AGAIN = {"40001", "40P01"}
#: What the database says when it is the one in trouble: connection, resources, operator's intervention, read-only.
_TRANSIENT_CLASSES = ("08", "53", "57", "58", "25", "40", "55")


def accept(arrival: Arrival, after: Callable[[tuple[int, ...]], None]) -> Answer:
    """Return the answer to a request. `after` is told, once committed, which outbox rows wait to be sent.

    A fault that will pass is answered with 503, never 500: exporters drop a batch for good at 500.
    """
    try:
        body = decompress(arrival.body, arrival.content_encoding, settings.INTAKE_MAX_BYTES, arrival.room)
        if not body and arrival.signal.value != "events":
            raise MalformedPayload("The body is empty. An OTLP request that has something to say is never empty.")
        payload = payload_of_arrival(arrival, body, timezone.now())
        reach("intake.received")
        with _tracer.start_as_current_span("andon.decode"):
            decoded = decode(payload)
    except MalformedPayload as error:
        return refusal(arrival.encoding, 400, "malformed", str(error))
    except PayloadTooLarge as error:
        return refusal(arrival.encoding, 413, "too_large", str(error))
    except UnsupportedPayload as error:
        return refusal(arrival.encoding, 415, "unsupported", str(error))
    try:
        return _committed(arrival, payload, decoded, after)
    except (DatabaseError, InterfaceError) as error:
        if not _is_transient(error):
            raise
        _log.warning("intake is waiting for the database: %s", error)
        message = "The database can't be written to at the moment; try again."
        return refusal(arrival.encoding, 503, "database", message, items=_count(decoded))


def _committed(
    arrival: Arrival, payload: Payload, decoded: Decoded, after: Callable[[tuple[int, ...]], None]
) -> Answer:
    for left in reversed(range(_TRIES)):
        try:
            with tenant_scope(arrival.tenant_id, actor=ACTOR):
                kept = keep(arrival, payload, decoded)
                reach("intake.inserted")
                intended: tuple[int, ...] = ()
                if not kept.repeated:
                    known = catalogue()
                    heeds = heeds_tries(known.thresholds)
                    desk = Desk(arrival.tenant_id, kept.intake_id, known, payload.received_at, heeds)
                    intended = run_main_line(decoded, desk).intended
        except (OperationalError, InterfaceError) as error:
            # A repeat finds what the first try has committed: even where the connection broke within COMMIT.
            was_lost = drop_broken_connection()
            if was_lost:
                forget_all()
            if left and (was_lost or _sqlstate(error) in _TRY_AGAIN):
                continue
            raise
        reach("intake.committed")
        if intended:
            after(intended)
        break
    count = _count(decoded)
    body = success(arrival.signal, arrival.encoding, decoded.rejections, accepted=count)
    reason = "repeated" if kept.repeated else ""
    return Answer(200, body, content_type(arrival.encoding), reason, items=count, rejected=len(decoded.rejections))


def _count(decoded: Decoded) -> int:
    return len(decoded.spans) + len(decoded.logs) + len(decoded.metrics) + len(decoded.events)


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _is_transient(error: BaseException) -> bool:
    state = _sqlstate(error)
    # A connection that broke or never came about has no SQLSTATE.
    return not state or state.startswith(_TRANSIENT_CLASSES) or not connection.is_usable()
