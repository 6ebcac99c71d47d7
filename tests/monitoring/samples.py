"""Small records for the tests of the pure stages: a span, an event, a catalogue, each with one line of what matters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from monitoring.facts import AttemptFact, BusinessKey
from monitoring.findings import ProcessFacts, WorkflowFacts
from monitoring.records import Decoded, EventRecord, SpanEvent, SpanKind, SpanRecord, StatusCode, Value

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
START_NS = int(NOW.timestamp()) * 1_000_000_000
MILLISECOND = 1_000_000
#: Recorded inputs stand beside the project, never in it.
RECORDED = Path(__file__).parents[3] / "shared" / "data"

ORDER_RELEASE = WorkflowFacts(id=7, name="erp-bridge: release order", source_system="otel")
PROCESS = ProcessFacts(
    id=3, name="Order release ERP → MES", criticality="critical", owner="", sla_id=5, sla_name="released in 5 min"
)
NORMAL = ProcessFacts(id=4, name="Stock sync", criticality="normal", owner="")
UNOWNED = ProcessFacts(id=None, name="", criticality="normal", owner="")


def span(
    number: int,
    attributes: dict[str, Value] | None = None,
    *,
    parent: int | None = None,
    name: str = "release order",
    kind: SpanKind = SpanKind.INTERNAL,
    failed: bool = False,
    at_ms: int | None = None,
    lasts_ms: int = 5,
    trace: int = 1,
    service: str = "erp-bridge",
    resource: dict[str, Value] | None = None,
    scope: str = "",
    events: Sequence[SpanEvent] = (),
    message: str = "",
) -> SpanRecord:
    """A span with id `number` below span `parent`; it starts `at_ms`, else ten times its number, after the start."""
    start_ns = START_NS + (number * 10 if at_ms is None else at_ms) * MILLISECOND
    return SpanRecord(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=None if parent is None else parent.to_bytes(8, "big"),
        name=name,
        kind=kind,
        start_ns=start_ns,
        end_ns=start_ns + lasts_ms * MILLISECOND,
        status=StatusCode.ERROR if failed else StatusCode.UNSET,
        status_message=message,
        scope_name=scope,
        resource={"service.name": service} if resource is None else resource,
        attributes=attributes or {},
        events=tuple(events),
    )


def exception(kind: str, message: str) -> SpanEvent:
    return SpanEvent("exception", START_NS, {"exception.type": kind, "exception.message": message})


def event(
    event_type: str,
    data: Value = None,
    *,
    subject: str = "",
    source: str = "/plants/ulm/mes",
    extensions: dict[str, Value] | None = None,
    event_id: str = "e-1",
) -> EventRecord:
    return EventRecord(
        id=event_id, source=source, type=event_type, time=NOW, subject=subject, data=data, extensions=extensions or {}
    )


def decoded(*spans: SpanRecord, events: Sequence[EventRecord] = ()) -> Decoded:
    return Decoded(spans=spans, events=tuple(events))


def told(attempts: Sequence[AttemptFact]) -> list[tuple[str, int, str]]:
    """The attempts in short: unit, number, phase."""
    return [(fact.unit_id, fact.attempt, fact.phase.value) for fact in attempts]


def key(kind: str, value: str) -> BusinessKey:
    return BusinessKey(kind, value)
