"""Notifying: a notification is a row first, written with the alert; sending comes after the commit.

`intended`, `delivered`, `failed` and `suppressed` are different states, and each carries its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from monitoring.desk import Desk
from monitoring.findings import Kind, Severity
from monitoring.live import announce, announce_soon
from monitoring.models import Alert, Channel, Notification
from monitoring.models.delivery import NotificationState, TimerKind
from monitoring.rows import arrays
from monitoring.stages import Alerted, Notified
from monitoring.timers import timers_set
from partners.database.statements import ask, execute

_LOUDEST_FIRST = [severity.value for severity in Severity]
#: What happened longer ago than this when it arrived is history: it is shown, and nobody is woken.
HISTORY = timedelta(hours=1)
_KEPT_BACK = """
SELECT alert_id FROM monitoring_notification
WHERE tenant_id = current_setting('app.tenant_id')::int AND alert_id = ANY(%s::bigint[]) AND event = 'raised'
  AND state = 'suppressed' AND tries = 0
"""
_HAS_CHANNEL = """
SELECT 1 FROM monitoring_channel WHERE tenant_id = current_setting('app.tenant_id')::int AND enabled LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a channel is to carry an alert, and why not."""

    state: NotificationState
    reason: str = ""


def notify(alerted: Alerted, desk: Desk) -> Notified:
    """Write the outbox rows of newly raised and resolved alerts, and announce what open pages should reload."""
    announce_soon(desk.tenant_id, ["board", "runs"] if alerted.runs else ["board"] if alerted.events else [])
    topics = ["alerts", "board"] if alerted.changes or alerted.resolved else []
    topics += ["catalogue"] if any(change.kind == Kind.UNMAPPED for change in alerted.changes) else []
    topics += ["dead_letters"] if alerted.dead_letters else []
    if not alerted.changes and not alerted.resolved:
        announce(desk.tenant_id, topics)
        return Notified((), alerted.changes)
    # Asked with each alert, so past the ORM, whose compiling costs more than the answer.
    channel = ask(_HAS_CHANNEL, [])
    announce(desk.tenant_id, topics)
    return Notified(_written(alerted, desk) if channel.rows() else (), alerted.changes)


def _written(alerted: Alerted, desk: Desk) -> tuple[int, ...]:
    raised = [change.id for change in alerted.changes if change.raised]
    grown = [change.id for change in alerted.changes if not change.raised]
    return (
        *notifications_write([*raised, *_withheld(grown)], "raised", desk.now),
        *notifications_write(alerted.resolved, "resolved", desk.now),
    )


def _withheld(alert_ids: list[int]) -> list[int]:
    """Alerts that a channel judged too quiet, or history; they have grown since and are judged again."""
    if not alert_ids:
        return []
    return sorted({alert_id for (alert_id,) in execute(_KEPT_BACK, arrays(["bigint"], [alert_ids]))})


def notifications_write(alert_ids: Iterable[int], event: str, now: datetime) -> list[int]:
    """Write one outbox row for each alert and channel; return those that are to be sent.

    Writing a row again changes nothing, unless it was suppressed and the alert has become worth telling.
    """
    ids = list(alert_ids)
    if not ids:
        return []
    channels = list(Channel.objects.filter(enabled=True))
    told = _told(ids) if event == "resolved" else set()
    intended = []
    for alert in Alert.objects.filter(pk__in=ids).order_by("pk") if channels else ():
        for channel in channels:
            verdict = judge(channel, alert, event, now, told=(alert.pk, channel.pk) in told)
            row, made = Notification.objects.get_or_create(
                alert=alert,
                channel=channel,
                event=event,
                defaults={
                    "tenant_id": alert.tenant_id,
                    "message_id": f"msg_{uuid4().hex}",
                    "state": verdict.state,
                    "reason": verdict.reason,
                    "next_try_at": now,
                    "created_at": now,
                },
            )
            if verdict.state is NotificationState.INTENDED and (made or _released(row, now)):
                timers_set(alert.tenant_id, TimerKind.NOTIFICATION, [(row.pk, now)])
                intended.append(row.pk)
    return intended


def _told(alert_ids: list[int]) -> set[tuple[int, int]]:
    """Which alerts were raised on which channels, as (alert, channel)."""
    raised = Notification.objects.filter(alert_id__in=alert_ids, event="raised")
    return set(raised.exclude(state=NotificationState.SUPPRESSED).values_list("alert_id", "channel_id"))


def _released(row: Notification, now: datetime) -> bool:
    """Whether this call took a row out of its suppression. One that was tried (no mail server is set) stays."""
    waiting = Notification.objects.filter(pk=row.pk, state=NotificationState.SUPPRESSED, tries=0)
    return bool(waiting.update(state=NotificationState.INTENDED, reason="", next_try_at=now))


def judge(channel: Channel, alert: Alert, event: str, now: datetime, *, told: bool = False) -> Verdict:
    """Decide whether a channel carries an alert; `told` says that it carried the raising. Pure."""
    if _LOUDEST_FIRST.index(alert.severity) > _LOUDEST_FIRST.index(channel.min_severity):
        return Verdict(NotificationState.SUPPRESSED, f"{alert.severity} is below the channel's {channel.min_severity}")
    if channel.kinds and alert.kind not in channel.kinds:
        return Verdict(NotificationState.SUPPRESSED, f"the channel does not carry {alert.kind}")
    if now - alert.last_seen_at > HISTORY and event == "raised":
        return Verdict(NotificationState.SUPPRESSED, "it had happened more than an hour before it arrived")
    if event == "resolved" and not told:
        return Verdict(NotificationState.SUPPRESSED, "nobody was told that it was raised")
    if event == "resolved" and now - alert.raised_at < timedelta(seconds=1):
        return Verdict(NotificationState.SUPPRESSED, "it was over before anyone was told")
    return Verdict(NotificationState.INTENDED)
