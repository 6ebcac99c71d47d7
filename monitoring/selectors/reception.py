"""Whether anything arrives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from monitoring.models import Intake
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
    intake = tenant_rows(viewer, Intake)
    newest = intake.order_by("-received_at").values_list("received_at", flat=True)[:1]
    hour = intake.filter(received_at__gte=now - timedelta(hours=1)).order_by()
    return Reception(next(iter(newest), None), hour.count(), hour.aggregate(items=Sum("items"))["items"] or 0)
