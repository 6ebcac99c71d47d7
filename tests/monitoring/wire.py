"""Requests for the wire tests: small ones built by hand, hostile ones byte by byte, and where recorded ones lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from monitoring.decode import decode
from monitoring.records import Decoded, Encoding, Payload, Signal

RECORDED = Path(__file__).parents[2].parent / "shared" / "data"
RECEIVED = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
START = 1_790_000_000_000_000_000
TRACE = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
SPAN = bytes.fromhex("00f067aa0ba902b7")


def recorded(*parts: str) -> Path:
    """The recorded input of this name; the test is skipped, visibly, where it is absent."""
    path = RECORDED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the recorded input {'/'.join(parts)} is not on this machine")
    return path


def payload(signal: Signal, encoding: Encoding, body: bytes, headers: Mapping[str, str] | None = None) -> Payload:
    return Payload(signal, encoding, body, headers or {}, RECEIVED)


def from_protobuf(body: bytes, signal: Signal = Signal.TRACES) -> Decoded:
    return decode(payload(signal, Encoding.PROTOBUF, body))


def from_json(document: object, signal: Signal = Signal.TRACES) -> Decoded:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode(payload(signal, Encoding.JSON, body))


def request_of(count: int) -> Any:
    """A trace export of `count` good spans named s0, s1, ... in one scope."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    pair = group.resource.attributes.add(key="service.name")
    pair.value.string_value = "mes-bridge"
    scope = group.scope_spans.add()
    scope.scope.name = "plant"
    for number in range(count):
        scope.spans.add(
            trace_id=TRACE,
            span_id=(number + 1).to_bytes(8, "big"),
            name=f"s{number}",
            kind=5,
            start_time_unix_nano=START,
            end_time_unix_nano=START + 5,
        )
    return request


def spans_in(request: Any) -> Any:
    return request.resource_spans[0].scope_spans[0].spans


def wire(message: Message) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def json_span(**changes: object) -> dict[str, object]:
    """A good OTLP/JSON span with some members changed; a change to ... leaves the member out."""
    span: dict[str, object] = {
        "traceId": TRACE.hex(),
        "spanId": SPAN.hex(),
        "name": "release",
        "kind": 5,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5),
    }
    span |= changes
    return {key: value for key, value in span.items() if value is not ...}


def json_request(*spans: object, resource: object = None) -> dict[str, object]:
    scoped = {"scope": {"name": "plant"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]}


def length_delimited(number: int, data: bytes) -> bytes:
    """A protobuf field with bytes, a text or a message in it."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def in_scope(spans: bytes) -> bytes:
    """An export request with the given fields in its one scope."""
    return length_delimited(1, length_delimited(2, spans))


def in_span(fields: bytes) -> bytes:
    """An export request with the given fields in its one span."""
    return in_scope(length_delimited(2, fields))
