"""Whole OTLP/JSON requests as the specification's examples show them, and what is read back of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from monitoring.decode import decode
from monitoring.models import Intake
from monitoring.records import Decoded
from monitoring.selectors.payloads import payload_of
from tests.conformance.bodies import JSON, START, js_pairs, new_trace
from tests.monitoring.wire import recorded
from tests.online import Online

_AT = str(START)
_PAIRS = js_pairs(
    text={"stringValue": "some value"},
    truth={"boolValue": True},
    whole={"intValue": "10"},
    broken={"doubleValue": 637.704},
    listed={"arrayValue": {"values": [{"stringValue": "many"}, {"intValue": "1"}]}},
    mapped={"kvlistValue": {"values": [{"key": "some.map.key", "value": {"stringValue": "some value"}}]}},
)
_VALUES = {
    "text": "some value",
    "truth": True,
    "whole": 10,
    "broken": 637.704,
    "listed": ["many", 1],
    "mapped": {"some.map.key": "some value"},
}


def request(kind: str, leaf: str, *items: dict[str, Any]) -> bytes:
    """An export with a described resource and scope."""
    scope = {"name": "my.library", "version": "1.0.0", "attributes": _PAIRS}
    resource = {"attributes": js_pairs(**{"service.name": {"stringValue": "my.service"}})}
    return orjson.dumps(
        {f"resource{kind}": [{"resource": resource, f"scope{kind}": [{"scope": scope, leaf: list(items)}]}]}
    )


def kept(of: Online, path: str, body: bytes) -> Decoded:
    """Send it; all of it must be taken; what is read back from the intake log."""
    answer = of.post(path, body, JSON)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"{}")
    with of.rows():
        stored = Intake.objects.order_by("-id").first()
        assert stored is not None
        found = decode(payload_of(stored))
    assert (stored.items, stored.rejected) == (len(found.spans) + len(found.logs) + len(found.metrics), 0)
    return found


def test_it_keeps_a_trace_as_it_was_sent(aster: Online) -> None:
    trace = new_trace()
    span = {
        "traceId": trace.hex().upper(),
        "spanId": "EEE19B7EC3C1B174",
        "parentSpanId": "EEE19B7EC3C1B173",
        "name": "I'm a server span",
        "startTimeUnixNano": _AT,
        "endTimeUnixNano": str(START + 1_000_000_000),
        "kind": 2,
        "flags": 257,
        "traceState": "vendor=1",
        "attributes": _PAIRS,
        "events": [{"timeUnixNano": _AT, "name": "exception", "attributes": _PAIRS}],
        "links": [{"traceId": trace.hex(), "spanId": "EEE19B7EC3C1B172", "attributes": _PAIRS}],
        "status": {"code": 2, "message": "held"},
    }
    found = kept(aster, "/v1/traces", request("Spans", "spans", span)).spans[0]
    assert (found.trace_id, found.span_id.hex(), found.name) == (trace, "eee19b7ec3c1b174", "I'm a server span")
    assert (found.kind.name, found.status.name, found.status_message) == ("SERVER", "ERROR", "held")
    assert (found.end_ns - found.start_ns, found.scope_name) == (1_000_000_000, "my.library")
    assert found.resource == {"service.name": "my.service"}
    assert found.attributes == found.events[0].attributes == found.links[0].attributes == _VALUES


def test_it_keeps_log_records_and_events_as_they_were_sent(aster: Online) -> None:
    body = {"kvlistValue": {"values": _PAIRS}}
    log = {
        "timeUnixNano": _AT,
        "observedTimeUnixNano": _AT,
        "severityNumber": 10,
        "severityText": "Information",
        "traceId": new_trace().hex().upper(),
        "spanId": "EEE19B7EC3C1B174",
        "body": {"stringValue": "Example log record"},
        "attributes": _PAIRS,
    }
    event = {"timeUnixNano": _AT, "eventName": "browser.page_view", "body": body, "severityNumber": 9}
    first, second = kept(aster, "/v1/logs", request("Logs", "logRecords", log, event)).logs
    assert (first.body, first.severity_number, first.severity_text) == ("Example log record", 10, "Information")
    assert (first.attributes, second.event_name, second.body) == (_VALUES, "browser.page_view", _VALUES)


def test_it_keeps_metrics_of_every_kind_as_they_were_sent(aster: Online) -> None:
    point = {"startTimeUnixNano": _AT, "timeUnixNano": _AT, "attributes": _PAIRS}
    histogram = {**point, "count": "2", "sum": 2, "bucketCounts": [1, 1], "explicitBounds": [1], "min": 0, "max": 2}
    metrics = [
        {
            "name": "my.counter",
            "unit": "1",
            "sum": {"aggregationTemporality": 1, "dataPoints": [{**point, "asDouble": 5}]},
        },
        {"name": "my.gauge", "unit": "1", "gauge": {"dataPoints": [{**point, "asInt": "10"}]}},
        {"name": "my.histogram", "unit": "s", "histogram": {"dataPoints": [histogram]}},
        {
            "name": "my.exponential",
            "exponentialHistogram": {"dataPoints": [{**point, "count": 3, "sum": 10, "scale": 0}]},
        },
        {"name": "my.summary", "summary": {"dataPoints": [{**point, "count": "4", "sum": 8}]}},
    ]
    found = kept(aster, "/v1/metrics", request("Metrics", "metrics", *metrics)).metrics
    assert [(one.name, one.value) for one in found] == [
        ("my.counter", 5),
        ("my.gauge", 10),
        ("my.histogram.count", 2),
        ("my.histogram.sum", 2),
        ("my.exponential.count", 3),
        ("my.exponential.sum", 10),
        ("my.summary.count", 4),
        ("my.summary.sum", 8),
    ]
    assert all(one.attributes == _VALUES for one in found)


@pytest.mark.parametrize(
    ("name", "path"), [("trace", "traces"), ("logs", "logs"), ("events", "logs"), ("metrics", "metrics")]
)
def test_it_takes_all_of_the_specification_s_own_examples(aster: Online, name: str, path: str) -> None:
    found = kept(aster, f"/v1/{path}", recorded("otlp", f"otelproto-{name}.json").read_bytes())
    assert found.spans or found.logs or found.metrics
