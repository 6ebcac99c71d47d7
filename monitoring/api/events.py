"""events/: business events (CloudEvents) as they were understood, and one by one with their data."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import BusinessKeyShape, RowOfProcess, hexadecimal
from monitoring.api.spans import plain
from monitoring.api.views import KeyedQuery, MonitoringViewSet
from monitoring.models import Event
from monitoring.selectors.events import event_get, event_record, events_filtered
from partners.api.queries import HexField


class EventShape(RowOfProcess):
    """One business event. `(source, event_id)` names it in the world, `id` here."""

    id = serializers.IntegerField()
    event_id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields away.
    type = serializers.CharField()
    entity_event = serializers.CharField(help_text="The vocabulary's name, such as `order.released`, or empty.")
    subject = serializers.CharField()
    time = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    trace_id = serializers.SerializerMethodField()
    correlation_id = serializers.CharField()
    causation_id = serializers.CharField()
    sequence = serializers.CharField()
    process_instance = serializers.CharField()
    step = serializers.CharField()
    keys = serializers.SerializerMethodField()
    mapping_reason = serializers.CharField()

    def get_trace_id(self, event: Event) -> str | None:
        """Return it in hexadecimal."""
        return hexadecimal(event.trace_id)

    @extend_schema_field(BusinessKeyShape(many=True))
    def get_keys(self, event: Event) -> list[dict[str, str]]:
        """Return its business keys, each once."""
        keys = {(key.key_type, key.value) for key in event.keys.all()}
        return [{"type": key_type, "value": value} for key_type, value in sorted(keys)]


class EventWithData(EventShape):
    """One business event with its data as it arrived; null without the right to see payloads."""

    data = serializers.SerializerMethodField()  # type: ignore[assignment]  # DRF takes declared fields away.

    @extend_schema_field({"nullable": True, "description": "Any JSON value; bytes are base64."})
    def get_data(self, event: Event) -> Any:
        """Return the data, read back from what arrived."""
        record = event_record(self.context["viewer"], event)
        return plain(record.data) if record else None


class EventQuery(KeyedQuery):
    """What events are filtered by; the period is that of their own time."""

    type = serializers.CharField(required=False, max_length=200)
    entity_event = serializers.CharField(required=False, max_length=80)
    source = serializers.CharField(required=False, max_length=300)  # type: ignore[assignment]  # As above.
    subject = serializers.CharField(required=False, max_length=300)
    trace_id = HexField(16, required=False, help_text="A trace id, 32 hexadecimal digits.")


@extend_schema(tags=["events"])
class EventsViewSet(MonitoringViewSet):
    """Business events."""

    queries = {"list": EventQuery}

    @extend_schema(responses=EventShape(many=True))
    def list(self, request: Request) -> Response:
        """List events, newest first."""
        filters = self.filters()
        return self.page(events_filtered(self.viewer, event_type=filters.pop("type", ""), **filters), EventShape)

    @extend_schema(responses=EventWithData)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one event with its data."""
        return self.one(event_get(self.viewer, pk), EventWithData)
