"""What holds for any input: both OTLP encodings say the same, and no bytes end in anything but a named error."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from monitoring.decode import LIMITS, decode
from monitoring.decode.wire_scan import check
from monitoring.records import Encoding, MalformedPayload, PayloadTooLarge, Signal

from .wire import SPAN, START, TRACE, from_json, from_protobuf, payload, wire

# The same request in both encodings: what a client means must not depend on how it writes it.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=12),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
attribute_maps = st.dictionaries(texts, values, max_size=4)
nanoseconds = st.integers(0, 2**64 - 1) | st.integers(START, START + 9)
identifiers = st.sampled_from([b"", bytes(8), bytes(16), b"short", SPAN, TRACE]) | st.binary(min_size=16, max_size=16)
spans = st.fixed_dictionaries(
    {
        "trace_id": identifiers,
        "span_id": st.binary(min_size=7, max_size=9),
        "parent_span_id": st.sampled_from([b"", bytes(8), SPAN, b"odd"]),
        "name": texts,
        "kind": st.integers(-2, 99),
        "start": nanoseconds,
        "end": nanoseconds,
        "code": st.integers(-1, 5),
        "message": texts,
        "attributes": attribute_maps,
        "events": st.lists(st.tuples(texts, nanoseconds, attribute_maps), max_size=2),
        "links": st.lists(st.tuples(identifiers, identifiers, attribute_maps), max_size=2),
    }
)


def as_protobuf(scope: str, resource: dict[str, Any], found: list[dict[str, Any]]) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    put(group.resource.attributes, resource)
    scoped = group.scope_spans.add()
    scoped.scope.name = scope
    for one in found:
        span = scoped.spans.add(
            trace_id=one["trace_id"],
            span_id=one["span_id"],
            parent_span_id=one["parent_span_id"],
            name=one["name"],
            kind=one["kind"],
            start_time_unix_nano=one["start"],
            end_time_unix_nano=one["end"],
        )
        span.status.code, span.status.message = one["code"], one["message"]
        put(span.attributes, one["attributes"])
        for name, at, pairs in one["events"]:
            put(span.events.add(name=name, time_unix_nano=at).attributes, pairs)
        for trace_id, span_id, pairs in one["links"]:
            put(span.links.add(trace_id=trace_id, span_id=span_id).attributes, pairs)
    return wire(request)


def put(pairs: Any, mapping: dict[str, Any]) -> None:
    for key, value in mapping.items():
        pairs.add(key=key).value.CopyFrom(any_value(value))


def any_value(value: Any) -> AnyValue:
    made = AnyValue()
    if isinstance(value, list):
        made.array_value.values.extend(map(any_value, value))
        made.array_value.SetInParent()
    elif isinstance(value, dict):
        put(made.kvlist_value.values, value)
        made.kvlist_value.SetInParent()
    else:
        names = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
        setattr(made, names[type(value)], value)
    return made


def as_json(scope: str, resource: dict[str, Any], found: list[dict[str, Any]]) -> bytes:
    scoped = {"scope": {"name": scope}, "spans": [json_of(one) for one in found]}
    group = {"resource": {"attributes": pairs_of(resource)}, "scopeSpans": [scoped]}
    return orjson.dumps({"resourceSpans": [group]})


def json_of(one: dict[str, Any]) -> dict[str, object]:
    return {
        "traceId": one["trace_id"].hex(),
        "spanId": one["span_id"].hex(),
        "parentSpanId": one["parent_span_id"].hex(),
        "name": one["name"],
        "kind": one["kind"],
        "startTimeUnixNano": str(one["start"]),
        "endTimeUnixNano": one["end"],
        "status": {"code": one["code"], "message": one["message"]},
        "attributes": pairs_of(one["attributes"]),
        "events": [
            {"name": name, "timeUnixNano": str(at), "attributes": pairs_of(pairs)} for name, at, pairs in one["events"]
        ],
        "links": [
            {"traceId": trace_id.hex(), "spanId": span_id.hex(), "attributes": pairs_of(pairs)}
            for trace_id, span_id, pairs in one["links"]
        ],
    }


def pairs_of(mapping: dict[str, Any]) -> list[object]:
    return [{"key": key, "value": json_value(value)} for key, value in mapping.items()]


def json_value(value: Any) -> dict[str, object]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        special = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return {"doubleValue": value if math.isfinite(value) else special}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"arrayValue": {"values": [json_value(item) for item in value]}}
    return {"kvlistValue": {"values": pairs_of(value)}}


@settings(max_examples=200, deadline=None)
@given(texts, attribute_maps, st.lists(spans, max_size=4))
def test_it_reads_the_same_records_from_both_encodings(
    scope: str, resource: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    from_wire = from_protobuf(as_protobuf(scope, resource, found))
    from_text = from_json(as_json(scope, resource, found))
    assert from_text.spans == from_wire.spans
    assert [(one.index, one.reason) for one in from_text.rejections] == [
        (one.index, one.reason) for one in from_wire.rejections
    ]


@settings(max_examples=100, deadline=None)
@given(attribute_maps, st.lists(spans, max_size=4))
def test_it_counts_on_the_wire_what_protobuf_then_parses(resource: dict[str, Any], found: list[dict[str, Any]]) -> None:
    body = as_protobuf("plant", resource, found)
    events = [event for span in found for event in span["events"]]
    links = [link for span in found for link in span["links"]]
    maps = [resource, *(span["attributes"] for span in found), *(one[2] for one in events + links)]
    # Maps inside of values count as values, so the attributes of a request are those that stand at its top.
    counts = {"items": len(found), "events": len(events), "links": len(links), "attributes": sum(map(len, maps))}
    check(Signal.TRACES, body, replace(LIMITS, **counts))
    for limit, count in counts.items():
        if count:
            with pytest.raises(PayloadTooLarge):
                check(Signal.TRACES, body, replace(LIMITS, **counts | {limit: count - 1}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([Signal.TRACES, Signal.LOGS, Signal.METRICS]))
def test_it_answers_any_bytes_with_records_or_malformed(body: bytes, signal: Signal) -> None:
    for encoding in (Encoding.JSON, Encoding.PROTOBUF):
        try:
            decode(payload(signal, encoding, body))
        except MalformedPayload:
            continue


json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "events", "traceId"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(json_documents)
def test_it_answers_any_document_with_records_or_malformed(document: object) -> None:
    try:
        from_json({"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}, {"resource": document}]})
    except MalformedPayload:
        return
