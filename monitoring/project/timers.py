"""Sets the clock on runs that are still running towards a promise."""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.desk import Desk
from monitoring.models.delivery import TimerKind
from monitoring.project.runs import ProjectedRun
from monitoring.timers import timers_clear, timers_set


def set_run_timers(runs: Iterable[ProjectedRun], desk: Desk) -> None:
    """A running run with a due time gets a timer; one that has ended loses it."""
    running, ended = [], []
    for run in runs:
        if run.row.sla_state == "running" and run.row.sla_due_at is not None:
            running.append((run.id, run.row.sla_due_at))
        elif run.before is not None and run.before.sla_state == "running":
            ended.append(run.id)
    timers_set(desk.tenant_id, TimerKind.RUN_SLA, running)
    timers_clear(desk.tenant_id, TimerKind.RUN_SLA, sorted(ended))
