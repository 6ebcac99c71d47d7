"""OTLP in JSON: the rules O13 to O18 of the specification, hostile bodies, and equality with protobuf."""

from __future__ import annotations

import base64

import orjson
import pytest

from monitoring.decode import Limits, decode, spans_of
from monitoring.decode.values import CUT, DEEPER
from monitoring.records import Decoded, Encoding, MalformedPayload, PayloadTooLarge, Signal, SpanKind, StatusCode

from .wire import RECEIVED, SPAN, START, TRACE, from_json, json_request, json_span, payload, recorded


def attribute(value: object) -> dict[str, object]:
    return json_span(attributes=[{"key": "k", "value": value}])


def only_reason(decoded: Decoded) -> str:
    assert decoded.spans == ()
    (rejection,) = decoded.rejections
    return rejection.reason


def test_it_reads_ids_as_hex_in_either_case() -> None:
    for spell in (str.upper, str.lower, str.title):
        span = json_span(traceId=spell(TRACE.hex()), spanId=spell(SPAN.hex()), parentSpanId="AbCdEf0123456789")
        record = from_json(json_request(span)).spans[0]
        assert (record.trace_id, record.span_id) == (TRACE, SPAN)
        assert record.parent_span_id == bytes.fromhex("abcdef0123456789")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": "0" * 32}, "all zeros"),
        ({"traceId": "ab" * 15}, "has 15 bytes, not 16"),
        ({"traceId": "xy" * 16}, "traceId is not hexadecimal"),
        ({"traceId": base64.b64encode(TRACE).decode()}, "traceId is not hexadecimal"),
        ({"traceId": "ab " * 16}, "traceId is not hexadecimal"),
        ({"traceId": 7}, "traceId is not hexadecimal"),
        ({"traceId": ..., "trace_id": TRACE.hex()}, "the trace id is missing"),
        ({"kind": "SPAN_KIND_SERVER"}, "enum values as integers"),
        ({"kind": True}, "not a whole number"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "enum values as integers"),
        ({"startTimeUnixNano": -1}, "outside the years"),
        ({"startTimeUnixNano": 2**64}, "outside the years"),
        ({"startTimeUnixNano": 1.5}, "not a whole number"),
        ({"startTimeUnixNano": "1_0"}, "not a whole number"),
        ({"startTimeUnixNano": "9" * 5000}, "not a whole number"),
        ({"startTimeUnixNano": ...}, "the start time is missing"),
        ({"endTimeUnixNano": str(START - 1)}, "ends 1 ns before it starts"),
        ({"name": 5}, "name is not a string"),
        ({"attributes": {"k": "v"}}, "attributes is not an array"),
        ({"events": [None]}, "an event is not a JSON object"),
        ({"events": [{"timeUnixNano": 2**64 - 1}]}, "outside the years"),
    ],
)
def test_it_refuses_a_poison_span_alone(changes: dict[str, object], reason: str) -> None:
    decoded = from_json(json_request(json_span(name="a"), json_span(**changes), json_span(name="b")))
    assert [span.name for span in decoded.spans] == ["a", "b"]
    assert [rejection.index for rejection in decoded.rejections] == [1]
    assert reason in decoded.rejections[0].reason


@pytest.mark.parametrize("item", [None, 5, "span", []], ids=["null", "number", "text", "array"])
def test_it_refuses_an_item_that_is_no_object(item: object) -> None:
    assert only_reason(from_json(json_request(item))) == "the item is not a JSON object"


def test_it_reads_unknown_enum_numbers_as_unspecified() -> None:
    record = from_json(json_request(json_span(kind=99, status={"code": 99}))).spans[0]
    assert (record.kind, record.status) == (SpanKind.UNSPECIFIED, StatusCode.UNSET)


def test_it_ignores_unknown_and_snake_case_keys_at_every_level() -> None:
    span = attribute({"stringValue": "v", "newValue": 1}) | {"parent_span_id": "ff", "flags": 257, "later": {"x": []}}
    document = json_request(span, resource={"attributes": [], "entityRefs": [{}]}) | {"resource_spans": 5}
    record = from_json(document).spans[0]
    assert (record.attributes, record.parent_span_id) == ({"k": "v"}, None)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"intValue": "1"}, 1),
        ({"intValue": 1}, 1),
        ({"intValue": 1e18}, 10**18),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": "-1"}, -1),
        ({"doubleValue": 5}, 5.0),
        ({"doubleValue": "1.5"}, 1.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"boolValue": True}, True),
        ({"bytesValue": "AAAwOQ=="}, b"\x00\x0009"),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"stringValue": ""}, ""),
        ({"stringValue": "a\x00b"}, "a\ufffdb"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {}]}}, [1, None]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": False}}]}}, {"a": False}),
        ({}, None),
        (None, None),
    ],
)
def test_it_reads_every_kind_of_value(value: object, found: object) -> None:
    assert from_json(json_request(attribute(value))).spans[0].attributes == {"k": found}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"intValue": 1.5}, "not a whole number"),
        ({"intValue": "2 "}, "not a whole number"),
        ({"intValue": str(2**64)}, "beyond 64 bits"),
        ({"intValue": True}, "not a whole number"),
        ({"boolValue": "true"}, "neither true nor false"),
        ({"doubleValue": "1_0"}, "not a number"),
        ({"bytesValue": "?"}, "not base64"),
        ({"stringValue": 5}, "stringValue is not a string"),
        ({"stringValue": "a", "intValue": "1"}, "given twice"),
        ("plain", "not a JSON object"),
    ],
)
def test_it_refuses_values_of_the_wrong_type(value: object, reason: str) -> None:
    assert reason in only_reason(from_json(json_request(attribute(value))))


