"""What a tenant sent, by day: requests, items, bytes, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from monitoring.models import IntakeDay, IntakeOutcome
from monitoring.selectors.visibility import tenant_rows
from partners.viewer import Viewer

DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class UsageDay:
    """One UTC day and signal. `bytes` are counted decompressed, `bytes_stored` are those of the bodies as kept.

    The figures of today lag by some minutes (`monitoring/storage/counting.py`). `refused` are requests turned away,
    up to now.
    """

    day: date
    signal: str
    requests: int = 0
    items: int = 0
    bytes: int = 0
    bytes_stored: int = 0
    rejected_items: int = 0
    refused: int = 0


def usage_by_day(viewer: Viewer, *, since: datetime | None = None, until: datetime | None = None) -> list[UsageDay]:
    """Return days that had any traffic and touch [since, until), newest first; 30 days to now unless told."""
    until = until or datetime.now(UTC)
    since = since or until - timedelta(days=DEFAULT_DAYS)
    first, last = since.astimezone(UTC).date(), (until - timedelta(microseconds=1)).astimezone(UTC).date()
    days = tenant_rows(viewer, IntakeDay).filter(day__gte=first, day__lte=last)
    taken = {(row.pop("day"), row.pop("signal")): row for row in days.values("day", "signal", *_FIGURES)}
    refused = _refused(tenant_rows(viewer, IntakeOutcome).filter(hour__gte=since, hour__lt=until).exclude(status=200))
    return [
        UsageDay(day, signal, **taken.get((day, signal), {}), refused=refused.get((day, signal), 0))
        for day, signal in sorted({*taken, *refused}, key=lambda key: (-key[0].toordinal(), key[1]))
    ]


_FIGURES = ("requests", "items", "bytes", "bytes_stored", "rejected_items")


def _refused(rows: QuerySet[Any]) -> dict[tuple[date, str], int]:
    days = rows.order_by().values_list(TruncDate("hour", tzinfo=UTC), "signal")
    return {(day, signal): count for day, signal, count in days.annotate(Sum("requests"))}
