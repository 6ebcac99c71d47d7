"""Sends one outbox row: claimed by conditional UPDATE, sent outside any transaction, marked afterwards.

A worker that dies between sending and marking leaves the claim to run out, and the message goes once more with the
same id: at least once, recognisable by its receiver.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q

from monitoring.failpoints import reach
from monitoring.models import Alert, Channel, Notification
from monitoring.models.delivery import ChannelKind, NotificationState, TimerKind
from monitoring.notify.email import Email
from monitoring.notify.message import message_of
from monitoring.notify.transport import Message, NotConfigured, PermanentFailure, TemporaryFailure, Transport
from monitoring.notify.webhook import Webhook
from monitoring.timers import timers_clear, timers_set
from partners.models import Tenant
from partners.scope import tenant_scope

_log = logging.getLogger(__name__)

ACTOR = "system:outbox"
TRANSPORTS: dict[str, Transport] = {ChannelKind.EMAIL: Email(), ChannelKind.WEBHOOK: Webhook()}
_CLAIM = timedelta(seconds=60)
#: Waits between tries; after the last one the notification has failed.
_WAITS = [timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 7200, 7200, 7200)]


@dataclass(frozen=True, slots=True)
class _Claimed:
    tries: int
    channel: Channel
    message: Message


def deliver(tenant_id: int, notification_id: int, now: datetime) -> NotificationState | None:
    """Send one notification if it is this worker's to send; return its state, None where another worker has it."""
    with tenant_scope(tenant_id, actor=ACTOR):
        claimed = _claim(tenant_id, notification_id, now)
    if claimed is None:
        return None
    state, reason = _sent(claimed)
    reach("delivery.sent")
    again_at = None
    if state is NotificationState.INTENDED and claimed.tries > len(_WAITS):
        state, reason = NotificationState.FAILED, f"given up after {claimed.tries} tries: {reason}"
    elif state is NotificationState.INTENDED:
        again_at = now + _WAITS[claimed.tries - 1]
    with tenant_scope(tenant_id, actor=ACTOR):
        Notification.objects.filter(pk=notification_id, state=NotificationState.INTENDED).update(
            state=state,
            reason=reason,
            claimed_until=None,
            next_try_at=again_at or now,
            delivered_at=now if state is NotificationState.DELIVERED else None,
        )
        if again_at:
            timers_set(tenant_id, TimerKind.NOTIFICATION, [(notification_id, again_at)])
        else:
            timers_clear(tenant_id, TimerKind.NOTIFICATION, [notification_id])
    reach("delivery.marked")
    return state


def _sent(claimed: _Claimed) -> tuple[NotificationState, str]:
    """Send it and say how that went; `intended` means: try again."""
    channel = claimed.channel
    try:
        TRANSPORTS[channel.kind].send(channel.target, channel.secret, claimed.message)
    except NotConfigured as missing:
        return NotificationState.SUPPRESSED, str(missing)
    except PermanentFailure as failure:
        return NotificationState.FAILED, str(failure)
    except TemporaryFailure as failure:
        return NotificationState.INTENDED, str(failure)
    except Exception as fault:  # noqa: BLE001  It waits like any other, or the sweep would try it without end.
        _log.exception("notification over channel %d failed", channel.pk)
        return NotificationState.INTENDED, f"a fault in Andon: {fault.__class__.__name__}"
    return NotificationState.DELIVERED, ""


def _claim(tenant_id: int, notification_id: int, now: datetime) -> _Claimed | None:
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    waiting = Notification.objects.filter(free, pk=notification_id, state=NotificationState.INTENDED)
    if not waiting.update(claimed_until=now + _CLAIM, tries=F("tries") + 1):
        if not Notification.objects.filter(pk=notification_id, state=NotificationState.INTENDED).exists():
            timers_clear(tenant_id, TimerKind.NOTIFICATION, [notification_id])
        return None
    row = Notification.objects.select_related("channel").get(pk=notification_id)
    alert = Alert.objects.select_related("process__owner").get(pk=row.alert_id)
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=tenant_id)
    return _Claimed(row.tries, row.channel, message_of(row, alert, slug))
