"""The base of monitoring's views: query parameters that name processes, workflows and sites by id or name."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from monitoring.models import Process, Workflow
from monitoring.selectors.visibility import visible_processes, visible_rows
from partners.api.queries import PeriodQuery, referred
from partners.api.views import TenantViewSet
from partners.models import Site
from partners.selectors import visible_sites


class RowQuery(PeriodQuery):
    """What rows of a process are filtered by."""

    workflow = serializers.CharField(required=False, max_length=300, help_text="A workflow's id or exact name.")
    process = serializers.CharField(required=False, max_length=120, help_text="A process's id or short name.")
    site = serializers.CharField(required=False, max_length=60, help_text="A site's id or short name.")


class KeyedQuery(RowQuery):
    """Rows that carry business keys."""

    key = serializers.CharField(
        required=False, max_length=200, help_text="A business key such as `order:4711`, or `4711` of any type."
    )


class MonitoringViewSet(TenantViewSet):
    """Actions on one of monitoring's nouns."""

    def shape_context(self) -> dict[str, Any]:
        """Add the tenant's sites, which rows name by a plain id."""
        return {**super().shape_context(), "sites": {site.pk: site for site in Site.objects.all()}}

    def filters(self) -> dict[str, Any]:
        """Return the parameters with names turned into ids."""
        found = dict(self.asked)
        viewer = self.viewer
        named = {
            "workflow": (visible_rows(viewer, Workflow), ("name", "source_key")),
            "process": (visible_processes(viewer), ("slug", "name")),
            "site": (visible_sites(viewer), ("slug", "name")),
        }
        for parameter, (rows, names) in named.items():
            if parameter in found:
                found[parameter] = referred(rows, found[parameter], *names)
        return found


class CatalogueViewSet(MonitoringViewSet):
    """Actions on the catalogue: what a body names is looked up among what the viewer may see."""

    def process_named(self, text: str) -> Process:
        """Return the process a body names by id or short name; raises ValidationError where there is none."""
        processes = visible_processes(self.viewer)
        found = processes.filter(pk=referred(processes, text, "slug") or 0).first()
        if found is None:
            raise ValidationError({"process": f"There is no process '{text}'."})
        return found
