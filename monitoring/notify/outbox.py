"""Notifying: a notification is a row first, written with the alert; sending comes after the commit.

`intended`, `delivered`, `failed` and `suppressed` are different states, and each carries its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from monitoring.catalogue import enabled_channels
from monitoring.desk import Desk
from monitoring.findings import Kind, Severity
from monitoring.live import announce, announce_soon
from monitoring.models import Alert, Notification
from monitoring.models.delivery import NotificationState, TimerKind
from monitoring.rows import arrays, insert_rows
from monitoring.rules import ChannelRule
from monitoring.stages import Alerted, Notified
from monitoring.timers import timers_set
from partners.database.statements import execute
from partners.scope import current_tenant_id

_LOUDEST_FIRST = [severity.value for severity in Severity]
#: What happened longer ago than this when it arrived is history: it is shown, and nobody is woken.
HISTORY = timedelta(hours=1)
_KEPT_BACK = """
SELECT DISTINCT alert_id FROM monitoring_notification
WHERE tenant_id = current_setting('app.tenant_id')::int AND alert_id = ANY(%s::bigint[]) AND event = 'raised'
  AND state = 'suppressed' AND tries = 0
"""
_COLUMNS = [
    ("tenant_id", "int"), ("alert_id", "bigint"), ("channel_id", "bigint"), ("event", "text"), ("message_id", "text"),
    ("state", "text"), ("reason", "text"), ("tries", "int"), ("next_try_at", "timestamptz"),
    ("created_at", "timestamptz"),
]  # fmt: skip
#: One that was suppressed may have become worth telling. One that was tried (no mail server is set) stays.
_RELEASED = """
ON CONFLICT (tenant_id, alert_id, channel_id, event) DO UPDATE SET
    state = excluded.state, reason = '', next_try_at = excluded.next_try_at
    WHERE monitoring_notification.state = 'suppressed' AND monitoring_notification.tries = 0
      AND excluded.state = 'intended'
RETURNING id, state
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a channel is to carry an alert, and why not."""

    state: NotificationState
    reason: str = ""


class Told(NamedTuple):
    """What channels are judged by of an alert."""

    id: int
    kind: str
    severity: str
    last_seen_at: datetime
    raised_at: datetime


def notify(alerted: Alerted, desk: Desk) -> Notified:
    """Write the outbox rows of newly raised and resolved alerts, and announce what open pages should reload."""
    announce_soon(desk.tenant_id, ["board", "runs"] if alerted.runs else ["board"] if alerted.events else [])
    topics = ["alerts", "board"] if alerted.changes or alerted.resolved else []
    topics += ["catalogue"] if any(change.kind == Kind.UNMAPPED for change in alerted.changes) else []
    topics += ["dead_letters"] if alerted.dead_letters else []
    intended = _written(alerted, desk) if desk.catalogue.channels else ()
    announce(desk.tenant_id, topics)
    return Notified(intended, alerted.changes)


def _written(alerted: Alerted, desk: Desk) -> tuple[int, ...]:
    """The outbox rows of what the request changed; an alert that it raised was raised now."""
    stand = [(change.kind, *change.answer()) for change in alerted.changes]
    withheld = _withheld([alert_id for _, alert_id, raised, _, _ in stand if not raised])
    # Two findings may add to one alert; it is told of as the last one left it.
    told = {
        alert_id: Told(alert_id, kind, severity, last_seen_at, desk.now)
        for kind, alert_id, _, severity, last_seen_at in stand
        if alert_id in withheld or any(raised for _, known, raised, _, _ in stand if known == alert_id)
    }
    channels = desk.catalogue.channels
    return (
        *_rows_written(tuple(told.values()), channels, desk.now, "raised"),
        *_resolved_written(alerted.resolved, channels, desk.now),
    )


def _withheld(alert_ids: Sequence[int]) -> set[int]:
    """Alerts that a channel judged too quiet, or history; they have grown since and are judged again."""
    if not alert_ids:
        return set()
    return {alert_id for (alert_id,) in execute(_KEPT_BACK, arrays(["bigint"], [alert_ids]))}


def resolutions_write(alert_ids: Iterable[int], now: datetime) -> tuple[int, ...]:
    """Write one outbox row for each of these alerts, which are over, and channel; return those that are to be sent."""
    ids = tuple(alert_ids)
    return _resolved_written(ids, enabled_channels(), now) if ids else ()


def _resolved_written(alert_ids: Sequence[int], channels: Sequence[ChannelRule], now: datetime) -> tuple[int, ...]:
    if not alert_ids or not channels:
        return ()
    found = Alert.objects.filter(pk__in=alert_ids).order_by("pk").values_list(
        "pk", "kind", "severity", "last_seen_at", "raised_at"
    )  # fmt: skip
    return _rows_written([Told(*row) for row in found], channels, now, "resolved", _told(alert_ids))


def _rows_written(
    alerts: Sequence[Told],
    channels: Sequence[ChannelRule],
    now: datetime,
    event: str,
    told: Collection[tuple[int, int]] = (),
) -> tuple[int, ...]:
    """Write one row for each alert and channel; return those that are to be sent. Writing a row again changes nothing,
    unless it was suppressed and the alert has become worth telling."""
    tenant_id, rows = current_tenant_id(), []
    for alert in alerts:
        for channel in channels:
            verdict = judge(channel, alert, event, now, told=(alert.id, channel.id) in told)
            message_id = f"msg_{uuid4().hex}"
            said = (event, message_id, verdict.state.value, verdict.reason, 0, now, now)
            rows.append((tenant_id, alert.id, channel.id, *said))
    written = insert_rows("monitoring_notification", _COLUMNS, rows, _RELEASED)
    intended = tuple(pk for pk, state in written if state == NotificationState.INTENDED)
    timers_set(tenant_id, TimerKind.NOTIFICATION, [(pk, now) for pk in intended])
    return intended


def _told(alert_ids: Sequence[int]) -> set[tuple[int, int]]:
    """Which alerts were raised on which channels, as (alert, channel)."""
    raised = Notification.objects.filter(alert_id__in=alert_ids, event="raised")
    return set(raised.exclude(state=NotificationState.SUPPRESSED).values_list("alert_id", "channel_id"))


def judge(channel: ChannelRule, alert: Told, event: str, now: datetime, *, told: bool = False) -> Verdict:
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
