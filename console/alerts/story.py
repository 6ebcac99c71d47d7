"""What happened to an alert, in order: what people did and said, and who was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.words import Shown, kind_word
from monitoring.models import Alert, AlertEvent, Notification
from monitoring.models.delivery import NotificationState
from monitoring.selectors.alerts import history_of
from monitoring.selectors.visibility import tenant_rows
from partners.viewer import Viewer

_NOTIFIED: dict[str, Shown] = {
    NotificationState.INTENDED: Shown("watch", "On its way"),
    NotificationState.DELIVERED: Shown("ok", "Delivered"),
    NotificationState.FAILED: Shown("breach", "Failed"),
    NotificationState.SUPPRESSED: Shown("unknown", "Not sent"),
}
_VERBS = {
    "raised": "raised it",
    "acknowledged": "acknowledged it",
    "assigned": "assigned it",
    "resolved": "resolved it",
    "reopened": "reopened it",
    "noted": "wrote",
    "notified": "told people",
}


_NEWS = {"raised": "that it fires", "resolved": "that it is resolved"}


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One line. `words` is what a person wrote and stands as they wrote it."""

    at: datetime
    who: str
    did: str
    words: str = ""
    shown: Shown | None = None


def story_of(viewer: Viewer, alert: Alert) -> tuple[StoryLine, ...]:
    """Return the alert's history with its notifications, newest first."""
    lines = [
        StoryLine(event.at, _name(event, alert), _VERBS.get(event.action, event.action), event.note)
        for event in history_of(alert)
    ]
    lines += [_told(notification) for notification in notifications_of(viewer, alert)]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True))


def notifications_of(viewer: Viewer, alert: Alert) -> list[Notification]:
    """Return the alert's outbox rows with their channels. Channels hang on no process, so a supplier sees none."""
    rows = tenant_rows(viewer, Notification).filter(alert=alert).select_related("channel")
    return list(rows.order_by("created_at", "pk"))


def _name(event: AlertEvent, alert: Alert) -> str:
    return f"{kind_word(alert.kind)} detector" if event.actor == "system:detector" else event.actor_name


def _told(notification: Notification) -> StoryLine:
    shown = _NOTIFIED.get(notification.state, Shown("unknown", notification.state))
    tries = f"try {notification.tries}" if notification.tries > 1 else ""
    return StoryLine(
        at=notification.delivered_at or notification.created_at,
        who=f"{notification.channel.get_kind_display()} to {notification.channel.name}",
        did=_NEWS.get(notification.event, notification.event),
        words=": ".join(part for part in (tries, notification.reason) if part),
        shown=shown,
    )
