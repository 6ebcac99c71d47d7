"""Runs that can be opened: a row with the request it was computed from, as OTLP/JSON."""

from __future__ import annotations

import json
from typing import Any

from monitoring.models import Run, Workflow
from tests.rows import MORNING, make_intake, make_run

SECRET = "price list of the year"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
_START_NS = int(MORNING.timestamp()) * 1_000_000_000


def wire_span(number: int, parent: int | None = None, name: str = "step", **fields: Any) -> dict[str, Any]:
    """A span as OTLP/JSON writes it; `attributes` are texts, `failed` is a message."""
    attributes = fields.pop("attributes", {})
    start, end = fields.pop("start_ms", number * 10), fields.pop("end_ms", number * 10 + 100)
    span: dict[str, Any] = {
        "spanId": span_id(number),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(_START_NS + start * 1_000_000),
        "endTimeUnixNano": str(_START_NS + end * 1_000_000),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    if parent is not None:
        span["parentSpanId"] = span_id(parent)
    if "failed" in fields:
        span["status"] = {"code": 2, "message": fields.pop("failed")}
    return span | fields


def span_id(number: int) -> str:
    """The hexadecimal id of a numbered span."""
    return number.to_bytes(8, "big").hex()


def make_traced_run(
    *spans: dict[str, Any], workflow: Workflow | None = None, service: str = "erp", **fields: Any
) -> Run:
    """A run whose spans stand in the intake log."""
    run = make_run(workflow, started_at=MORNING, span_count=len(spans), **fields)
    trace_id = bytes(run.trace_id).hex()
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    scoped = [{"spans": [{"traceId": trace_id, **span} for span in spans]}]
    body = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scoped}]}).encode()
    run.intakes = [make_intake(body).pk]
    run.save(update_fields=["intakes"])
    return run
