"""Coverage: which share of what runs is tied to a process, an owner and an SLA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from monitoring.models import Event, Process, Run, Sla, Workflow
from monitoring.selectors.standing import Figures
from monitoring.selectors.visibility import tenant_rows
from monitoring.selectors.week import Service, week_by_service
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Coverage:
    """Runs and events of the last seven days, and how many of them are tied to what; each step asks for the one before.

    `tied` has a process, `owned` also an owner, `promised` also an SLA.
    """

    seen: int
    tied: int
    owned: int
    promised: int
    unowned_workflows: int

    @property
    def share(self) -> float | None:
        """The share of 0 to 1 that has process, owner and SLA; None where nothing was seen."""
        return self.promised / self.seen if self.seen else None


def coverage(viewer: Viewer, now: datetime) -> Coverage:
    """Measure coverage of the tenant; a viewer who is only a supplier sees nothing of it."""
    week = {} if viewer.is_supplier_only else week_by_service(viewer, now)
    promising = set(tenant_rows(viewer, Sla).values_list("process_id", flat=True))
    owners = dict(tenant_rows(viewer, Process).values_list("pk", "owner_id"))
    seen = tied = owned = promised = 0
    for (_, process_id), figures in week.items():
        number = figures.seen
        seen += number
        if process_id not in owners:
            continue
        tied += number
        if owners[process_id] is not None:
            owned += number
            promised += number if process_id in promising else 0
    return Coverage(seen, tied, owned, promised, unowned_workflows(viewer, week).count())


def unowned_workflows(viewer: Viewer, week: Mapping[Service, Figures]) -> QuerySet[Workflow]:
    """Return the automations that serve no process, or did something in the last week that no rule tied to one."""
    ran = Exists(Run.objects.filter(workflow_id=OuterRef("pk"), process=None))
    spoke = Exists(Event.objects.filter(workflow_id=OuterRef("pk"), process=None))
    loose = [workflow_id for (workflow_id, process_id), figures in week.items() if not process_id and figures.seen]
    return tenant_rows(viewer, Workflow).filter(Q(pk__in=loose, assigned=False) | Q(ran | spoke, process=None))
