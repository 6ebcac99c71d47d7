"""processes/: what the plant does, who answers for it, and how much it matters."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.slas import SlaOfProcess
from monitoring.api.views import CatalogueViewSet
from monitoring.models import Process
from monitoring.models.catalogue import Criticality
from monitoring.selectors.catalogue import process_get, processes_listed
from monitoring.services.catalogue import process_save
from monitoring.services.removal import process_remove
from partners.api.queries import referred
from partners.api.references import PersonRef, SiteRef
from partners.selectors import visible_members, visible_sites


class ProcessShape(serializers.Serializer[Any]):
    """A business process: what the plant calls it, who answers for it, how much it matters."""

    id = serializers.IntegerField(read_only=True)
    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    site = SiteRef(allow_null=True)
    owner = PersonRef(allow_null=True)
    criticality = serializers.ChoiceField(choices=Criticality.choices)
    regulated = serializers.BooleanField()
    cost_per_hour = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    slas = serializers.SerializerMethodField()

    @extend_schema_field(SlaOfProcess(many=True))
    def get_slas(self, process: Process) -> list[dict[str, Any]]:
        """Return its promises."""
        return [dict(SlaOfProcess(sla).data) for sla in sorted(process.slas.all(), key=lambda sla: sla.pk)]


class ProcessWrite(serializers.Serializer[Any]):
    """What may be said of a process; the site by id or short name, the owner by id or e-mail address."""

    slug = serializers.SlugField(max_length=60, required=False)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    site = serializers.CharField(max_length=60, allow_null=True, required=False)
    owner = serializers.CharField(max_length=254, allow_null=True, required=False)
    criticality = serializers.ChoiceField(choices=Criticality.choices, required=False)
    regulated = serializers.BooleanField(required=False)
    cost_per_hour = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, allow_null=True, required=False
    )


@extend_schema(tags=["catalogue"])
class ProcessesViewSet(CatalogueViewSet):
    """Business processes."""

    @extend_schema(responses=ProcessShape(many=True))
    def list(self, request: Request) -> Response:
        """List processes by short name."""
        return self.page(processes_listed(self.viewer), ProcessShape)

    @extend_schema(responses=ProcessShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one process."""
        return self.one(process_get(self.viewer, pk), ProcessShape)

    @extend_schema(request=ProcessWrite, responses={201: ProcessShape})
    def create(self, request: Request) -> Response:
        """Make a process."""
        saved = process_save(fields=self._fields(), viewer=self.viewer)
        return self.one(process_get(self.viewer, saved.pk), ProcessShape, 201)

    @extend_schema(request=ProcessWrite(partial=True), responses=ProcessShape)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change the fields named."""
        process = process_get(self.viewer, pk)
        process_save(process=process, fields=self._fields(partial=True), viewer=self.viewer)
        return self.one(process_get(self.viewer, pk), ProcessShape)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove a process that nothing happened in."""
        process_remove(process=process_get(self.viewer, pk), viewer=self.viewer)
        return Response(status=204)

    def _fields(self, **options: Any) -> dict[str, Any]:
        fields = self.told(ProcessWrite, **options)
        if fields.get("site") is not None:
            sites = visible_sites(self.viewer)
            fields["site"] = self._one(sites.filter(pk=referred(sites, fields["site"], "slug") or 0), "site", fields)
        if fields.get("owner") is not None:
            named = str(fields["owner"])
            lookup = {"user_id": int(named)} if named.isascii() and named.isdigit() else {"user__email": named.lower()}
            fields["owner"] = self._one(visible_members(self.viewer).filter(**lookup), "owner", fields).user
        return fields

    def _one(self, rows: Any, field: str, fields: dict[str, Any]) -> Any:
        found = rows.first()
        if found is None:
            raise ValidationError({field: f"There is no {field} '{fields[field]}' here."})
        return found
