"""What people decide about dead letters: accepted as lost, or discarded. With the last one its alert resolves."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count
from django.utils import timezone

from monitoring.live import announce
from monitoring.models import Alert, DeadLetter
from monitoring.models.alerts import AlertStatus
from monitoring.models.telemetry import DeadLetterState
from monitoring.services.alerts import resolve_by
from partners.actors import actor_name
from partners.permission import require
from partners.roles import Right
from partners.scope import tenant_scope
from partners.viewer import Viewer

_PAST = {
    DeadLetterState.ACCEPTED: "accepted as lost",
    DeadLetterState.DISCARDED: "discarded",
    DeadLetterState.REDRIVEN: "redriven",
}


@dataclass(frozen=True, slots=True)
class DeadLetterVerdict:
    """What became of a decision: the dead letter as it stands now, whether it changed, why not, and what else did."""

    dead_letter: DeadLetter
    changed: bool
    reason: str
    resolved_alert_id: int | None = None


def dead_letter_accept(*, dead_letter: DeadLetter, reason: str, viewer: Viewer) -> DeadLetterVerdict:
    """Accept that the unit of work is lost and stays where it is."""
    return _settle(dead_letter, DeadLetterState.ACCEPTED, reason, viewer)


def dead_letter_discard(*, dead_letter: DeadLetter, reason: str, viewer: Viewer) -> DeadLetterVerdict:
    """Say that the unit of work is not needed any more. Andon removes nothing from the broker."""
    return _settle(dead_letter, DeadLetterState.DISCARDED, reason, viewer)


def _settle(dead_letter: DeadLetter, state: DeadLetterState, reason: str, viewer: Viewer) -> DeadLetterVerdict:
    require(viewer, Right.HANDLE_DEAD_LETTERS)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor, reason=reason):
        settled = DeadLetter.objects.filter(pk=dead_letter.pk, state=DeadLetterState.OPEN).update(
            state=state, settled_at=timezone.now(), settled_by=viewer.actor, settled_reason=reason
        )
        now = DeadLetter.objects.select_related("workflow", "process__owner", "process__site").get(pk=dead_letter.pk)
        if not settled:
            by = actor_name(now.settled_by) if now.settled_by else "the source itself"
            done = f"already {_PAST.get(now.state, now.state)} by {by}"
            return DeadLetterVerdict(now, False, done)
        announce(viewer.tenant.pk, ("dead_letters", "board"))
        alert = _resolved_alert(now, viewer)
        return DeadLetterVerdict(now, True, _PAST[state], alert.pk if alert else None)


def _resolved_alert(dead_letter: DeadLetter, viewer: Viewer) -> Alert | None:
    """Resolve the alert it belongs to if this was its last open member; return it if so.

    The alert is locked before its members are counted: of two people who settle the last two letters at once, the
    second then sees the first one's decision.
    """
    if not dead_letter.fingerprint:
        return None
    same = Alert.objects.filter(fingerprint=dead_letter.fingerprint).exclude(status=AlertStatus.RESOLVED)
    alert: Alert | None = same.select_for_update(of=("self",)).first()
    members = DeadLetter.objects.filter(fingerprint=dead_letter.fingerprint)
    if alert is None or members.filter(state=DeadLetterState.OPEN).exists():
        return None
    counts = members.filter(died_at__gte=alert.first_seen_at).values_list("state").annotate(count=Count("id"))
    parts = ", ".join(f"{count} {_PAST.get(state, state)}" for state, count in counts.order_by("-count", "state"))
    resolve_by(alert=alert, resolution=f"No dead letter of it is stuck any more: {parts}.", viewer=viewer)
    return alert
