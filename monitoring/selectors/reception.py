"""Whether anything arrives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Sum

from monitoring.models import Intake
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


#: Where the newest row is looked for first: ids bounded below open one or two partitions, unbounded ones open them all.
_RECENT = timedelta(hours=12)


def last_received_at(viewer: Viewer, now: datetime) -> datetime | None:
    """Return when something arrived last, None where nothing ever did or nothing of it is kept."""
    newest = tenant_rows(viewer, Intake).order_by("-pk").values_list("received_at", flat=True)
    recent: datetime | None = newest.filter(pk__gte=first_id(now - _RECENT)).first()
    return recent or newest.first()
