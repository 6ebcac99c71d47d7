"""OTLP bodies for the conformance tests, in both encodings, each in a trace of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.monitoring.wire import in_scope, json_request, json_span, length_delimited, varint, wire

JSON, PROTOBUF = "application/json", "application/x-protobuf"
#: 2026-09-21: late enough for the figures, early enough to be over.
START = 1_790_000_000_000_000_000
_number = itertools.count(1)


def new_trace() -> bytes:
    """A trace id that no other test uses."""
    return b"conform!" + next(_number).to_bytes(8, "big")


def pb_span(trace: bytes, number: int = 1, **changes: Any) -> Any:
    """A good protobuf span with some fields changed."""
    given: dict[str, Any] = {
        "trace_id": trace,
        "span_id": number.to_bytes(8, "big"),
        "name": f"step {number}",
        "kind": 5,
        "start_time_unix_nano": START,
        "end_time_unix_nano": START + 5,
    }
    return Span(**given | changes)


def pb_field(number: int, value: int) -> bytes:
    """A protobuf field that holds a number."""
    return varint(number << 3) + varint(value)


def pb_batch(*spans: bytes | Any) -> bytes:
    """An export of spans, given as messages or as bytes that need not be a message."""
    return in_scope(b"".join(length_delimited(2, one if isinstance(one, bytes) else wire(one)) for one in spans))


def js_span(trace: bytes, number: int = 1, **changes: object) -> dict[str, object]:
    """A good OTLP/JSON span with some members changed; ... leaves one out."""
    return json_span(**{"traceId": trace.hex(), "spanId": f"{number:016x}", "name": f"step {number}", **changes})


def js_batch(*spans: object) -> bytes:
    """An OTLP/JSON export of spans."""
    return json.dumps(json_request(*spans)).encode()


def js_pairs(**values: object) -> list[Mapping[str, object]]:
    """Attributes of an OTLP/JSON span, their values given as AnyValue."""
    return [{"key": key, "value": value} for key, value in values.items()]


def text_attribute(size: int, *, key: bytes = b"k") -> bytes:
    """The attribute field of a protobuf span whose text is `size` bytes long."""
    return length_delimited(9, length_delimited(1, key) + length_delimited(2, length_delimited(1, b"x" * size)))
