"""OTLP in protobuf: what a body says, what is refused of it, and how cheaply a hostile one is turned away."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from monitoring.decode import decode, spans_of
from monitoring.decode.values import CUT, DEEPER, MAX_TEXT
from monitoring.records import Encoding, MalformedPayload, Signal, SpanKind, StatusCode

from .wire import (
    RECEIVED,
    START,
    TRACE,
    from_protobuf,
    in_scope,
    length_delimited,
    payload,
    recorded,
    request_of,
    spans_in,
    varint,
    wire,
)


def test_it_reads_every_part_of_a_span() -> None:
    request = request_of(1)
    span = spans_in(request)[0]
    span.parent_span_id = b"parentid"
    span.status.code = 2
    span.status.message = "no answer"
    span.attributes.add(key="mes.order.id").value.string_value = "PO-4711"
    span.attributes.add(key="retries").value.int_value = -3
    span.attributes.add(key="ok").value.bool_value = False
    span.attributes.add(key="share").value.double_value = 0.5
    span.attributes.add(key="raw").value.bytes_value = b"\x00\xff"
    span.attributes.add(key="empty")
    span.attributes.add(key="list").value.array_value.values.add().int_value = 7
    span.attributes.add(key="map").value.kvlist_value.values.add(key="a").value.string_value = "b"
    span.events.add(name="exception", time_unix_nano=START + 1).attributes.add(key="t").value.string_value = "E"
    span.links.add(trace_id=TRACE, span_id=b"12345678").attributes.add(key="l").value.bool_value = True
    record = from_protobuf(wire(request)).spans[0]
    assert (record.trace_id, record.span_id, record.parent_span_id) == (TRACE, bytes(7) + b"\x01", b"parentid")
    assert (record.name, record.kind, record.start_ns, record.end_ns) == ("s0", SpanKind.CONSUMER, START, START + 5)
    assert (record.status, record.status_message, record.scope_name) == (StatusCode.ERROR, "no answer", "plant")
    assert record.resource == {"service.name": "mes-bridge"}
    assert record.attributes == {
        "mes.order.id": "PO-4711",
        "retries": -3,
        "ok": False,
        "share": 0.5,
        "raw": b"\x00\xff",
        "empty": None,
        "list": [7],
        "map": {"a": "b"},
    }
    assert [(event.name, event.time_ns, event.attributes) for event in record.events] == [
        ("exception", START + 1, {"t": "E"})
    ]
    assert [(link.trace_id, link.span_id, link.attributes) for link in record.links] == [
        (TRACE, b"12345678", {"l": True})
    ]


def test_it_shares_one_resource_between_the_spans_of_a_group() -> None:
    first, second = from_protobuf(wire(request_of(2))).spans
    assert first.resource is second.resource


def test_it_takes_an_empty_request() -> None:
    assert from_protobuf(b"") == from_protobuf(in_scope(b""))
    assert from_protobuf(b"").spans == ()


POISON: dict[str, tuple[dict[str, Any], str]] = {
    "traceid-zero": ({"trace_id": bytes(16)}, "the trace id is all zeros"),
    "traceid-15-bytes": ({"trace_id": b"x" * 15}, "the trace id has 15 bytes, not 16"),
    "traceid-missing": ({"trace_id": b""}, "the trace id is missing"),
    "spanid-zero": ({"span_id": bytes(8)}, "the span id is all zeros"),
    "spanid-9-bytes": ({"span_id": b"x" * 9}, "the span id has 9 bytes, not 8"),
    "parentid-7-bytes": ({"parent_span_id": b"x" * 7}, "the parent span id has 7 bytes, not 8"),
    "end-before-start": ({"end_time_unix_nano": START - 1}, "the span ends 1 ns before it starts"),
    "time-0": ({"start_time_unix_nano": 0}, "the start time is missing"),
    "time-2^64-1": ({"start_time_unix_nano": 2**64 - 1}, "outside the years 1970 to 2200"),
    "year-2262": ({"end_time_unix_nano": 9_223_372_036_854_775_807}, "outside the years 1970 to 2200"),
}


@pytest.mark.parametrize("name", POISON)
def test_it_refuses_a_poison_span_alone(name: str) -> None:
    changes, reason = POISON[name]
    request = request_of(100)
    for field, value in changes.items():
        setattr(spans_in(request)[57], field, value)
    decoded = from_protobuf(wire(request))
    assert [span.name for span in decoded.spans] == [f"s{n}" for n in range(100) if n != 57]
    assert [rejection.index for rejection in decoded.rejections] == [57]
    assert reason in decoded.rejections[0].reason


UNREADABLE = {
    "invalid-utf8-string": length_delimited(5, b"Pr\xfcfung"),
    "anyvalue-nest-60": b"",
    "varint-11-bytes": b"\x30" + b"\xff" * 10 + b"\x01",
    "open-group": b"\x7b",
}
_nested = b""
for _ in range(60):
    _nested = length_delimited(5, length_delimited(1, _nested))
UNREADABLE["anyvalue-nest-60"] = length_delimited(9, length_delimited(2, _nested))


@pytest.mark.parametrize("name", UNREADABLE)
def test_it_refuses_a_span_that_protobuf_can_not_parse_alone(name: str) -> None:
    good = [wire(span) for span in spans_in(request_of(2))]
    items = (good[0], good[0] + UNREADABLE[name], good[1])
    decoded = from_protobuf(in_scope(b"".join(length_delimited(2, item) for item in items)))
    assert [span.name for span in decoded.spans] == ["s0", "s1"]
    assert [rejection.index for rejection in decoded.rejections] == [1]
    assert "can't be parsed" in decoded.rejections[0].reason


def test_it_counts_the_index_over_all_groups() -> None:
    request = request_of(2)
    request.resource_spans.add().scope_spans.add().spans.add(name="poison")
    assert from_protobuf(wire(request)).rejections[0].index == 2


def test_it_cuts_values_that_nest_deeper_than_32() -> None:
    request = request_of(1)
    value = spans_in(request)[0].attributes.add(key="deep").value
    for _ in range(40):
        value = value.array_value.values.add()
    found = from_protobuf(wire(request)).spans[0].attributes["deep"]
    for _ in range(32):
        assert isinstance(found, list)
        found = found[0]
    assert found == DEEPER


def test_it_replaces_nul_in_text_and_keys() -> None:
    request = request_of(1)
    span = spans_in(request)[0]
    span.name = "a\x00b"
    span.attributes.add(key="k\x00").value.string_value = "v\x00"
    record = from_protobuf(wire(request)).spans[0]
    assert (record.name, record.attributes) == ("a\ufffdb", {"k\ufffd": "v\ufffd"})


@pytest.mark.parametrize("character", ["x", "ü", "🚧"])
def test_it_cuts_long_text_at_32_kib_of_utf8(character: str) -> None:
    request = request_of(1)
    spans_in(request)[0].attributes.add(key="k").value.string_value = character * (2 << 20)
    found = from_protobuf(wire(request)).spans[0].attributes["k"]
    assert isinstance(found, str)
    assert MAX_TEXT - 4 <= len(found.encode()) <= MAX_TEXT
    assert found.endswith(CUT)
    assert found.removesuffix(CUT).strip(character) == ""


def test_it_keeps_text_of_exactly_32_kib() -> None:
    request = request_of(1)
    spans_in(request)[0].status.message = "x" * MAX_TEXT
    assert from_protobuf(wire(request)).spans[0].status_message == "x" * MAX_TEXT


def test_it_names_floats_that_are_not_finite() -> None:
    request = request_of(1)
    for key in ("nan", "inf", "-inf"):
        spans_in(request)[0].attributes.add(key=key).value.double_value = float(key)
    attributes = from_protobuf(wire(request)).spans[0].attributes
    assert attributes == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def test_it_reads_unknown_enum_numbers_as_unspecified() -> None:
    request = request_of(1)
    spans_in(request)[0].kind = 99
    spans_in(request)[0].status.code = -4
    record = from_protobuf(wire(request)).spans[0]
    assert (record.kind, record.status) == (SpanKind.UNSPECIFIED, StatusCode.UNSET)


def test_it_takes_an_unknown_end_and_a_zero_parent() -> None:
    request = request_of(1)
    spans_in(request)[0].end_time_unix_nano = 0
    spans_in(request)[0].parent_span_id = bytes(8)
    record = from_protobuf(wire(request)).spans[0]
    assert (record.end_ns, record.parent_span_id) == (0, None)


def test_it_reads_the_last_of_two_oneof_members() -> None:
    request = request_of(1)
    twice = AnyValue(string_value="a").SerializeToString() + AnyValue(int_value=5).SerializeToString()
    spans_in(request)[0].attributes.add(key="k").value.MergeFromString(twice)
    assert from_protobuf(wire(request)).spans[0].attributes == {"k": 5}


@pytest.mark.parametrize(
    "body",
    [b"\x0a\xff\xff\xff\xff\x07", b"\x0a\x05\x12", b"\x0f", b"not protobuf", b"\x0a" + b"\xff" * 11],
    ids=["length-prefix-2GiB", "truncated", "wire-type-7", "text", "varint-11-bytes"],
)
def test_it_calls_a_broken_frame_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload, match="protobuf body"):
        from_protobuf(body)


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS, Signal.METRICS])
def test_it_answers_every_prefix_of_a_body_with_records_or_malformed(signal: Signal) -> None:
    body = wire(request_of(3))
    for length in range(len(body)):
        try:
            from_protobuf(body[:length], signal)
        except MalformedPayload:
            continue


def test_it_reads_logs() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    log = scope.log_records.add(time_unix_nano=START, severity_number=17, severity_text="ERROR", event_name="hold")
    log.trace_id, log.span_id = TRACE, b"12345678"
    log.body.kvlist_value.values.add(key="order").value.string_value = "4711"
    scope.log_records.add(severity_number=99).body.string_value = "no time"
    scope.log_records.add(trace_id=b"short")
    decoded = from_protobuf(wire(request), Signal.LOGS)
    first, second = decoded.logs
    assert (first.time_ns, first.severity_number, first.severity_text) == (START, 17, "ERROR")
    assert (first.trace_id, first.span_id, first.event_name) == (TRACE, b"12345678", "hold")
    assert first.body == {"order": "4711"}
    assert (second.time_ns, second.severity_number, second.trace_id) == (int(RECEIVED.timestamp()) * 10**9, 0, None)
    assert [rejection.index for rejection in decoded.rejections] == [2]


def test_it_reads_metrics() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="queue.depth", unit="1").gauge.data_points.add(time_unix_nano=START, as_int=12)
    metrics.add(name="kg", unit="kg").sum.data_points.add(time_unix_nano=START, as_double=1.5)
    metrics.add(name="wait", unit="s").histogram.data_points.add(time_unix_nano=START, count=4, sum=9.5)
    metrics.add(name="grow").exponential_histogram.data_points.add(time_unix_nano=START, count=2)
    metrics.add(name="old", unit="s").summary.data_points.add(time_unix_nano=START, count=3, sum=6)
    metrics.add(name="bad").gauge.data_points.add(time_unix_nano=START, as_double=float("nan"))
    metrics.add(name="gap").gauge.data_points.add(time_unix_nano=START, flags=1)
    metrics.add(name="nothing")
    decoded = from_protobuf(wire(request), Signal.METRICS)
    assert [(point.name, point.unit, point.value) for point in decoded.metrics] == [
        ("queue.depth", "1", 12.0),
        ("kg", "kg", 1.5),
        ("wait.count", "1", 4.0),
        ("wait.sum", "s", 9.5),
        ("grow.count", "1", 2.0),
        ("old.count", "1", 3.0),
        ("old.sum", "s", 6.0),
    ]
    assert [(rejection.index, rejection.item_id) for rejection in decoded.rejections] == [(5, "bad")]


def test_it_reads_one_trace_back() -> None:
    request = request_of(3)
    spans_in(request)[1].trace_id = b"another trace id"
    asked = payload(Signal.TRACES, Encoding.PROTOBUF, wire(request))
    assert spans_of(asked, TRACE) == tuple(span for span in decode(asked).spans if span.trace_id == TRACE)
    assert [span.name for span in spans_of(asked, b"another trace id")] == ["s1"]
    assert spans_of(asked, b"not in the body!") == ()


def test_it_reads_the_recorded_celery_spans() -> None:
    bodies = sorted(recorded("captured", "celery-otlp").glob("*.bin"))
    decoded = [from_protobuf(body.read_bytes()) for body in bodies]
    spans = [span for one in decoded for span in one.spans]
    assert not any(one.rejections for one in decoded)
    assert {span.resource.get("service.name") for span in spans}
    states = {span.attributes.get("celery.state") for span in spans}
    assert {"SUCCESS", "RETRY", "FAILURE"} <= states
    for body, one in zip(bodies, decoded, strict=True):
        asked = payload(Signal.TRACES, Encoding.PROTOBUF, body.read_bytes())
        for trace_id in {span.trace_id for span in one.spans}:
            assert spans_of(asked, trace_id) == tuple(span for span in one.spans if span.trace_id == trace_id)


def test_it_survives_a_length_that_lies_inside_a_span() -> None:
    good = wire(spans_in(request_of(1))[0])
    lying = good + b"\x4a" + varint(2**31)
    decoded = from_protobuf(in_scope(length_delimited(2, lying) + length_delimited(2, good)))
    assert (len(decoded.spans), [rejection.index for rejection in decoded.rejections]) == (1, [0])


def test_a_field_without_a_number_is_no_protobuf() -> None:
    with pytest.raises(MalformedPayload, match="without a number"):
        from_protobuf(b"\x00\x00")
