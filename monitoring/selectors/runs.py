"""Runs, as a viewer may see them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from monitoring.models import Run
from monitoring.selectors.keys import keys_matching
from monitoring.selectors.visibility import visible_rows
from partners.viewer import Viewer


def visible_runs(viewer: Viewer) -> QuerySet[Run]:
    """Return the runs the viewer may see, newest first, with what a row of a list shows."""
    runs = visible_rows(viewer, Run).select_related("kind", "workflow", "process__owner", "process__site")
    return runs.prefetch_related("keys").order_by("-started_at", "-id")


def runs_filtered(
    viewer: Viewer,
    *,
    key: str = "",
    status: str = "",
    workflow: int | None = None,
    process: int | None = None,
    site: int | None = None,
    trace_id: bytes | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Run]:
    """Return visible runs that started in [since, until). `key` is `order:4711`, or a value of any type of key."""
    runs = visible_runs(viewer)
    if key:
        runs = runs.filter(pk__in=keys_matching(key).exclude(run=None).values("run_id"))
    if trace_id is not None:
        runs = runs.filter(trace_id=trace_id)
    named = {"status": status or None, "workflow": workflow, "process": process, "site_id": site}
    runs = runs.filter(**{name: value for name, value in named.items() if value is not None})
    if since is not None:
        runs = runs.filter(started_at__gte=since)
    return runs.filter(started_at__lt=until) if until is not None else runs


def run_get(viewer: Viewer, pk: int) -> Run:
    """Return one run; raises Run.DoesNotExist where the viewer may not see it."""
    return visible_runs(viewer).get(pk=pk)
