"""The unowned queue: automations that serve no process, why, and which process would fit by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery

from monitoring.models import Event, Run, Workflow
from monitoring.selectors.coverage import unowned_workflows
from monitoring.selectors.standing import Figures
from monitoring.selectors.visibility import visible_processes
from monitoring.selectors.week import week_by_service
from partners.viewer import Viewer

_WORD = re.compile(r"[a-z0-9]{3,}")
#: Words that say nothing about what is done.
_NOISE = frozenset({"workflow", "task", "tasks", "job", "process", "copy", "test", "main", "default", "service", "the"})
#: Below this share of common words a suggestion would be a guess.
_ENOUGH = 0.3


@dataclass(frozen=True, slots=True)
class Unowned:
    """One automation without a process: what it did in the last seven days, why no rule matched, what would fit."""

    workflow: Workflow
    week: Figures
    reason: str
    suggested_id: int | None


def unowned_queue(viewer: Viewer, now: datetime) -> list[Unowned]:
    """Return the queue, busiest first; empty for a viewer who is only a supplier."""
    loose_runs = Run.objects.filter(workflow_id=OuterRef("pk"), process=None)
    loose_events = Event.objects.filter(workflow_id=OuterRef("pk"), process=None)
    latest_run = loose_runs.order_by("-started_at").values("kind__mapping_reason")[:1]
    latest_event = loose_events.order_by("-time").values("mapping_reason")[:1]
    week = week_by_service(viewer, now)
    workflows = unowned_workflows(viewer, week)
    found = workflows.annotate(run_reason=Subquery(latest_run), event_reason=Subquery(latest_event))
    words = _words_by_process(viewer)
    queue = [
        Unowned(
            workflow=workflow,
            week=week.get((workflow.pk, 0), Figures()),
            reason=workflow.run_reason or workflow.event_reason or "no mapping rule matched",
            suggested_id=suggest(f"{workflow.name} {workflow.source_key}", words),
        )
        for workflow in found
    ]
    return sorted(queue, key=lambda item: (-item.week.seen, item.workflow.name))


def suggest(name: str, words: Mapping[int, frozenset[str]]) -> int | None:
    """Return the process whose words have most in common with a name, or None where too little is."""
    wanted = words_of([name])
    if not wanted:
        return None
    shares = {pk: len(wanted & known) / len(wanted) for pk, known in words.items() if known}
    best = max(shares, key=lambda pk: (shares[pk], -pk), default=None)
    return best if best is not None and shares[best] >= _ENOUGH else None


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of texts that say something, in lower case and without a plural's s."""
    found = {word.removesuffix("s") for text in texts for word in _WORD.findall(text.lower().replace("_", " "))}
    return frozenset(found - _NOISE)


def _words_by_process(viewer: Viewer) -> dict[int, frozenset[str]]:
    processes = visible_processes(viewer).prefetch_related("workflows")
    return {
        process.pk: words_of([process.name, process.slug, *(workflow.name for workflow in process.workflows.all())])
        for process in processes
    }
