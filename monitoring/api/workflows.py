"""workflows/: the automations, and which process each serves."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import ProcessRef
from monitoring.api.views import CatalogueViewSet
from monitoring.selectors.catalogue import workflow_get, workflows_listed
from monitoring.services.catalogue import workflow_assign
from partners.api.queries import Query
from partners.api.references import PersonRef


class WorkflowShape(serializers.Serializer[Any]):
    """An automation as its source knows it; `assigned` says that a person gave it its process."""

    id = serializers.IntegerField()
    source_system = serializers.CharField()
    source_key = serializers.CharField()
    name = serializers.CharField()
    process = ProcessRef(allow_null=True)
    owner = PersonRef(source="process.owner", allow_null=True)
    assigned = serializers.BooleanField()
    first_seen_at = serializers.DateTimeField()


class WorkflowAssign(serializers.Serializer[Any]):
    """The process it serves, by id or short name."""

    process = serializers.CharField(max_length=120)
    reason = serializers.CharField(max_length=4000, allow_blank=True, default="")


class WorkflowQuery(Query):
    """What automations are filtered by."""

    process = serializers.CharField(required=False, max_length=120, help_text="A process's id or short name.")
    assigned = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Serves a process.")
    source_system = serializers.CharField(required=False, max_length=40)


@extend_schema(tags=["catalogue"])
class WorkflowsViewSet(CatalogueViewSet):
    """Automations, as their sources know them."""

    queries = {"list": WorkflowQuery}

    @extend_schema(responses=WorkflowShape(many=True))
    def list(self, request: Request) -> Response:
        """List automations in the order they were found."""
        return self.page(workflows_listed(self.viewer, **self.filters()), WorkflowShape)

    @extend_schema(responses=WorkflowShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one automation."""
        return self.one(workflow_get(self.viewer, pk), WorkflowShape)

    @extend_schema(request=WorkflowAssign, responses=WorkflowShape)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: int) -> Response:
        """Say which process it serves."""
        workflow = workflow_get(self.viewer, pk)
        said = self.told(WorkflowAssign)
        process = self.process_named(said["process"])
        workflow_assign(workflow_id=workflow.pk, process_id=process.pk, viewer=self.viewer, reason=said["reason"])
        return self.one(workflow_get(self.viewer, pk), WorkflowShape)
