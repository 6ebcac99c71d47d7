"""Celery's entry points: a few lines each. Every task works in one tenant's scope and fails without a tenant."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from monitoring.clock import TOGETHER, due_handle, due_handle_together
from monitoring.notify.delivery import deliver
from monitoring.storage.counting import days_count
from monitoring.storage.partitions import partitions_drop, partitions_make
from monitoring.storage.pruning import outcomes_fold, plain_tries_prune
from monitoring.timers import timers_claim
from partners.models import Tenant
from partners.scope import NoTenantScope

_log = logging.getLogger(__name__)


@shared_task(name="monitoring.timers_sweep", expires=10)  # type: ignore[untyped-decorator]
def timers_sweep() -> int:
    """Deal with whatever is due, over all tenants; return how many."""
    handled = 0
    while dues := timers_claim(claimed_at := timezone.now()):
        for due in (due for due in dues if due.kind not in TOGETHER):
            try:
                due_handle(due, timezone.now())
            except Exception:  # noqa: BLE001  One timer that fails must not hold up the others; its lease brings it back.
                _log.exception("timer %s %d of tenant %d failed", due.kind, due.ref, due.tenant_id)
        # Last, since they take longest and people wait for the others; by the time of the claim, which tells a timer
        # that was set anew meanwhile.
        due_handle_together([due for due in dues if due.kind in TOGETHER], claimed_at)
        handled += len(dues)
    return handled


@shared_task(name="monitoring.intake_days_keep", expires=600)  # type: ignore[untyped-decorator]
def intake_days_keep() -> int:
    """Make the log's days ahead and drop those past their retention, over all tenants; return how many were dropped.

    The one task that needs no tenant: it reads no tenant's row.
    """
    partitions_make()
    try:
        done = partitions_drop(today=timezone.now().date(), retention_days=settings.INTAKE_RETENTION_DAYS)
    except OperationalError as error:
        _log.warning("the intake log is busy, retention waits for the next hour: %s", error)
        return 0
    if done.dropped:
        _log.warning("retention dropped %d days of the intake log, the last is %s", len(done.dropped), done.dropped[-1])
    return len(done.dropped)


@shared_task(name="monitoring.intake_days_count", expires=240)  # type: ignore[untyped-decorator]
def intake_days_count() -> None:
    """Bring every tenant's figures of the log up to now."""
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        days_count(tenant_id, timezone.now())


@shared_task(name="monitoring.plain_tries_prune_all", expires=600)  # type: ignore[untyped-decorator]
def plain_tries_prune_all() -> None:
    """Let go of every tenant's notes that serve nobody any more, and fold what workers counted apart."""
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        plain_tries_prune(tenant_id, timezone.now())
        outcomes_fold(tenant_id, timezone.now())


@shared_task(name="monitoring.notification_deliver", acks_late=True)  # type: ignore[untyped-decorator]
def notification_deliver(tenant_id: int, notification_id: int) -> str:
    """Send one notification; return its state."""
    if not tenant_id:
        raise NoTenantScope("A notification is sent in its tenant's scope; this task names no tenant.")
    return str(deliver(tenant_id, notification_id, timezone.now()))


def send_soon(tenant_id: int, notification_ids: tuple[int, ...]) -> None:
    """Hand committed outbox rows to a worker. Without a broker their timers bring them up within seconds."""
    for notification_id in notification_ids:
        try:
            notification_deliver.delay(tenant_id, notification_id)
        except (BrokerError, OSError) as error:
            _log.warning("the broker can't be reached, the sweep will send notification %d: %s", notification_id, error)
            return
