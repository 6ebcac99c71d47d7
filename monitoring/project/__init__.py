"""Projecting: facts become rows, and the figures that the detectors may use are read back. A step of the main line."""

from __future__ import annotations

from monitoring.desk import Desk
from monitoring.facts import Mapped
from monitoring.project.attempts import placed_attempts, write_attempts
from monitoring.project.dead_letters import settle_dead_letters, still_dead, write_dead_letters
from monitoring.project.events import write_events
from monitoring.project.keys import write_keys
from monitoring.project.logs import write_trace_logs
from monitoring.project.rollups import write_rollups
from monitoring.project.runs import write_runs
from monitoring.project.timers import set_run_timers
from monitoring.project.windows import WindowReader
from monitoring.project.workflows import ensure_workflows
from monitoring.stages import Projected


def project(mapped: Mapped, desk: Desk) -> Projected:
    """Write what the facts say and return what there is to look at. Writes in one order, so that no two requests lock
    each other out."""
    workflows = ensure_workflows((*mapped.runs, *mapped.events), desk)
    runs = write_runs(mapped.runs, workflows, desk)
    events = write_events(mapped.events, workflows, desk)
    write_keys(runs, events, desk)
    write_trace_logs(mapped.logs, desk)
    told = placed_attempts(runs, events)
    attempts = write_attempts(told, desk)
    # A unit that dies of the same attempt again is no new attempt, but dead again: so all that was told goes in here.
    settled = settle_dead_letters(told)
    fresh = write_dead_letters(told, desk)
    write_rollups(runs, events, attempts, [dead.placed for dead in fresh], desk)
    set_run_timers(runs, desk)
    reader = WindowReader(workflows, desk)
    return Projected(
        dead_letters=reader.dead_letters(still_dead(fresh, told)),
        attempts=reader.attempts(attempts),
        promises=reader.promises(runs),
        unmapped=reader.unmapped(runs, events),
        settled=settled,
        claimed=workflows.claimed,
        runs=len(runs),
        events=len(events),
    )
