"""Whether anything arrives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Max, Sum

from monitoring.models import Intake, IntakeDay
from monitoring.models.intake import first_id
from monitoring.selectors.visibility import tenant_rows
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Reception:
    """When something arrived last, and how many requests and items the last hour brought."""

    last_at: datetime | None
    requests: int
    items: int


def reception(viewer: Viewer, now: datetime) -> Reception:
    """Read how the intake of the viewer's tenant stands."""
    hour = tenant_rows(viewer, Intake).filter(pk__gte=first_id(now - timedelta(hours=1))).order_by()
    said = hour.aggregate(newest=Max("received_at"), requests=Count("pk"), items=Sum("items"))
    last_at = said["newest"] or last_received_at(viewer, now)
    return Reception(last_at, said["requests"], said["items"] or 0)


_RECENT = timedelta(hours=12)
#: Rows from before the log had partitions have ids far below this.
_BEFORE_PARTITIONS = first_id(datetime(2000, 1, 1, tzinfo=UTC))


def last_received_at(viewer: Viewer, now: datetime) -> datetime | None:
    """Return when something arrived last, None where nothing ever did or nothing of it is kept.

    Each question names a range of ids: one without would open, and lock, every partition of the log.
    """
    newest = tenant_rows(viewer, Intake).order_by("-pk").values_list("received_at", flat=True)
    recent: datetime | None = newest.filter(pk__gte=first_id(now - _RECENT)).first()
    if recent is not None:
        return recent
    last = tenant_rows(viewer, IntakeDay).order_by("-day").values_list("day", flat=True).first()
    if last is None:
        return None
    start = datetime(last.year, last.month, last.day, tzinfo=UTC)
    of_day = newest.filter(pk__gte=first_id(start), pk__lt=first_id(start + timedelta(days=1)))
    found: datetime | None = of_day.first() or newest.filter(pk__lt=_BEFORE_PARTITIONS).first()
    return found
