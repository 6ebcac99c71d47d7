"""What a protobuf body holds, counted before protobuf allocates for it: floods are refused, cheaply, and no others."""

from __future__ import annotations

import gzip
import time
import tracemalloc

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from monitoring.decode import Limits, spans_of
from monitoring.decode.envelope import groups
from monitoring.decode.wire_scan import check
from monitoring.receive.body import decompress
from monitoring.records import Encoding, MalformedPayload, PayloadTooLarge, Signal

from .wire import TRACE, from_protobuf, in_scope, in_span, length_delimited, payload, request_of, spans_in, wire

FLOODS = {
    "five-million-empty-spans": (in_scope(b"\x12\x00" * 5_000_000), "20,000 spans"),
    "five-million-empty-resources": (b"\x0a\x00" * 5_000_000, "50,000 resource and scope groups"),
    "one-span-1M-attributes": (in_span(b"\x4a\x07\x0a\x01a\x12\x02\x10\x01" * 1_000_000), "200,000 attributes"),
    "one-span-100k-events": (in_span(b"\x5a\x03\x12\x01e" * 100_000), "50,000 span events"),
    "one-span-100k-links": (in_span(b"\x6a\x02\x28\x01" * 100_000), "50,000 span links"),
    "overlong-tags": (in_scope(b"\x92\x80\x00\x00" * 1_000_000), "20,000 spans"),
    "one-attribute-2M-values": (
        in_span(length_delimited(9, length_delimited(2, length_delimited(5, b"\x0a\x00" * 2_000_000)))),
        "100,000 nested values",
    ),
    "oneof-members-in-turn": (
        in_span(length_delimited(9, length_delimited(2, b"\x2a\x00\x32\x00" * 1_000_000))),
        "100,000 nested values",
    ),
    "five-million-unknown-fields-in-a-span": (in_span(b"\x78\x01" * 5_000_000), "50,000 fields that OTLP has no use"),
    "unknown-fields-60MiB": (b"\x78\x01" * (30 << 20), "50,000 fields that OTLP has no use"),
    "unknown-fields-shaped-like-tags": (in_span(b"\x78\x4a" * 1_500_000), "50,000 fields that OTLP has no use"),
    "one-name-two-million-times": (in_span(b"\x2a\x01J" * 2_000_000), "50,000 fields that OTLP has no use"),
    "sgroup-flood": (in_span(b"\x7b\x7c" * 5_000_000), "50,000 fields that OTLP has no use"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_it_refuses_a_flood_before_protobuf_allocates(name: str) -> None:
    body, limit = FLOODS[name]
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge, match=limit):
        from_protobuf(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_it_refuses_five_million_empty_spans_in_10_kb() -> None:
    bomb = gzip.compress(FLOODS["five-million-empty-spans"][0])
    assert len(bomb) < 11_000
    assert min(_seconds_to_refuse(bomb) for _ in range(3)) < 0.1


def test_it_takes_as_many_spans_as_it_says_each_described_as_usual() -> None:
    """The Collector sends 8,192 spans at once by default; the limit on spans is the one that a sender meets first."""
    request = request_of(20_000)
    for span in spans_in(request):
        for number in range(9):
            span.attributes.add(key=f"http.attribute.{number}").value.string_value = f"value {number}"
    assert len(from_protobuf(wire(request)).spans) == 20_000


def test_it_reads_again_what_it_took_in_a_group_for_each_span() -> None:
    request = ExportTraceServiceRequest()
    for span in spans_in(request_of(20_000)):
        group = request.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = "mes-bridge"
        scope = group.scope_spans.add()
        scope.scope.name = "plant"
        scope.spans.add().CopyFrom(span)
    body = wire(request)
    assert len(from_protobuf(body).spans) == 20_000
    assert len(spans_of(payload(Signal.TRACES, Encoding.PROTOBUF, body), TRACE)) == 20_000


def _seconds_to_refuse(bomb: bytes) -> float:
    begun = time.process_time()
    body = decompress(bomb, "gzip", 64 << 20)
    with pytest.raises(PayloadTooLarge):
        from_protobuf(body)
    return time.process_time() - begun


def test_it_refuses_packed_buckets_that_would_grow_eightfold() -> None:
    buckets = length_delimited(8, length_delimited(2, bytes(5_000_000)))
    metric = length_delimited(10, length_delimited(1, buckets))
    with pytest.raises(PayloadTooLarge, match="nested values"):
        from_protobuf(in_scope(length_delimited(2, metric)), Signal.METRICS)


def test_it_holds_each_limit_exactly() -> None:
    body = wire(request_of(50))
    check(Signal.TRACES, body, Limits(items=50))
    with pytest.raises(PayloadTooLarge, match="more than 49 spans"):
        check(Signal.TRACES, body, Limits(items=49))


@pytest.mark.parametrize("name", ["unknown-fields", "sgroup-flood"])
def test_it_passes_what_protobuf_skips_cheaply(name: str) -> None:
    filler = b"\x78\x01" if name == "unknown-fields" else b"\x7b\x7c"
    good = wire(spans_in(request_of(1))[0])
    assert len(from_protobuf(in_span(good + filler * 500_000)).spans) == 1


@pytest.mark.parametrize(
    "group",
    [
        b"\x7b\x7c",
        b"\x7b\x83\x01\x7a\x02ab\x84\x01\x78\x05\x7c",
        b"\x0b\x12\x02\x0a\x00\x0c",
        b"\x7b\x02\x00\x00\x05\x7c",
    ],
    ids=["empty", "nested", "number-of-a-field", "no-number-inside"],
)
def test_it_reads_again_what_stands_beside_a_group_that_protobuf_passes_over(group: bytes) -> None:
    span = length_delimited(2, wire(spans_in(request_of(1))[0]))
    body = group + length_delimited(1, group + length_delimited(2, group + span)) + group
    assert len(from_protobuf(body).spans) == 1
    assert len(spans_of(payload(Signal.TRACES, Encoding.PROTOBUF, body), TRACE)) == 1


@pytest.mark.parametrize("group", [b"\x7b", b"\x7b\x84\x01", b"\x7c"], ids=["open", "crossed", "never-begun"])
def test_it_calls_a_group_without_its_end_malformed(group: bytes) -> None:
    with pytest.raises(MalformedPayload):
        from_protobuf(in_scope(b"") + group)


def test_it_looks_no_further_than_a_budget_for_what_broke_a_body() -> None:
    with pytest.raises(MalformedPayload, match="more than 400000 fields around its items"):
        list(groups(b"\x78\x01" * 400_001))
