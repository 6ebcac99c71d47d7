"""How rows name processes, workflows and keys: small objects, null where there is none."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.models import Alert, DeadLetter, Event, Run
from partners.api.references import PersonRef, SiteRef
from partners.viewer import Viewer


class ProcessRef(serializers.Serializer[Any]):
    """A process by id, short name and name."""

    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()


class WorkflowRef(serializers.Serializer[Any]):
    """An automation by id and name."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class BusinessKeyShape(serializers.Serializer[Any]):
    """What the plant calls the thing: type `order`, value `4711`."""

    type = serializers.CharField()
    value = serializers.CharField()


class RowOfProcess(serializers.Serializer[Any]):
    """What runs, events, dead letters and alerts have in common: whose they are and where they happened."""

    workflow = WorkflowRef(allow_null=True)
    process = ProcessRef(allow_null=True)
    owner = PersonRef(source="process.owner", allow_null=True, help_text="The owner of the process.")
    site = serializers.SerializerMethodField()

    @extend_schema_field(SiteRef(allow_null=True))
    def get_site(self, row: Run | Event | DeadLetter | Alert) -> dict[str, Any] | None:
        """Return the site that telemetry named, else the process's."""
        site_id = row.site_id or (row.process.site_id if row.process else None)
        site = self.context["sites"].get(site_id)
        return dict(SiteRef(site).data) if site else None


def page_of(viewer: Viewer, kind: str, pk: int) -> str:
    """Return the address of an object's page."""
    return f"{settings.PUBLIC_URL}/t/{viewer.tenant.slug}/{kind}/{pk}/"


def hexadecimal(raw: bytes | memoryview | None) -> str | None:
    """Return an id as people and tracing tools write it."""
    return bytes(raw).hex() if raw is not None else None
