"""runs/: executions of workflows, and their spans as they arrived."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import BusinessKeyShape, RowOfProcess, hexadecimal, page_of
from monitoring.api.spans import SpanPage, SpanShape
from monitoring.api.views import KeyedQuery, MonitoringViewSet
from monitoring.models import Run
from monitoring.models.telemetry import RunStatus, SlaState
from monitoring.selectors.runs import run_get, runs_filtered
from monitoring.selectors.spans import spans_of_run
from partners.api.pagination import whole
from partners.api.queries import HexField


class RunSla(serializers.Serializer[Any]):
    """How a run stands against its promise."""

    id = serializers.IntegerField(source="kind.sla_id", allow_null=True)
    due_at = serializers.DateTimeField(source="sla_due_at", allow_null=True)
    state = serializers.ChoiceField(source="sla_state", choices=SlaState.choices)


class RunShape(RowOfProcess):
    """One execution of a workflow: one trace. `ended_at` and `duration_ms` are null while it runs."""

    id = serializers.IntegerField()
    trace_id = serializers.SerializerMethodField()
    status = serializers.ChoiceField(choices=RunStatus.choices)
    started_at = serializers.DateTimeField()
    ended_at = serializers.SerializerMethodField()
    last_seen_at = serializers.DateTimeField(source="ended_at", help_text="The end of its latest span.")
    duration_ms = serializers.SerializerMethodField()
    sla = RunSla(source="*")
    keys = serializers.SerializerMethodField()
    span_count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    error_class = serializers.CharField()
    attempts = serializers.IntegerField()
    retries = serializers.IntegerField()
    dead_letters = serializers.IntegerField()
    confidence = serializers.CharField(
        source="kind.confidence", help_text="Where the figures about attempts come from."
    )
    # DRF takes declared fields away, so the attribute of Field is untouched.
    source = serializers.CharField(source="workflow.source_system")  # type: ignore[assignment]
    name = serializers.CharField(source="root_name")
    version = serializers.CharField(source="kind.version")
    services = serializers.ListField(source="kind.services", child=serializers.CharField())
    value = serializers.FloatField(allow_null=True)
    mapping_reason = serializers.CharField(source="kind.mapping_reason")
    url = serializers.SerializerMethodField()

    def get_trace_id(self, run: Run) -> str | None:
        """Return it in hexadecimal."""
        return hexadecimal(run.trace_id)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_ended_at(self, run: Run) -> str | None:
        """Return when it ended, if it has."""
        if run.status == RunStatus.RUNNING:
            return None
        return str(serializers.DateTimeField().to_representation(run.ended_at))

    def get_duration_ms(self, run: Run) -> float | None:
        """Return how long it took, if it has ended."""
        if run.status == RunStatus.RUNNING:
            return None
        return round((run.ended_at - run.started_at).total_seconds() * 1000, 3)

    @extend_schema_field(BusinessKeyShape(many=True))
    def get_keys(self, run: Run) -> list[dict[str, str]]:
        """Return its business keys, each once."""
        keys = {(key.key_type, key.value) for key in run.keys.all()}
        return [{"type": key_type, "value": value} for key_type, value in sorted(keys)]

    def get_url(self, run: Run) -> str:
        """Return the address of its page."""
        return page_of(self.context["viewer"], "runs", run.pk)


class RunQuery(KeyedQuery):
    """What runs are filtered by; the period is that of their start."""

    status = serializers.ChoiceField(choices=RunStatus.choices, required=False)
    trace_id = HexField(16, required=False, help_text="A trace id, 32 hexadecimal digits.")


@extend_schema(tags=["runs"])
class RunsViewSet(MonitoringViewSet):
    """Executions of workflows."""

    queries = {"list": RunQuery}

    @extend_schema(responses=RunShape(many=True))
    def list(self, request: Request) -> Response:
        """List runs, newest first."""
        return self.page(runs_filtered(self.viewer, **self.filters()), RunShape)

    @extend_schema(responses=RunShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one run."""
        return self.one(run_get(self.viewer, pk), RunShape)

    @extend_schema(responses=SpanPage)
    @action(detail=True)
    def spans(self, request: Request, pk: int) -> Response:
        """Return all spans of a run by their start, read back from what arrived."""
        spans = spans_of_run(self.viewer, pk)
        return whole(SpanShape(spans, many=True).data)
