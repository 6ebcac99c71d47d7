"""Celery tasks, as opentelemetry-instrumentation-celery writes them.

One CONSUMER span `run/<task>` for each attempt; `messaging.message.id` is the task id and stays the same over all
attempts; `celery.retries` is absent on the first one; the span's status says nothing about a try that is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import SpanRecord, StatusCode
from monitoring.sources.failures import Failure, bounded, bounded_class, death_note, failure_of
from monitoring.sources.trace import Trace
from monitoring.sources.values import first_text, moment, text, whole

_RETRY = re.compile(r"Retry(?: in (?P<seconds>\d+(?:\.\d+)?)s)?: ?(?P<error>.*)", re.DOTALL)
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)\((?P<text>.*)\)\s*", re.DOTALL)
_PHASES = {
    "SUCCESS": Phase.OK,
    "RETRY": Phase.RETRY_SCHEDULED,
    # Celery writes FAILURE only when no further try follows, and acknowledges the message: nothing moves the unit on.
    "FAILURE": Phase.DEAD,
    # A reject without requeue goes to the queue's dead-letter exchange, or nowhere; the span can't tell which.
    "REJECTED": Phase.DEAD,
    "IGNORED": Phase.OK,
    "REVOKED": Phase.CANCELLED,
}


class Celery:
    """Spans with `celery.task_name`: the entry task names the run, each `run/` span is an attempt."""

    def speaks(self, names: Collection[str]) -> bool:
        return "celery.task_name" in names

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        if not mine:
            return None
        return Reading(
            dialect="celery",
            identity=_identity(trace),
            attempts=tuple(fact for span in mine if (fact := _attempt(span)) is not None),
        )


def _identity(trace: Trace) -> Identity | None:
    rank = trace.rank
    task = fitted(text(trace.entry.attributes.get("celery.task_name")))
    # A producer whose caller has not arrived is a step of somebody else's run, not the name of one.
    return Identity("celery", task, task, rank=rank) if task and rank > Rank.GUESS else None


def _attempt(span: SpanRecord) -> AttemptFact | None:
    attributes = span.attributes
    unit_id = first_text(attributes, ("messaging.message.id", "messaging.message_id", "celery.task_id"))
    if text(attributes.get("celery.action")) != "run" or not unit_id:
        return None
    phase = _phase(span)
    if phase is None:
        return None
    failure, wait = _failure(span, phase)
    ended_at = moment(span.end_ns)
    return AttemptFact(
        unit_id=fitted(unit_id),
        attempt=max(0, whole(attributes.get("celery.retries")) or 0) + 1,
        phase=phase,
        dialect="celery",
        confidence=Confidence.DECLARED,
        step=text(attributes["celery.task_name"])[:200],
        destination=fitted(first_text(attributes, ("messaging.destination.name", "messaging.destination"))),
        error_class=failure.error_class,
        message=failure.message,
        started_at=moment(span.start_ns),
        ended_at=ended_at,
        next_at=_next_at(ended_at, wait),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _phase(span: SpanRecord) -> Phase | None:
    state = text(span.attributes.get("celery.state")).upper()
    if death_note(span) is not None:
        return Phase.DEAD
    if state == "FAILURE" and span.status is not StatusCode.ERROR:
        # The instrumentation leaves the status alone for errors in `task.throws`: the author expects them.
        return Phase.ERROR
    if state == "REVOKED" and text(span.attributes.get("celery.revoked.reason")).lower() == "expired":
        return Phase.EXPIRED
    if not state and span.status is StatusCode.ERROR:
        return Phase.DEAD
    return _PHASES.get(state)


def _failure(span: SpanRecord, phase: Phase) -> tuple[Failure, float | None]:
    """What failed, and for a scheduled retry the seconds until it: both stand in `celery.retry.reason`."""
    failure = failure_of(span)
    if phase is Phase.DEAD and not failure.error_class and span.attributes.get("celery.state") == "REJECTED":
        return Failure("rejected", failure.message or "the worker rejected the task without requeueing it"), None
    if phase is not Phase.RETRY_SCHEDULED:
        return failure, None
    reason = text(span.attributes.get("celery.retry.reason"))
    matched = _RETRY.fullmatch(reason)
    if matched is None:
        return failure.or_else(Failure("", bounded(reason))), None
    wait = float(matched["seconds"]) if matched["seconds"] else None
    raised = _RAISED.fullmatch(matched["error"])
    if raised is None:
        return failure.or_else(Failure("", bounded(matched["error"]))), wait
    return failure.or_else(Failure(bounded_class(raised["type"]), bounded(raised["text"].strip("'\"")))), wait


def _next_at(ended_at: datetime | None, wait: float | None) -> datetime | None:
    if ended_at is None or wait is None or wait > 10 * 366 * 86_400:
        return None
    return ended_at + timedelta(seconds=wait)
