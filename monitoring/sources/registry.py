"""All dialects, the more specific first, and what they say together about one trace or one event.

A new source is a file beside this one and a line in one of these tuples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from monitoring.facts import DEAD_PHASES, AttemptFact, Identity, Phase, Reading
from monitoring.records import EventRecord, SpanRecord
from monitoring.sources.andon import Andon
from monitoring.sources.camunda import Camunda, CamundaEvents
from monitoring.sources.celery import Celery
from monitoring.sources.cloudevents import CloudEvents
from monitoring.sources.contract import EventDialect, SpanDialect
from monitoring.sources.generic import Generic
from monitoring.sources.keys import united
from monitoring.sources.messaging import Messaging, Parked
from monitoring.sources.n8n import N8n
from monitoring.sources.nats import NatsAdvisories
from monitoring.sources.trace import traced

SPAN_DIALECTS: tuple[SpanDialect, ...] = (Andon(), N8n(), Camunda(), Celery(), Messaging(), Generic())
_PARKED: SpanDialect = Parked()
EVENT_DIALECTS: tuple[EventDialect, ...] = (NatsAdvisories(), CamundaEvents(), CloudEvents())

_T = TypeVar("_T")
_MOST_ATTEMPTS = 1_000_000


def read_trace(spans: Sequence[SpanRecord]) -> Reading:
    """What all dialects together recognise in the spans of one trace that came in one request."""
    trace = traced(spans)
    speaking, may_be_parked = _speaking(trace.names)
    readings = [found for dialect in speaking if (found := dialect.read(trace)) is not None]
    if may_be_parked and not any(fact.phase in DEAD_PHASES for reading in readings for fact in reading.attempts):
        parked = _PARKED.read(trace)
        if parked is not None:
            readings.insert(-1, parked)  # Before the generic reading, which counts repeated handlers as tries.
    return merged(readings)


@lru_cache(maxsize=2048)
def _speaking(names: frozenset[str]) -> tuple[tuple[SpanDialect, ...], bool]:
    """Which dialects can say something of such spans, and whether a queue is named; a plant has few sets of names."""
    return tuple(dialect for dialect in SPAN_DIALECTS if dialect.speaks(names)), _PARKED.speaks(names)


def read_event(event: EventRecord) -> Reading:
    """What all dialects together recognise in one event."""
    return merged([found for dialect in EVENT_DIALECTS if (found := dialect.read(event)) is not None])


def merged(readings: Sequence[Reading]) -> Reading:
    """One reading out of several: the surest identity, all keys, and each attempt once.

    The order of `readings` is the order of trust: of identities with equal rank the earlier wins, and a span about
    which one dialect told an attempt is not told about again by a later one.
    """
    if len(readings) == 1 and not readings[0].attempts:
        return readings[0]
    identity = _surest(reading.identity for reading in readings)
    speaking = next((reading for reading in readings if reading.identity is identity), readings[0])
    return Reading(
        dialect=speaking.dialect,
        identity=identity,
        keys=united(reading.keys for reading in readings),
        attempts=_attempts(readings),
        site=_said(reading.site or None for reading in readings) or "",
        due_at=_said(reading.due_at for reading in readings),
        value=_said(reading.value for reading in readings),
    )


def _surest(identities: Iterable[Identity | None]) -> Identity | None:
    best: Identity | None = None
    for identity in identities:
        if identity is not None and (best is None or identity.rank > best.rank):
            best = identity
    return best


def _said(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def _attempts(readings: Sequence[Reading]) -> tuple[AttemptFact, ...]:
    told_spans: set[bytes] = set()
    facts: dict[tuple[str, Phase, int], AttemptFact] = {}
    for reading in readings:
        fresh = [fact for fact in reading.attempts if fact.span_id is None or fact.span_id not in told_spans]
        for fact in map(_bounded, fresh):
            facts.setdefault((fact.unit_id, fact.phase, fact.attempt), fact)
        told_spans.update(fact.span_id for fact in fresh if fact.span_id is not None)
    return _without_false_successes(tuple(facts.values()))


def _bounded(fact: AttemptFact) -> AttemptFact:
    """The fact with its numbers in the range that a sender can mean and a database can keep."""
    if fact.attempt <= _MOST_ATTEMPTS and (fact.max_attempts is None or 0 <= fact.max_attempts <= _MOST_ATTEMPTS):
        return fact
    most = fact.max_attempts
    known = None if most is None or not 0 <= most <= _MOST_ATTEMPTS else most
    return replace(fact, attempt=min(fact.attempt, _MOST_ATTEMPTS), max_attempts=known)


def _without_false_successes(facts: tuple[AttemptFact, ...]) -> tuple[AttemptFact, ...]:
    """The facts without a try called good that was under way when its unit died.

    A consumer that parks its message in a dead-letter queue ends well itself; the unit did not.
    """
    deaths: dict[str, datetime] = {}
    for fact in facts:
        at = fact.ended_at or fact.started_at
        if fact.phase in DEAD_PHASES and at is not None:
            deaths[fact.unit_id] = max(at, deaths.get(fact.unit_id, at))
    if not deaths:
        return facts
    return tuple(fact for fact in facts if fact.phase is not Phase.OK or _began_after(fact, deaths.get(fact.unit_id)))


def _began_after(fact: AttemptFact, death: datetime | None) -> bool:
    return death is None or (fact.started_at is not None and fact.started_at > death)
