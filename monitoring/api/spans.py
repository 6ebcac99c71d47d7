"""What a span looks like in JSON."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.api.references import hexadecimal
from monitoring.records import Attributes, SpanRecord, Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OBJECT = {"type": "object", "additionalProperties": True}


class SpanEventShape(serializers.Serializer[Any]):
    """A timed note inside a span."""

    name = serializers.CharField()
    at = serializers.DateTimeField()
    attributes = serializers.DictField()


class SpanLinkShape(serializers.Serializer[Any]):
    """A reference to another span."""

    trace_id = serializers.CharField()
    span_id = serializers.CharField()
    attributes = serializers.DictField()


class SpanShape(serializers.Serializer[Any]):
    """One span. Times are rounded to microseconds; `start_unix_nano` and `end_unix_nano` are exact."""

    trace_id = serializers.SerializerMethodField()
    span_id = serializers.SerializerMethodField()
    parent_span_id = serializers.SerializerMethodField()
    name = serializers.CharField()
    kind = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    status_message = serializers.CharField()
    service = serializers.SerializerMethodField()
    scope = serializers.CharField(source="scope_name")
    started_at = serializers.SerializerMethodField()
    start_unix_nano = serializers.CharField(source="start_ns")
    end_unix_nano = serializers.CharField(source="end_ns")
    duration_ms = serializers.SerializerMethodField()
    attributes = serializers.SerializerMethodField()
    resource = serializers.SerializerMethodField()
    events = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    def get_trace_id(self, span: SpanRecord) -> str:
        """Return it in hexadecimal."""
        return span.trace_id.hex()

    def get_span_id(self, span: SpanRecord) -> str:
        """Return it in hexadecimal."""
        return span.span_id.hex()

    def get_parent_span_id(self, span: SpanRecord) -> str | None:
        """Return it in hexadecimal, null for a root."""
        return hexadecimal(span.parent_span_id)

    def get_kind(self, span: SpanRecord) -> str:
        """Return OTLP's word in lower case."""
        return span.kind.name.lower()

    def get_status(self, span: SpanRecord) -> str:
        """Return OTLP's word in lower case."""
        return span.status.name.lower()

    def get_service(self, span: SpanRecord) -> str:
        """Return the program it ran in."""
        return str(span.resource.get("service.name") or "")

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_started_at(self, span: SpanRecord) -> str | None:
        """Return its start."""
        return _instant(span.start_ns)

    def get_duration_ms(self, span: SpanRecord) -> float | None:
        """Return how long it took, null where its end was never sent."""
        return round((span.end_ns - span.start_ns) / 1_000_000, 6) if span.end_ns else None

    @extend_schema_field(_OBJECT)
    def get_attributes(self, span: SpanRecord) -> dict[str, Any]:
        """Return its attributes."""
        return plain_attributes(span.attributes)

    @extend_schema_field(_OBJECT)
    def get_resource(self, span: SpanRecord) -> dict[str, Any]:
        """Return the attributes of what it ran on."""
        return plain_attributes(span.resource)

    @extend_schema_field(SpanEventShape(many=True))
    def get_events(self, span: SpanRecord) -> list[dict[str, Any]]:
        """Return its timed notes."""
        return [
            {"name": event.name, "at": _instant(event.time_ns), "attributes": plain_attributes(event.attributes)}
            for event in span.events
        ]

    @extend_schema_field(SpanLinkShape(many=True))
    def get_links(self, span: SpanRecord) -> list[dict[str, Any]]:
        """Return the spans it refers to."""
        return [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": plain_attributes(link.attributes),
            }
            for link in span.links
        ]


class SpanPage(serializers.Serializer[Any]):
    """All spans of a run; there is never a second page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SpanShape(many=True)


def plain_attributes(attributes: Attributes) -> dict[str, Any]:
    """Return attributes in JSON's shapes."""
    return {name: plain(value) for name, value in attributes.items()}


def plain(value: Value) -> Any:
    """Return a value in JSON's shapes: bytes in base64, numbers that JSON lacks as their names."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            return str(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return plain_attributes(value)
    return value


def _instant(nanoseconds: int) -> str | None:
    """A sender's clock may say anything; what no calendar holds is null, and its digits are in the exact fields."""
    try:
        moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
    return moment.isoformat().replace("+00:00", "Z")
