"""Coverage: which share of what runs is tied to a process, an owner and an SLA."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitoring.models import Sla, Workflow
from monitoring.selectors.visibility import tenant_rows
from monitoring.selectors.week import week_by_workflow
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
    """Measure coverage over what the viewer may see; a supplier sees no more of it than nothing."""
    week = week_by_workflow(viewer, now)
    promising = set(tenant_rows(viewer, Sla).values_list("process_id", flat=True))
    seen = tied = owned = promised = unowned = 0
    workflows = tenant_rows(viewer, Workflow).values_list("pk", "process_id", "process__owner_id")
    for pk, process_id, owner_id in workflows:
        number = week[pk].seen if pk in week else 0
        seen += number
        if not process_id:
            unowned += 1
            continue
        tied += number
        if owner_id is not None:
            owned += number
            promised += number if process_id in promising else 0
    return Coverage(seen, tied, owned, promised, unowned)
