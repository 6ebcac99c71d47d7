"""All dialects, the more specific first, and what they say together about one trace or one event.

A new source is a file beside this one and a line in one of these tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitoring.facts import DEAD_PHASES, AttemptFact, BusinessKey, Phase, Reading
from monitoring.records import EventRecord, SpanRecord
from monitoring.sources.andon import Andon
from monitoring.sources.by_names import ByNames, Names
from monitoring.sources.camunda import Camunda, CamundaEvents
from monitoring.sources.celery import Celery
from monitoring.sources.cloudevents import CloudEvents
from monitoring.sources.contract import EventDialect, SpanDialect
from monitoring.sources.generic import Generic
from monitoring.sources.keys import key_names, united
from monitoring.sources.messaging import Messaging
from monitoring.sources.n8n import N8n
from monitoring.sources.nats import NatsAdvisories
from monitoring.sources.trace import Shape, Trace
from monitoring.spans_once import spans_once

SPAN_DIALECTS: tuple[SpanDialect, ...] = (Andon(), N8n(), Camunda(), Celery(), Messaging(), Generic())
#: The last has something to say of every trace.
*_SPECIFIC, _GENERIC = SPAN_DIALECTS
EVENT_DIALECTS: tuple[EventDialect, ...] = (NatsAdvisories(), CamundaEvents(), CloudEvents())

_MOST_ATTEMPTS = 1_000_000


def traced(spans: Sequence[SpanRecord]) -> Trace:
    """The spans of one trace, never none, each once and looked over for who may speak of them."""
    return Trace(spans_once(spans) if len(spans) > 1 else spans, _SHAPES)


def read_trace(spans: Trace | Sequence[SpanRecord]) -> Reading:
    """What all dialects together recognise in the spans of one trace that came in one request."""
    trace = spans if isinstance(spans, Trace) else traced(spans)
    spoken_of = trace.spoken_of
    found = [dialect.read(spoken_of[dialect], trace) for dialect in _SPECIFIC if dialect in spoken_of]
    found.append(_GENERIC.read(spoken_of.get(_GENERIC, ()), trace))
    readings = [reading for reading in found if reading is not None]
    parked = [reading for reading in readings if reading.parked]
    if parked and not _tell_of_death(readings):
        # Before the generic reading, which counts repeated handlers as tries.
        readings[-1:-1] = [Reading(reading.dialect, attempts=reading.parked) for reading in parked]
    return merged(readings)


def _shape(names: Names) -> Shape:
    return Shape(
        speakers=tuple(dialect for dialect in SPAN_DIALECTS if dialect.speaks(names)),
        keys=key_names(names),
    )


_SHAPES = ByNames(_shape)


def _tell_of_death(readings: Sequence[Reading]) -> bool:
    for reading in readings:
        for fact in reading.attempts:
            if fact.phase in DEAD_PHASES:
                return True
    return False


def read_event(event: EventRecord) -> Reading:
    """What all dialects together recognise in one event."""
    return merged([found for dialect in EVENT_DIALECTS if (found := dialect.read(event)) is not None])


def merged(readings: Sequence[Reading]) -> Reading:
    """One reading out of several: the surest identity, all keys, and each attempt once.

    The order of `readings` is the order of trust: of identities with equal rank the earlier wins, and a span about
    which one dialect told an attempt is not told about again by a later one.
    """
    surest, site, due_at, value = readings[0], "", None, None
    if len(readings) == 1 and not surest.attempts:
        return surest
    keys: list[tuple[BusinessKey, ...]] = []
    told: list[tuple[AttemptFact, ...]] = []
    for reading in readings:
        identity = reading.identity
        if identity is not None and (surest.identity is None or identity.rank > surest.identity.rank):
            surest = reading
        if reading.keys:
            keys.append(reading.keys)
        if reading.attempts:
            told.append(reading.attempts)
        site = site or reading.site
        due_at = reading.due_at if due_at is None else due_at
        value = reading.value if value is None else value
    attempts = _attempts(told) if told else ()
    return Reading(surest.dialect, surest.identity, united(keys), attempts, site, due_at, value)


def _attempts(told: Sequence[tuple[AttemptFact, ...]]) -> tuple[AttemptFact, ...]:
    if len(told) == 1 and len(told[0]) == 1:
        return (_bounded(told[0][0]),)
    told_spans: set[bytes] = set()
    facts: dict[tuple[str, Phase, int], AttemptFact] = {}
    for attempts in told:
        fresh = [fact for fact in attempts if fact.span_id is None or fact.span_id not in told_spans]
        for fact in map(_bounded, fresh):
            facts.setdefault((fact.unit_id, fact.phase, fact.attempt), fact)
        told_spans.update([fact.span_id for fact in fresh if fact.span_id is not None])
    return _without_false_successes(tuple(facts.values()))


def _bounded(fact: AttemptFact) -> AttemptFact:
    """The fact with its numbers in the range that a sender can mean and a database can keep."""
    if fact.attempt <= _MOST_ATTEMPTS and (fact.max_attempts is None or 0 <= fact.max_attempts <= _MOST_ATTEMPTS):
        return fact
    most = fact.max_attempts
    known = None if most is None or not 0 <= most <= _MOST_ATTEMPTS else most
    return fact._replace(attempt=min(fact.attempt, _MOST_ATTEMPTS), max_attempts=known)


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
