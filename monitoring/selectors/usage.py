"""What a tenant sent, by day: requests, items, bytes, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from monitoring.models import Intake, IntakeOutcome
from monitoring.selectors.visibility import tenant_rows
from partners.viewer import Viewer

DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class UsageDay:
    """One UTC day and signal. `bytes` are counted decompressed; `refused` are requests turned away."""

    day: date
    signal: str
    requests: int = 0
    items: int = 0
    bytes: int = 0
    rejected_items: int = 0
    refused: int = 0


def usage_by_day(viewer: Viewer, *, since: datetime | None = None, until: datetime | None = None) -> list[UsageDay]:
    """Return days that had any traffic in [since, until), newest first; 30 days to now unless told."""
    until = until or datetime.now(UTC)
    since = since or until - timedelta(days=DEFAULT_DAYS)
    taken = _taken(tenant_rows(viewer, Intake).filter(received_at__gte=since, received_at__lt=until))
    refused = _refused(tenant_rows(viewer, IntakeOutcome).filter(hour__gte=since, hour__lt=until).exclude(status=200))
    return [
        UsageDay(day, signal, *taken.get((day, signal), _NOTHING), refused=refused.get((day, signal), 0))
        for day, signal in sorted({*taken, *refused}, key=lambda key: (-key[0].toordinal(), key[1]))
    ]


_NOTHING = (0, 0, 0, 0)


def _taken(rows: QuerySet[Any]) -> dict[tuple[date, str], tuple[int, int, int, int]]:
    days = rows.order_by().values_list(TruncDate("received_at", tzinfo=UTC), "signal")
    sums = days.annotate(Count("id"), Sum("items"), Sum("size"), Sum("rejected"))
    return {(day, signal): tuple(figures) for day, signal, *figures in sums}


def _refused(rows: QuerySet[Any]) -> dict[tuple[date, str], int]:
    days = rows.order_by().values_list(TruncDate("hour", tzinfo=UTC), "signal")
    return {(day, signal): count for day, signal, count in days.annotate(Sum("requests"))}
