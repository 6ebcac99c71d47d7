"""Sets the clock on runs that are still running towards a promise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from monitoring.desk import Desk
from monitoring.models.delivery import TimerKind
from monitoring.project.dead_letters import FreshDeadLetter
from monitoring.project.runs import ProjectedRun
from monitoring.timers import timers_clear, timers_set

#: Exporters send within seconds; a trace of which nothing was heard for this long has been told in full.
QUIET_AFTER = timedelta(minutes=10)
#: A run that several requests told of is computed once more when nothing was heard of it for this long.
SETTLE_AFTER = timedelta(seconds=60)


def set_run_timers(runs: Sequence[ProjectedRun], desk: Desk) -> None:
    """A running run with a due time gets a timer; one that has ended loses it.

    Until its root has come, a run gets a second one: for the case that the root never will. What several requests told
    of a run is only the sum of what each could see; a third one has it computed from all of them together. What came in
    one request is exact as it is, and costs nothing more.
    """
    rootless = [(run.id, desk.now + QUIET_AFTER) for run in runs if not run.row.root_seen]
    rooted = [run.id for run in runs if run.row.root_seen and run.before is not None and not run.before.root_seen]
    timers_set(desk.tenant_id, TimerKind.RUN_QUIET, rootless)
    timers_clear(desk.tenant_id, TimerKind.RUN_QUIET, sorted(rooted))
    merged = [(run.id, desk.now + SETTLE_AFTER) for run in runs if run.before is not None]
    timers_set(desk.tenant_id, TimerKind.RUN_SETTLE, merged)
    set_promise_timers(runs, desk)


def set_letter_timers(fresh: Sequence[FreshDeadLetter], desk: Desk) -> None:
    """A unit that died is looked at again: a success told by a request at work just then was not to be seen."""
    due = desk.now + SETTLE_AFTER
    timers_set(desk.tenant_id, TimerKind.DEAD_LETTER, [(letter.id, due) for letter in fresh])


def set_promise_timers(runs: Sequence[ProjectedRun], desk: Desk) -> None:
    """Set the clock on runs that are running towards a promise, stop it where they no longer are."""
    running, ended = [], []
    for run in runs:
        if run.row.sla_state == "running" and run.row.sla_due_at is not None:
            running.append((run.id, run.row.sla_due_at))
        elif run.before is not None and run.before.sla_state == "running":
            ended.append(run.id)
    timers_set(desk.tenant_id, TimerKind.RUN_SLA, running)
    timers_clear(desk.tenant_id, TimerKind.RUN_SLA, sorted(ended))
