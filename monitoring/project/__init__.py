"""Projecting: facts become rows, and the figures that the detectors may use are read back. A step of the main line."""

from __future__ import annotations

from monitoring.desk import Desk
from monitoring.facts import Mapped
from monitoring.project.attempts import placed_attempts, units_spoken_of
from monitoring.project.events import ProjectedEvent, ask_to_write_events, written_events
from monitoring.project.keys import write_keys
from monitoring.project.logs import write_trace_logs
from monitoring.project.plain_rows import insert_plain
from monitoring.project.plain_tries import plain_tries
from monitoring.project.rollups import Figures
from monitoring.project.runs import ask_to_write_runs, write_runs
from monitoring.project.timers import set_letter_timers, set_run_timers
from monitoring.project.told import ask_of_told, write_told
from monitoring.project.windows import WindowReader
from monitoring.project.workflows import ensure_workflows
from monitoring.stages import Projected


def project(mapped: Mapped, desk: Desk) -> Projected:
    """Write what the facts say and return what there is to look at. Writes in one order, so that no two requests lock
    each other out."""
    workflows = ensure_workflows((*mapped.runs, *mapped.events), desk, desk.workflows)
    asked_runs = ask_to_write_runs(mapped.runs, workflows, desk)
    asked_events = ask_to_write_events(mapped.events, workflows, desk)
    asking = ask_of_told(units_spoken_of(asked_runs.waiting.values(), mapped.events), desk)
    runs = write_runs(asked_runs, desk)
    events = written_events(asked_events)
    figures = Figures()
    for run in runs:
        figures.run(run.row, 1)
        if run.before is not None:
            figures.run(run.before, -1)
    for event in events:
        _count(figures, event)
    write_keys(runs, events, desk)
    write_trace_logs(mapped.logs, desk)
    told = placed_attempts(runs, events)
    insert_plain([placed for placed in told if placed.plain], desk)
    made = {run.id: run.row.intakes[-1] for run in runs if run.before is None and run.row.intakes} if asking else {}
    news = write_told(asking, told, figures, desk, made)
    reader = WindowReader(workflows, desk)
    figures.write(desk.tenant_id)
    set_run_timers(runs, desk)
    groups = reader.ask_of_groups(news.fresh)
    unmapped = reader.ask_of_unmapped(runs, events)
    dead_letters = reader.dead_letters(groups)
    # Only now, when an answer has been waited for: it names the letters, which may have been made along with it.
    set_letter_timers(news.fresh, desk)
    return Projected(
        dead_letters=dead_letters,
        attempts=reader.attempts(news.attempts),
        promises=reader.promises(runs),
        unmapped=reader.unmapped(unmapped),
        settled=news.settled,
        left=news.left,
        claimed=workflows.claimed,
        runs=len(runs),
        events=len(events),
    )


def _count(figures: Figures, event: ProjectedEvent) -> None:
    record = event.fact.record
    tries = plain_tries(event.fact.attempts, record.time)
    figures.event(event.workflow_id, event.fact.verdict.process_id, record.time, tries, 1)
