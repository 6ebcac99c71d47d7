"""slas/: what is promised."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import ProcessRef
from monitoring.api.views import CatalogueViewSet
from monitoring.models import Sla
from monitoring.models.catalogue import SlaKind
from monitoring.selectors.catalogue import slas_listed
from monitoring.services.catalogue import sla_remove, sla_save
from partners.api.queries import Query


class SlaOfProcess(serializers.Serializer[Any]):
    """A promise: `duration` takes at most `target_s`; `due_time` is done by a stated or daily time."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(choices=SlaKind.choices, default=SlaKind.DURATION)
    target_s = serializers.IntegerField(min_value=1, max_value=2_147_483_647, allow_null=True, required=False)
    due_attribute = serializers.CharField(max_length=120, allow_blank=True, default="")
    due_local = serializers.RegexField(
        r"^(([01]\d|2[0-3]):[0-5]\d)?$", max_length=5, allow_blank=True, default="", help_text="HH:MM at the site."
    )
    objective = serializers.DecimalField(
        max_digits=5, decimal_places=2, default=Decimal(99), help_text="Per cent of runs that keep it."
    )


class SlaShape(SlaOfProcess):
    """A promise and its process."""

    process = ProcessRef(read_only=True)


class SlaWrite(SlaOfProcess):
    """A promise of a process, named by id or short name."""

    process = serializers.CharField(max_length=120)


class SlaQuery(Query):
    """What promises are filtered by."""

    process = serializers.CharField(required=False, max_length=120, help_text="A process's id or short name.")


@extend_schema(tags=["catalogue"])
class SlasViewSet(CatalogueViewSet):
    """Promises."""

    queries = {"list": SlaQuery}

    @extend_schema(responses=SlaShape(many=True))
    def list(self, request: Request) -> Response:
        """List promises."""
        return self.page(slas_listed(self.viewer, **self.filters()), SlaShape)

    @extend_schema(responses=SlaShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one promise."""
        return self.one(slas_listed(self.viewer).get(pk=pk), SlaShape)

    @extend_schema(request=SlaWrite, responses={201: SlaShape})
    def create(self, request: Request) -> Response:
        """Promise something of a process."""
        fields = self.told(SlaWrite)
        fields["process"] = self.process_named(fields["process"])
        return self.one(sla_save(fields=fields, viewer=self.viewer), SlaShape, 201)

    @extend_schema(request=SlaOfProcess(partial=True), responses=SlaShape)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change the fields named; a promise stays with its process."""
        sla: Sla = slas_listed(self.viewer).get(pk=pk)
        return self.one(sla_save(sla=sla, fields=self.told(SlaOfProcess, partial=True), viewer=self.viewer), SlaShape)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Take a promise back."""
        sla_remove(sla=slas_listed(self.viewer).get(pk=pk), viewer=self.viewer)
        return Response(status=204)
