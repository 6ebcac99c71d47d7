"""Dead letters, one by one and in groups by cause, as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Max, Min, QuerySet, Sum

from monitoring.models import DeadLetter
from monitoring.models.telemetry import DeadLetterState
from monitoring.selectors.keys import keys_matching
from monitoring.selectors.visibility import visible_rows
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """Dead letters with one cause. `value` is the money at stake, None where no source stated any."""

    workflow_id: int
    workflow: str
    process_id: int | None
    process: str
    destination: str
    error_class: str
    count: int
    oldest: datetime
    newest: datetime
    value: Decimal | None


def visible_dead_letters(viewer: Viewer) -> QuerySet[DeadLetter]:
    """Return the dead letters the viewer may see, newest first, with what a row of a list shows."""
    letters = visible_rows(viewer, DeadLetter).select_related("workflow", "process__owner", "process__site")
    return letters.order_by("-died_at", "-id")


def dead_letters_filtered(
    viewer: Viewer,
    *,
    state: str = "",
    key: str = "",
    workflow: int | None = None,
    process: int | None = None,
    site: int | None = None,
    destination: str | None = None,
    error_class: str | None = None,
    fingerprint: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[DeadLetter]:
    """Return visible dead letters that died in [since, until). `key` is `order:4711` or a bare value."""
    letters = visible_dead_letters(viewer)
    if key:
        keys = keys_matching(key)
        by_run = letters.filter(run__in=keys.exclude(run=None).values("run_id"))
        letters = by_run | letters.filter(event__in=keys.exclude(event=None).values("event_id"))
    named = {
        "state": state or None,
        "workflow": workflow,
        "process": process,
        "site_id": site,
        "destination": destination,
        "error_class": error_class,
        "fingerprint": fingerprint or None,
    }
    letters = letters.filter(**{name: value for name, value in named.items() if value is not None})
    if since is not None:
        letters = letters.filter(died_at__gte=since)
    return letters.filter(died_at__lt=until) if until is not None else letters


def dead_letter_get(viewer: Viewer, pk: int) -> DeadLetter:
    """Return one dead letter; raises DeadLetter.DoesNotExist where the viewer may not see it."""
    return visible_dead_letters(viewer).get(pk=pk)


def dead_letter_groups(viewer: Viewer, *, state: str = DeadLetterState.OPEN) -> Iterator[DeadLetterGroup]:
    """Yield groups by cause (workflow, destination, class of error), largest first."""
    cause = ("workflow_id", "workflow__name", "process_id", "process__name", "destination", "error_class")
    groups = visible_rows(viewer, DeadLetter).filter(state=state).values(*cause).order_by()
    totals = groups.annotate(total=Count("id"), oldest=Min("died_at"), newest=Max("died_at"), worth=Sum("value"))
    for group in totals.order_by("-total", "oldest", *cause):
        yield DeadLetterGroup(
            workflow_id=group["workflow_id"],
            workflow=group["workflow__name"],
            process_id=group["process_id"],
            process=group["process__name"] or "",
            destination=group["destination"],
            error_class=group["error_class"],
            count=group["total"],
            oldest=group["oldest"],
            newest=group["newest"],
            value=group["worth"],
        )
