"""The main line in a test: requests made of a few words, sent through `accept`, and what the tables say afterwards."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.models import (
    Alert,
    Attempt,
    BusinessKey,
    DeadLetter,
    Event,
    Intake,
    Notification,
    Run,
    Timer,
    WorkflowMinute,
)
from monitoring.receive.accept import accept, accept_together
from monitoring.receive.arrival import Answer, Arrival
from monitoring.records import Encoding, Signal
from partners.scope import tenant_scope

_number = itertools.count(1)
_COUNTERS = ("runs", "failed", "events", "first_attempts", "retries", "successes", "retry_successes", "dead_letters")


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def span(
    name: str = "release order",
    *,
    trace: int = 0,
    number: int = 0,
    parent: int | None = None,
    kind: int = 2,
    at: datetime | None = None,
    lasts_s: float = 0.5,
    failed: bool = False,
    notes: Mapping[str, Mapping[str, object]] | None = None,
    said: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """An OTLP/JSON span that ended just now; `said` are its attributes, `notes` its events."""
    start = at or now() - timedelta(seconds=lasts_s)
    start_ns = int(start.timestamp() * 1_000_000) * 1_000
    end_ns = start_ns + round(lasts_s * 1_000_000_000)
    found: dict[str, Any] = {
        "traceId": (trace or next(_number) + 10_000_000).to_bytes(16, "big").hex(),
        "spanId": (number or next(_number) + 10_000_000).to_bytes(8, "big").hex(),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(end_ns),
        "status": {"code": 2} if failed else {},
        "attributes": _attributes(said or {}),
        "events": [
            {"name": note, "timeUnixNano": str(end_ns), "attributes": _attributes(said)}
            for note, said in (notes or {}).items()
        ],
    }
    return found | ({} if parent is None else {"parentSpanId": parent.to_bytes(8, "big").hex()})


def attempt(
    unit: str, number: int, *, phase: str = "", said: Mapping[str, object] | None = None, **fields: Any
) -> dict[str, Any]:
    """A span of one try at a unit of work, in Andon's own words."""
    stated = {"andon.phase": phase} if phase else {}
    return span(**fields, said={**(said or {}), "andon.unit_id": unit, "andon.attempt": number, **stated})


def traces(
    *spans: Mapping[str, Any], service: str = "erp-bridge", resource: Mapping[str, object] | None = None
) -> bytes:
    """The body of an OTLP/JSON export."""
    stated = {"attributes": _attributes({"service.name": service, **(resource or {})})}
    return json.dumps({"resourceSpans": [{"resource": stated, "scopeSpans": [{"spans": list(spans)}]}]}).encode()


def event(name: str, subject: str = "4711", *, at: datetime | None = None, **data: object) -> dict[str, Any]:
    """A structured CloudEvent of the vocabulary, such as `integration.message_dead_lettered`."""
    return {
        "specversion": "1.0",
        "id": f"e-{next(_number)}",
        "source": "/plants/ulm/rabbitmq",
        "type": f"dev.andon.mfg.{name}.v1",
        "time": (at or now()).isoformat(),
        "subject": subject,
        "data": data,
    }


def died(unit: str, *, at: datetime | None = None, attempts: int = 3, **data: object) -> dict[str, Any]:
    """The notice that a message of an order went to its dead-letter queue."""
    said = {"queue": "orders.dlq", "error_class": "TimeoutError", **data}
    return event("integration.message_dead_lettered", unit, at=at, message_ref=unit, attempts=attempts, **said)


def redriven(unit: str, *, at: datetime | None = None, attempts: int = 4) -> dict[str, Any]:
    """The notice that a message was taken out of its dead-letter queue and sent again."""
    return event("integration.message_replayed", unit, at=at, message_ref=unit, attempts=attempts, queue="orders.dlq")


def arrival(tenant_id: int, body: bytes, **changes: Any) -> Arrival:
    """An OTLP/JSON export as it comes in."""
    given = {
        "tenant_id": tenant_id,
        "key_prefix": "tests",
        "signal": Signal.TRACES,
        "encoding": Encoding.JSON,
        "content_encoding": "",
        "headers": {"content-type": "application/json"},
        "body": body,
    }
    return Arrival(**{**given, **changes})


def arrival_of_events(tenant_id: int, *events: Mapping[str, Any]) -> Arrival:
    """A batch of CloudEvents as it comes in."""
    return arrival(tenant_id, json.dumps(events).encode(), signal=Signal.EVENTS, encoding=Encoding.CLOUDEVENT_BATCH)


def take(tenant_id: int, body: bytes, **changes: Any) -> Answer:
    """Send an OTLP/JSON export through the main line."""
    return accept(arrival(tenant_id, body, **changes), after=lambda _, __: None)


def take_events(tenant_id: int, *events: Mapping[str, Any]) -> Answer:
    """Send a batch of CloudEvents through the main line."""
    return accept(arrival_of_events(tenant_id, *events), after=lambda _, __: None)


def take_together(*arrivals: Arrival) -> list[Answer | Exception]:
    """Send requests that waited together through the main line."""
    return accept_together(arrivals, after=lambda _, __: None)


def figures(tenant_id: int) -> dict[str, object]:
    """All that is projected for a tenant, without ids: what must be the same however the telemetry arrived."""
    with tenant_scope(tenant_id, actor="system:tests"):
        sums = {
            name: sum(getattr(row, name) for row in WorkflowMinute.objects.all()) for name in (*_COUNTERS, "sla_met")
        }
        return {
            "intake": Intake.objects.count(),
            "runs": sorted(
                (bytes(run.trace_id).hex(), run.status, run.span_count, run.error_count, run.attempts, run.dead_letters)
                for run in Run.objects.all()
            ),
            "attempts": Attempt.objects.count(),
            "events": Event.objects.count(),
            "keys": sorted(BusinessKey.objects.values_list("key_type", "value")),
            "dead letters": sorted(DeadLetter.objects.values_list("unit_id", "state")),
            "alerts": sorted(Alert.objects.values_list("kind", "status", "count")),
            "rollups": sums,
            "notifications": sorted(Notification.objects.values_list("event", "state")),
            "timers": Timer.objects.filter(tenant_id=tenant_id).count(),
        }


def _attributes(values: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": value}