def test_it_refuses_all_spans_of_a_poison_resource_and_no_others() -> None:
    document = json_request(json_span(), json_span(), resource={"attributes": [{"key": 5}]})
    document["resourceSpans"] += json_request(json_span(name="good"))["resourceSpans"]  # type: ignore[operator]
    decoded = from_json(document)
    assert [span.name for span in decoded.spans] == ["good"]
    assert [rejection.index for rejection in decoded.rejections] == [0, 1]
    assert decoded.rejections[0].reason == "its resource: an attribute's key is not a string"


@pytest.mark.parametrize(
    "document",
    [{}, {"resourceSpans": []}, {"resourceSpans": [{}]}, {"resourceSpans": [None]}, {"resourceSpans": None}],
    ids=["{}", "no-groups", "empty-group", "resourceSpans-null-element", "null"],
)
def test_it_takes_empty_envelopes(document: object) -> None:
    assert from_json(document) == Decoded()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": ["x"]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
        b'{"a": "Pr\xfcfung"}',
        b"[" * 1025 + b"]" * 1025,
        b"[" * 100_000,
        '{"a": 1}'.encode("utf-16"),
    ],
    ids=[
        "empty-body",
        "[]",
        "null",
        "cut",
        "groups-number",
        "group-text",
        "spans-object",
        "latin-1",
        "json-nest-1025",
        "json-nest-100k",
        "utf-16",
    ],
)
def test_it_calls_a_body_that_is_no_request_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        from_json(body)


@pytest.mark.parametrize(
    ("token", "found"),
    [
        (b'{"doubleValue": NaN}', "NaN"),
        (b'{"doubleValue": -Infinity}', "-Infinity"),
        (b'{"doubleValue": 1e999}', "Infinity"),
        (b'{"stringValue": "a\\ud800b"}', "a\ufffdb"),
        (b'{"stringValue": "\\\\ud800 \\ud83d\\udea7"}', "\\ud800 🚧"),
        (b'{"stringValue": "first", "stringValue": "last"}', "last"),
    ],
    ids=["NaN", "-Infinity", "1e999", "lone-surrogate", "escaped-backslash", "duplicate-json-key"],
)
def test_it_rescues_a_body_with_one_value_that_strict_parsers_refuse(token: bytes, found: object) -> None:
    body = orjson.dumps(json_request(attribute("HERE"), json_span(name="b"))).replace(b'"HERE"', token)
    decoded = from_json(body)
    assert [span.attributes for span in decoded.spans] == [{"k": found}, {}]


def test_it_refuses_only_the_item_with_an_integer_of_a_million_digits() -> None:
    body = orjson.dumps(json_request(attribute({"intValue": "HERE"}), json_span())).replace(b'"HERE"', b"9" * 10**6)
    decoded = from_json(body)
    assert (len(decoded.spans), [rejection.index for rejection in decoded.rejections]) == (1, [0])


def test_it_does_not_look_for_one_bad_value_in_a_very_long_body() -> None:
    body = orjson.dumps(json_request(json_span(name="HERE"))).replace(b"HERE", b"\\ud800" * 3_000_000)
    with pytest.raises(MalformedPayload, match="surrogate"):
        from_json(body)


def test_it_cuts_deep_and_long_values() -> None:
    value: dict[str, object] = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    found = from_json(json_request(attribute(value))).spans[0].attributes["k"]
    for _ in range(32):
        assert isinstance(found, list)
        found = found[0]
    assert found == DEEPER
    long = from_json(json_request(attribute({"stringValue": "x" * 40_000}))).spans[0].attributes["k"]
    assert isinstance(long, str)
    assert long.endswith(CUT)


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (orjson.dumps(json_request(*[{}] * 20_001)), "20,000 spans"),
        (b'{"resourceSpans": [' + b"{}," * 1_000_000 + b"{}]}", "500,000 JSON values"),
        (orjson.dumps(json_request(json_span(events=[{}] * 50_001))), "50,000 span events"),
        (orjson.dumps(json_request(json_span(links=[{}] * 50_001))), "50,000 span links"),
    ],
    ids=["20001-empty-spans", "million-empty-groups", "one-span-100k-events", "one-span-100k-links"],
)
def test_it_refuses_floods(body: bytes, limit: str) -> None:
    with pytest.raises(PayloadTooLarge, match=limit):
        from_json(body)


