"""The catalogue, as a viewer may see it: processes, promises, automations, mapping rules, detectors and channels."""

from __future__ import annotations

from django.db.models import QuerySet

from monitoring.models import Channel, DetectorSetting, MappingRule, Process, Sla, Workflow
from monitoring.selectors.visibility import tenant_rows, visible_processes, visible_rows
from partners.viewer import Viewer


def processes_listed(viewer: Viewer) -> QuerySet[Process]:
    """Return visible processes by short name, with owners, sites and promises."""
    return visible_processes(viewer).select_related("owner", "site").prefetch_related("slas").order_by("slug", "id")


def process_get(viewer: Viewer, pk: int) -> Process:
    """Return one process; raises Process.DoesNotExist where the viewer may not see it."""
    return processes_listed(viewer).get(pk=pk)


def workflows_listed(
    viewer: Viewer, *, process: int | None = None, assigned: bool | None = None, source_system: str = ""
) -> QuerySet[Workflow]:
    """Return visible automations in the order they were found; `assigned=False` are those that serve no process."""
    workflows = visible_rows(viewer, Workflow).select_related("process__owner", "process__site").order_by("id")
    if process is not None:
        workflows = workflows.filter(process=process)
    if source_system:
        workflows = workflows.filter(source_system=source_system)
    return workflows if assigned is None else workflows.filter(process__isnull=not assigned)


def workflow_get(viewer: Viewer, pk: int) -> Workflow:
    """Return one automation; raises Workflow.DoesNotExist where the viewer may not see it."""
    return workflows_listed(viewer).get(pk=pk)


def slas_listed(viewer: Viewer, *, process: int | None = None) -> QuerySet[Sla]:
    """Return the promises of visible processes."""
    slas = visible_rows(viewer, Sla).select_related("process").order_by("id")
    return slas if process is None else slas.filter(process=process)


def mapping_rules_listed(viewer: Viewer) -> QuerySet[MappingRule]:
    """Return the rules in the order in which they decide; none for a viewer who is only a supplier."""
    return tenant_rows(viewer, MappingRule).select_related("process").order_by("position", "id")


def channels_listed(viewer: Viewer) -> QuerySet[Channel]:
    """Return where notifications go; none for a viewer who is only a supplier."""
    return tenant_rows(viewer, Channel).order_by("name", "id")


def detectors_listed(viewer: Viewer) -> QuerySet[DetectorSetting]:
    """Return the tenant's own thresholds by kind of alert; what is not listed keeps its defaults."""
    return tenant_rows(viewer, DetectorSetting).order_by("kind", "id")
