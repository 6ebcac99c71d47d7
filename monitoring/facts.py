"""What the records mean: the facts that mapping hands to the projection. Frozen, and free of Django.

A dialect (`monitoring/sources/`) reads the spans of one trace or one CloudEvent and says what it recognises in our
own words; mapping then ties that reading to a process of the tenant's catalogue. What is made for each trace is a named
tuple, because making a frozen dataclass costs several times as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from monitoring.records import EventRecord, LogRecord, MetricPoint, Rejection


class BusinessKey(NamedTuple):
    """What a person in the plant calls the thing: type `order`, value `4711`."""

    type: str
    value: str


class Rank(IntEnum):
    """How surely a span names the workflow of its run; the highest seen so far decides."""

    GUESS = 0  # a span inside a trace whose root has not arrived
    ENTRY = 1  # a span whose parent is in another service or request
    ROOT = 2  # the root of the trace
    DECLARED = 3  # the source itself names its workflow (n8n.workflow.id, a process definition)


class Confidence(StrEnum):
    """Where a figure about attempts comes from; weakest last."""

    DECLARED = "declared"  # a header or attribute says so
    DERIVED = "derived"  # the next event or a status implies it
    INFERRED = "inferred"  # same span name, parent and key seen again


class Phase(StrEnum):
    """How one attempt at a unit of work ended."""

    OK = "ok"
    ERROR = "error"
    RETRY_SCHEDULED = "retry_scheduled"
    REDELIVERED = "redelivered"
    PARKED = "parked"
    DEAD = "dead"
    LOST = "lost"
    EXPIRED = "expired"
    REDRIVEN = "redriven"
    RE_DEAD = "re_dead"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


#: Phases after which the unit stands still until a person or a redrive moves it.
DEAD_PHASES = frozenset({Phase.DEAD, Phase.LOST, Phase.RE_DEAD})
#: Phases that say a further attempt follows.
RETRY_PHASES = frozenset({Phase.RETRY_SCHEDULED, Phase.REDELIVERED})


class Identity(NamedTuple):
    """Which automation this is, as its source knows it. `(source_system, source_key)` is unique in a tenant."""

    source_system: str  # "n8n", "celery", "rabbitmq", "camunda", "otel", "cloudevents", ...
    source_key: str  # stable in the source: the workflow id, the task name, "service/operation"
    name: str  # what people read
    version: str = ""
    rank: Rank = Rank.ENTRY


class AttemptFact(NamedTuple):
    """One try at one unit of work, normalised over all sources.

    `attempt` counts from 1. `unit_id` is the same over all attempts of a unit. `(unit_id, phase, attempt)` names the
    fact, so a broker that repeats its notice changes nothing. `unit_id` and `destination` fit their columns
    (`names.fitted`).
    """

    unit_id: str
    attempt: int
    phase: Phase
    dialect: str
    confidence: Confidence
    step: str = ""
    destination: str = ""  # queue, topic or endpoint the unit died in or was tried against
    error_class: str = ""
    message: str = ""
    max_attempts: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    trace_id: bytes | None = None
    span_id: bytes | None = None


class Reading(NamedTuple):
    """What one dialect recognised in the spans of one trace, or in one event. Empty parts mean: nothing said."""

    dialect: str
    identity: Identity | None = None
    keys: tuple[BusinessKey, ...] = ()
    attempts: tuple[AttemptFact, ...] = ()
    site: str = ""  # the site's short name where the source states it
    due_at: datetime | None = None
    value: float | None = None  # money at stake in the site's currency, where the source states it
    parked: tuple[AttemptFact, ...] = ()  # deaths that are believed only where no other attempt tells of one


class MappingVerdict(NamedTuple):
    """Which process an automation serves and why: the rule that matched, or why none did."""

    process_id: int | None
    rule_id: int | None
    reason: str  # "rule 3 'ERP order release': resource["service.name"] == ..." or "no rule matched 12 rules"
    workflow_name: str = ""  # a name the rule gives, else empty
    site_id: int | None = None

    @property
    def matched(self) -> bool:
        return self.process_id is not None


class RunFact(NamedTuple):
    """What one request says about one trace. Counts are of this request alone; the projection adds them up.

    `parts` are the places of those that spoke of the trace among the requests that were taken together.
    """

    trace_id: bytes
    identity: Identity
    verdict: MappingVerdict
    started_at: datetime
    ended_at: datetime
    root_seen: bool
    root_failed: bool
    span_count: int
    error_count: int
    root_name: str = ""
    keys: tuple[BusinessKey, ...] = ()
    attempts: tuple[AttemptFact, ...] = ()
    error_class: str = ""
    due_at: datetime | None = None
    value: float | None = None
    services: tuple[str, ...] = ()
    parts: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class EventFact:
    """One business event with its meaning. `entity_event` is the vocabulary's name (`order.released`) or empty."""

    index: int
    record: EventRecord
    entity_event: str
    identity: Identity
    verdict: MappingVerdict
    keys: tuple[BusinessKey, ...] = ()
    attempts: tuple[AttemptFact, ...] = ()
    trace_id: bytes | None = None
    correlation_id: str = ""
    causation_id: str = ""
    sequence: str = ""
    process_instance: str = ""
    step: str = ""
    due_at: datetime | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """All that one payload means."""

    runs: tuple[RunFact, ...] = ()
    events: tuple[EventFact, ...] = ()
    logs: tuple[LogRecord, ...] = ()
    metrics: tuple[MetricPoint, ...] = ()
    rejections: tuple[Rejection, ...] = ()