def test_it_does_not_count_commas_and_braces_inside_of_texts() -> None:
    text = ',{["\\' * 400_000
    decoded = from_json(json_request(attribute({"stringValue": text})))
    assert len(decoded.spans) == 1
    with pytest.raises(PayloadTooLarge, match="JSON values"):
        from_json(json_request(attribute({"stringValue": text}), *[{"a": 1}] * 300_000))


@pytest.mark.parametrize("shift", range(5))
def test_it_knows_texts_from_structure_wherever_its_pieces_end(shift: int) -> None:
    text = "x" * shift + '\\",' * 400_000
    assert len(from_json(json_request(attribute({"stringValue": text}))).spans) == 1


def test_it_holds_the_limit_of_items_exactly() -> None:
    body = orjson.dumps(json_request(json_span(), json_span()))
    asked = payload(Signal.TRACES, Encoding.JSON, body)
    assert len(decode(asked, Limits(items=2)).spans) == 2
    with pytest.raises(PayloadTooLarge, match="more than 1 spans"):
        decode(asked, Limits(items=1))


def test_it_reads_logs_with_the_time_of_receipt_where_none_is_given() -> None:
    logs = [
        {"observedTimeUnixNano": str(START), "severityNumber": 9, "body": {"intValue": 3}, "eventName": "hold"},
        {"traceId": "0" * 32, "spanId": ""},
        {"traceId": "abc"},
        {"severityNumber": "INFO"},
    ]
    decoded = from_json({"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]}, Signal.LOGS)
    first, second = decoded.logs
    assert (first.time_ns, first.severity_number, first.body, first.event_name) == (START, 9, 3, "hold")
    assert (second.time_ns, second.trace_id, second.span_id) == (int(RECEIVED.timestamp()) * 10**9, None, None)
    assert [rejection.index for rejection in decoded.rejections] == [2, 3]


def test_it_reads_metrics() -> None:
    at = {"timeUnixNano": str(START)}
    metrics: list[object] = [
        {"name": "depth", "unit": "1", "gauge": {"dataPoints": [at | {"asInt": "12"}, at | {"asDouble": 0.5}, at]}},
        {"name": "wait", "unit": "s", "histogram": {"dataPoints": [at | {"count": "4", "sum": 9.5}]}},
        {"name": "grow", "exponentialHistogram": {"dataPoints": [at | {"count": 2}]}},
        {"name": "old", "unit": "s", "summary": {"dataPoints": [at | {"count": 3}]}},
        {"name": "gap", "gauge": {"dataPoints": [at | {"flags": 1}]}},
        {"name": "nan", "sum": {"dataPoints": [at | {"asDouble": "NaN"}, {"asInt": 1}]}},
        {"name": "nothing"},
        "not a metric",
    ]
    decoded = from_json({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}, Signal.METRICS)
    assert [(point.name, point.unit, point.value) for point in decoded.metrics] == [
        ("depth", "1", 12.0),
        ("depth", "1", 0.5),
        ("wait.count", "1", 4.0),
        ("wait.sum", "s", 9.5),
        ("grow.count", "1", 2.0),
        ("old.count", "1", 3.0),
        ("old.sum", "s", 0.0),
    ]
    assert [(rejection.index, rejection.item_id) for rejection in decoded.rejections] == [
        (2, "depth"),
        (7, "nan"),
        (8, "nan"),
        (9, ""),
    ]


def test_it_reads_one_trace_back() -> None:
    other = "ab" * 16
    body = orjson.dumps(
        json_request(json_span(name="a"), json_span(traceId=other, name="b"), json_span(kind="X"), None)
    )
    asked = payload(Signal.TRACES, Encoding.JSON, body)
    assert [span.name for span in spans_of(asked, TRACE)] == ["a"]
    assert [span.name for span in spans_of(asked, bytes.fromhex(other))] == ["b"]


def test_it_reads_the_specification_s_own_examples() -> None:
    trace = from_json(recorded("otlp", "otelproto-trace.json").read_bytes())
    assert trace.spans[0].trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert (trace.spans[0].name, trace.spans[0].attributes) == ("I'm a server span", {"my.span.attr": "some value"})
    logs = from_json(recorded("otlp", "otelproto-logs.json").read_bytes(), Signal.LOGS)
    assert logs.logs[0].attributes["double.attribute"] == 637.704
    events = from_json(recorded("otlp", "otelproto-events.json").read_bytes(), Signal.LOGS)
    assert events.logs[0].event_name == "browser.page_view"
    metrics = from_json(recorded("otlp", "otelproto-metrics.json").read_bytes(), Signal.METRICS)
    assert [point.name for point in metrics.metrics[:2]] == ["my.counter", "my.gauge"]
    assert not (trace.rejections + logs.rejections + events.rejections + metrics.rejections)


def test_it_reads_the_recorded_jaeger_traces() -> None:
    linked = from_json(recorded("otlp", "jaeger-link_attributes_trace.json").read_bytes())
    assert linked.spans[0].links[0].attributes["opentracing.ref_type"] == "child_of"
    spans = from_json(recorded("otlp", "jaeger-otel_traces_01.json").read_bytes()).spans
    assert spans[0].attributes["blob"] == b"\x00\x0009"
