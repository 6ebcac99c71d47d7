"""What people do about alerts. Each step is a conditional UPDATE; who comes second changes nothing and is told why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from monitoring.alert.raising import QUIET_AFTER, next_look
from monitoring.findings import Kind
from monitoring.live import announce
from monitoring.models import Alert, AlertEvent
from monitoring.models.alerts import AlertStatus
from monitoring.models.delivery import TimerKind
from monitoring.notify.outbox import resolutions_write
from monitoring.timers import timers_set
from partners.models import User
from partners.permission import require
from partners.roles import Right
from partners.viewer import Viewer, viewer_of

_UNRESOLVED = (AlertStatus.FIRING, AlertStatus.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class AlertVerdict:
    """What became of a step: the alert as it stands now, whether the step changed it, and why not where it didn't."""

    alert: Alert
    changed: bool
    reason: str


@transaction.atomic
def alert_acknowledge(*, alert: Alert, viewer: Viewer, note: str = "") -> AlertVerdict:
    """Say that someone is looking at it: firing becomes acknowledged."""
    require(viewer, Right.HANDLE_ALERTS)
    change = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_by": viewer.user}
    if not _changed(alert, (AlertStatus.FIRING,), change):
        return _unchanged(alert)
    return _done(alert, "acknowledged", viewer, note)


@transaction.atomic
def alert_assign(*, alert: Alert, assignee: User | None, viewer: Viewer, note: str = "") -> AlertVerdict:
    """Give an unresolved alert to a person who may handle alerts in this tenant, or to nobody."""
    require(viewer, Right.HANDLE_ALERTS)
    if assignee is not None and not _may_handle(assignee, viewer):
        return AlertVerdict(_now(alert), False, f"{assignee} has no role here that handles alerts")
    known = _now(alert)
    if known.status != AlertStatus.RESOLVED and known.assignee == assignee:
        return AlertVerdict(
            known, False, f"already assigned to {assignee}" if assignee else "already assigned to nobody"
        )
    if not _changed(alert, _UNRESOLVED, {"assignee": assignee}):
        return _unchanged(alert)
    whom = f"to {assignee}" if assignee else "to nobody"
    return _done(alert, "assigned", viewer, f"{whom}: {note}" if note else whom)


@transaction.atomic
def alert_resolve(*, alert: Alert, resolution: str, viewer: Viewer) -> AlertVerdict:
    """Say that it is over and what settled it. The next finding with its fingerprint opens a new alert."""
    require(viewer, Right.HANDLE_ALERTS)
    return resolve_by(alert=alert, resolution=resolution, viewer=viewer)


def resolve_by(*, alert: Alert, resolution: str, viewer: Viewer) -> AlertVerdict:
    """Resolve inside the caller's transaction and on the right that the caller has checked."""
    now = timezone.now()
    change = {"status": AlertStatus.RESOLVED, "resolved_at": now, "resolution": resolution}
    if not _changed(alert, _UNRESOLVED, change):
        return _unchanged(alert)
    resolutions_write([alert.pk], now)
    return _done(alert, "resolved", viewer, resolution)


@transaction.atomic
def alert_reopen(*, alert: Alert, viewer: Viewer, note: str = "") -> AlertVerdict:
    """Undo a resolution, unless the same fingerprint fires again by now in an alert of its own."""
    require(viewer, Right.HANDLE_ALERTS)
    # The row lock serves two people who reopen two alerts of one fingerprint: the unique key would fail the second.
    same = Alert.objects.select_for_update(of=("self",)).filter(fingerprint=alert.fingerprint).order_by("pk")
    successor = next((other for other in same if other.pk != alert.pk and other.status in _UNRESOLVED), None)
    if successor is not None:
        return AlertVerdict(_now(alert), False, f"the same problem fires again as alert {successor.pk}")
    change = {"status": AlertStatus.FIRING, "resolved_at": None, "resolution": "", "acknowledged_by": None}
    if not _changed(alert, (AlertStatus.RESOLVED,), change):
        return _unchanged(alert)
    verdict = _done(alert, "reopened", viewer, note)
    kind, now = Kind(alert.kind), timezone.now()
    if kind in QUIET_AFTER:
        timers_set(alert.tenant_id, TimerKind.ALERT_QUIET, [(alert.pk, next_look(kind, now, now))])
    return verdict


@transaction.atomic
def alert_note(*, alert: Alert, note: str, viewer: Viewer) -> AlertVerdict:
    """Add a line to an alert's history."""
    require(viewer, Right.HANDLE_ALERTS)
    return _done(alert, "noted", viewer, note)


def _changed(alert: Alert, old: tuple[str, ...], change: dict[str, Any]) -> bool:
    """The status asked for in WHERE is the claim; a row count of nought means that someone was faster."""
    return bool(Alert.objects.filter(pk=alert.pk, status__in=old).update(**change))


def _done(alert: Alert, action: str, viewer: Viewer, note: str) -> AlertVerdict:
    AlertEvent.objects.create(
        tenant_id=alert.tenant_id,
        alert_id=alert.pk,
        at=timezone.now(),
        action=action,
        actor=viewer.actor,
        actor_name=viewer.name,
        note=note,
    )
    announce(alert.tenant_id, ("alerts", "board"))
    return AlertVerdict(_now(alert), True, action)


def _unchanged(alert: Alert) -> AlertVerdict:
    now = _now(alert)
    last: AlertEvent | None = AlertEvent.objects.filter(alert_id=alert.pk, action=now.status).order_by("-at").first()
    if now.status == AlertStatus.FIRING:
        return AlertVerdict(now, False, "it is firing")
    by = f" by {last.actor_name}" if last else ""
    return AlertVerdict(now, False, f"already {now.status}{by}{_at(last.at if last else now.resolved_at)}")


def _at(instant: datetime | None) -> str:
    return f" at {instant:%Y-%m-%d %H:%M} UTC" if instant else ""


def _now(alert: Alert) -> Alert:
    found: Alert = Alert.objects.select_related("assignee", "acknowledged_by").get(pk=alert.pk)
    return found


def _may_handle(person: User, viewer: Viewer) -> bool:
    seen = viewer_of(person, viewer.tenant)
    return seen is not None and seen.may(Right.HANDLE_ALERTS)
