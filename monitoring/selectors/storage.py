"""How much of a tenant's telemetry is kept and how fast it grows, out of the daily figures: the log is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import Q, Sum

from monitoring.models import IntakeDay
from monitoring.selectors.visibility import tenant_rows
from monitoring.storage.partitions import DaysKept, days_kept
from partners.models import Tenant
from partners.roles import PARTNER_ROLES
from partners.viewer import Viewer

#: Growth is the mean of this many whole days, so that a weekend is always in it.
GROWTH_DAYS = 7


@dataclass(frozen=True, slots=True)
class StoredDay:
    """One UTC day over all signals; `is_kept` is false once retention has dropped it."""

    day: date
    requests: int
    items: int
    bytes: int
    bytes_stored: int
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Storage:
    """What a tenant's part of the log holds, in bytes as kept, and by how much it grows a day."""

    days: tuple[StoredDay, ...]
    bytes_kept: int
    requests_kept: int
    growth: int
    oldest: date | None


@dataclass(frozen=True, slots=True)
class TenantStorage:
    """One tenant beside others; `bytes_30d` and `requests_30d` are of the last thirty days."""

    tenant: Tenant
    bytes_kept: int
    bytes_30d: int
    requests_30d: int
    growth: int


def storage(viewer: Viewer, today: date, *, days: int = 30) -> Storage:
    """Read the figures of the viewer's tenant: the last days one by one, newest first, and what is kept of all."""
    rows = tenant_rows(viewer, IntakeDay)
    kept = days_kept()
    whole = rows.filter(_is_kept(kept)).aggregate(stored=Sum("bytes_stored"), requests=Sum("requests"))
    by_day = rows.filter(day__gt=today - timedelta(days=days)).order_by("-day").values_list("day")
    sums = by_day.annotate(Sum("requests"), Sum("items"), Sum("bytes"), Sum("bytes_stored"))
    found = tuple(_stored_day(row, kept) for row in sums)
    return Storage(
        days=found,
        bytes_kept=whole["stored"] or 0,
        requests_kept=whole["requests"] or 0,
        growth=_growth({row.day: row.bytes_stored for row in found}, today),
        oldest=rows.filter(_is_kept(kept)).order_by("day").values_list("day", flat=True).first(),
    )


def _stored_day(row: Any, kept: DaysKept) -> StoredDay:
    day, requests, items, received, stored = row
    return StoredDay(day, requests, items, received, stored, kept.has(day))


def _is_kept(kept: DaysKept) -> Q:
    single = Q(day__in=kept.days)
    return single | Q(day__lt=kept.before) if kept.before else single


def _growth(stored: dict[date, int], today: date) -> int:
    """Bytes a day over the last whole days; of a tenant younger than that, over the days since its first."""
    whole = [day for day in stored if today - timedelta(days=GROWTH_DAYS) <= day < today]
    return sum(stored[day] for day in whole) // (today - min(whole)).days if whole else 0


_FLEET = """
SELECT tenant_id, sum(bytes_stored) FILTER (WHERE day = ANY(%(days)s) OR day < %(before)s),
       sum(bytes_stored) FILTER (WHERE day > %(month)s), sum(requests) FILTER (WHERE day > %(month)s),
       sum(bytes_stored) FILTER (WHERE day >= %(week)s AND day < %(today)s) / nullif(%(today)s - min(day) FILTER (
           WHERE day >= %(week)s AND day < %(today)s), 0)
FROM monitoring_intakeday GROUP BY tenant_id
"""


def storage_of_tenants(viewer: Viewer, today: date) -> list[TenantStorage]:
    """Read the figures of all tenants of the viewer's partner, largest first; nothing for who sees one tenant alone.

    It asks as the fleet's role, which reads daily figures of the tenants named and nothing else.
    """
    if not viewer.roles & PARTNER_ROLES:
        return []
    tenants = {tenant.pk: tenant for tenant in Tenant.objects.filter(partner_id=viewer.tenant.partner_id)}
    kept = days_kept()
    asked = {
        "days": list(kept.days),
        "before": kept.before or date.min,
        "month": today - timedelta(days=30),
        "week": today - timedelta(days=GROWTH_DAYS),
        "today": today,
    }
    rows = {row[0]: [int(figure or 0) for figure in row[1:]] for row in _as_fleet(sorted(tenants), asked)}
    found = [TenantStorage(tenant, *rows.get(pk, [0, 0, 0, 0])) for pk, tenant in tenants.items()]
    return sorted(found, key=lambda row: (-row.bytes_kept, row.tenant.name))


def _as_fleet(tenants: Sequence[int], asked: dict[str, Any]) -> list[Any]:
    with transaction.atomic(using="fleet"), connections["fleet"].cursor() as cursor:
        cursor.execute("SET LOCAL app.fleet_tenants = %s", [",".join(map(str, tenants))])
        cursor.execute(_FLEET, asked)
        found: list[Any] = cursor.fetchall()
        return found
