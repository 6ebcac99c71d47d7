"""Figures of the last seven days by workflow and the process it served, which board and coverage share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from django.core.cache import cache
from django.db.models import QuerySet, Sum

from monitoring.models import WorkflowMinute
from monitoring.selectors.standing import Figures
from monitoring.selectors.visibility import visible_rows
from partners.viewer import Viewer

#: A workflow and the process it served; 0 stands for none.
Service: TypeAlias = tuple[int, int]
WEEK = timedelta(days=7)
#: The sum over closed hours is taken again this often: late telemetry shows in the week after at most this time.
_KEEP_S = 60
_FIELDS = {
    "runs": "runs",
    "failed": "failed",
    "met": "sla_met",
    "breached": "sla_breached",
    "events": "events",
    "first_attempts": "first_attempts",
    "retries": "retries",
    "dead_letters": "dead_letters",
}
#: The aggregates of a query over minutes. The underscore keeps their names apart from the fields they sum.
SUMS = {f"{name}_": Sum(field) for name, field in _FIELDS.items()}


def minutes(viewer: Viewer, since: datetime) -> QuerySet[WorkflowMinute]:
    """Return the minutes the viewer may see, from `since` on."""
    return visible_rows(viewer, WorkflowMinute).filter(minute__gte=since)


def week_by_service(viewer: Viewer, now: datetime) -> dict[Service, Figures]:
    """Sum the last seven days for each workflow as it served each process.

    Closed hours come from a short-lived cache, the last two are fresh.
    """
    closed = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    whose = viewer.actor if viewer.is_supplier_only else "all"
    name = f"week:{viewer.tenant.pk}:{whose}:{closed.isoformat()}"
    sums: dict[Service, Figures] | None = cache.get(name)
    if sums is None:
        sums = _sums(minutes(viewer, closed + timedelta(hours=1) - WEEK).filter(minute__lt=closed))
        cache.set(name, sums, _KEEP_S)
    fresh = _sums(minutes(viewer, closed))
    return {key: sums.get(key, Figures()) + fresh.get(key, Figures()) for key in sums.keys() | fresh.keys()}


def _sums(rows: QuerySet[WorkflowMinute]) -> dict[Service, Figures]:
    # The order of the model would be part of GROUP BY.
    found = rows.order_by().values("workflow_id", "process_id").annotate(**SUMS)
    return {service_of(row): figures_of(row) for row in found}


def service_of(row: Mapping[str, Any]) -> Service:
    """Return the workflow and the process that a row of the aggregates is about."""
    return row["workflow_id"], row["process_id"] or 0


def figures_of(row: Mapping[str, Any]) -> Figures:
    """Turn a row of the aggregates, whose names end in an underscore, into figures."""
    return Figures(**{name: int(row[f"{name}_"] or 0) for name in _FIELDS})
