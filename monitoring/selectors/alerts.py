"""Alerts, as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Case, IntegerField, QuerySet, Value, When

from monitoring.findings import Severity
from monitoring.models import Alert, AlertEvent
from monitoring.models.alerts import AlertStatus
from monitoring.selectors.visibility import visible_rows
from partners.viewer import Viewer

_LOUDEST_FIRST = Case(
    *(When(severity=severity.value, then=Value(place)) for place, severity in enumerate(Severity)),
    default=Value(len(Severity)),
    output_field=IntegerField(),
)


def visible_alerts(viewer: Viewer) -> QuerySet[Alert]:
    """Return the alerts the viewer may see, newest first, with what a row of a list shows."""
    alerts = visible_rows(viewer, Alert).select_related(
        "workflow", "process__owner", "process__site", "assignee", "acknowledged_by"
    )
    return alerts.order_by("-last_seen_at", "-id")


def alerts_filtered(
    viewer: Viewer,
    *,
    status: Iterable[str] = (),
    kind: Iterable[str] = (),
    severity: Iterable[str] = (),
    workflow: int | None = None,
    process: int | None = None,
    site: int | None = None,
    fingerprint: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Alert]:
    """Return visible alerts last seen in [since, until); several statuses, kinds or severities mean any of them."""
    alerts = visible_alerts(viewer)
    for name, values in (("status", status), ("kind", kind), ("severity", severity)):
        if wanted := list(values):
            alerts = alerts.filter(**{f"{name}__in": wanted})
    named = {"workflow": workflow, "process": process, "site_id": site, "fingerprint": fingerprint or None}
    alerts = alerts.filter(**{name: value for name, value in named.items() if value is not None})
    if since is not None:
        alerts = alerts.filter(last_seen_at__gte=since)
    return alerts.filter(last_seen_at__lt=until) if until is not None else alerts


def open_alerts(viewer: Viewer) -> QuerySet[Alert]:
    """Return what still needs someone: unresolved alerts, most business impact first."""
    unresolved = visible_alerts(viewer).exclude(status=AlertStatus.RESOLVED)
    return unresolved.order_by("-impact_score", _LOUDEST_FIRST, "-last_seen_at", "-id")


def alert_get(viewer: Viewer, pk: int) -> Alert:
    """Return one alert; raises Alert.DoesNotExist where the viewer may not see it."""
    return visible_alerts(viewer).get(pk=pk)


def history_of(alert: Alert) -> QuerySet[AlertEvent]:
    """Return what happened to an alert, oldest first."""
    history: QuerySet[AlertEvent] = AlertEvent.objects.filter(alert_id=alert.pk)
    return history.order_by("at", "id")


def similar_to(viewer: Viewer, alert: Alert, *, limit: int = 5) -> QuerySet[Alert]:
    """Return the latest resolved alerts of the same fingerprint, for what fixed them."""
    same = visible_alerts(viewer).filter(fingerprint=alert.fingerprint, status=AlertStatus.RESOLVED)
    return same.exclude(pk=alert.pk).order_by("-resolved_at", "-id")[:limit]
