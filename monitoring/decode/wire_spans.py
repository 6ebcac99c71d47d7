"""OTLP's trace messages with their leaves left as bytes.

The wire is the same as opentelemetry-proto's; only the declaration differs: attributes, events, links, status,
resource, scope and names are declared as bytes. So the parser need not make an object of each attribute, and what the
bytes say can be remembered (see `remembered`): five times cheaper than walking the full messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_BYTES = FieldDescriptorProto.TYPE_BYTES
_INT32 = FieldDescriptorProto.TYPE_INT32
_FIXED64 = FieldDescriptorProto.TYPE_FIXED64
_PACKAGE = "andon.wire"


class WireSpan(Protocol):
    """One span; `status` and the other messages inside are their bytes. A message sent twice is two entries."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: bytes
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int
    attributes: Sequence[bytes]
    events: Sequence[bytes]
    links: Sequence[bytes]
    status: Sequence[bytes]


class WireScope(Protocol):
    """The spans of one scope."""

    scope: Sequence[bytes]
    spans: Iterable[WireSpan]


class WireResource(Protocol):
    """The scopes of one resource."""

    resource: Sequence[bytes]
    scope_spans: Iterable[WireScope]


class WireRequest(Protocol):
    """A whole ExportTraceServiceRequest."""

    resource_spans: Iterable[WireResource]


class _Message(Protocol):
    @staticmethod
    def FromString(data: bytes) -> object: ...  # noqa: N802  protobuf's own name.


def _declared() -> tuple[_Message, _Message]:
    file = FileDescriptorProto(name="andon/wire_spans.proto", package=_PACKAGE, syntax="proto3")

    def message(name: str, single: dict[str, tuple[int, int]], several: dict[str, tuple[int, str]]) -> None:
        made = file.message_type.add(name=name)
        for field, (number, kind) in single.items():
            made.field.add(
                name=field, number=number, type=cast("FieldDescriptorProto.Type.ValueType", kind),
                label=FieldDescriptorProto.LABEL_OPTIONAL,
            )  # fmt: skip
        for field, (number, inner) in several.items():
            added = made.field.add(name=field, number=number, label=FieldDescriptorProto.LABEL_REPEATED, type=_BYTES)
            if inner:
                added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{inner}"

    message(
        "Span",
        {
            "trace_id": (1, _BYTES), "span_id": (2, _BYTES), "parent_span_id": (4, _BYTES), "name": (5, _BYTES),
            "kind": (6, _INT32), "start_time_unix_nano": (7, _FIXED64), "end_time_unix_nano": (8, _FIXED64),
        },
        {"attributes": (9, ""), "events": (11, ""), "links": (13, ""), "status": (15, "")},
    )  # fmt: skip
    message("ScopeSpans", {}, {"scope": (1, ""), "spans": (2, "Span")})
    message("ResourceSpans", {}, {"resource": (1, ""), "scope_spans": (2, "ScopeSpans")})
    message("Request", {}, {"resource_spans": (1, "ResourceSpans")})
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    request, span = (
        cast("_Message", GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")))
        for name in ("Request", "Span")
    )
    return request, span


_Request, _Span = _declared()


def wire_request(body: bytes) -> WireRequest:
    """Parse a request's frame; raises protobuf's DecodeError where the frame or a span's own fields are broken."""
    return cast("WireRequest", _Request.FromString(body))


def wire_span(data: bytes) -> WireSpan:
    """Parse one span; raises protobuf's DecodeError where its own fields are broken."""
    return cast("WireSpan", _Span.FromString(data))
