"""Writes runs that were computed anew from the whole log: their rows, keys and attempts become what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import RunFact
from monitoring.models.delivery import TimerKind
from monitoring.project.attempts import placed_attempts, spoken_of
from monitoring.project.keys import correct_keys
from monitoring.project.plain_rows import correct_plain
from monitoring.project.promise import with_promise
from monitoring.project.rollups import Figures
from monitoring.project.runs import ProjectedRun, locked_rows, update_rows
from monitoring.project.runs_merged import RunRow, fresh_row
from monitoring.project.timers import QUIET_AFTER, set_promise_timers
from monitoring.project.told import ask_of_told, write_told
from monitoring.project.unit_rows import units_told_by
from monitoring.project.windows import WindowReader
from monitoring.project.workflows import Workflows, ensure_workflows
from monitoring.stages import Projected
from monitoring.timers import timers_clear, timers_set

_DELETE = "DELETE FROM monitoring_run WHERE tenant_id = current_setting('app.tenant_id')::int AND id = ANY(%s)"
_DELETE_KEYS = """
DELETE FROM monitoring_businesskey WHERE tenant_id = current_setting('app.tenant_id')::int AND run_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class RunAnew:
    """One run as all its spans together say; `fact` None: the log says nothing of it, it is to go.

    `intakes` is where it was read: if the row names others meanwhile, this is out of date. `once_done` is the fact for
    a run without a root that was taken for done before.
    """

    trace_id: bytes
    intakes: tuple[int, ...]
    fact: RunFact | None
    once_done: RunFact | None


def project_anew(runs: Sequence[RunAnew], desk: Desk, *, quietly: bool = False) -> tuple[Projected, int, int]:
    """Put the rows of these runs right, and the figures by the difference; return how many were other, and how many
    are gone. The order of writes is that of `project`.

    `quietly` breaches a run that is past its due time here and now: the clock would tell people about it.
    """
    workflows = ensure_workflows([run.fact for run in runs if run.fact], desk)
    known = locked_rows(sorted(run.trace_id for run in runs)) if runs else {}
    current = [run for run in runs if run.trace_id in known and known[run.trace_id].intakes == run.intakes]
    gone = [known[run.trace_id] for run in current if run.fact is None]
    facts = [
        run.once_done if run.once_done and known[run.trace_id].root_seen else run.fact for run in current if run.fact
    ]
    projected = [_projected(fact, known[fact.trace_id], workflows, desk, quietly) for fact in facts if fact]
    other = [run for run in projected if run.row != run.before]
    update_rows([run.row for run in other], desk.tenant_id)
    figures = Figures()
    for run in other:
        assert run.before is not None
        figures.run(run.before, -1)
        figures.run(run.row, 1)
    for row in gone:
        figures.run(row, -1)
    ids = [run.id for run in projected] + [row.id for row in gone if row.id is not None]
    keyed, _ = correct_keys(projected, [], desk)
    units = units_told_by(ids, []) if ids else set()
    tellers = {run.row.trace_id for run in projected} | {row.trace_id for row in gone}
    told = placed_attempts(projected, [])
    correct_plain(_with_plain(projected, gone), [placed for placed in told if placed.plain], desk)
    asking = ask_of_told(list(map(spoken_of, told)), desk, anew=tellers, also=units)
    news = write_told(asking, told, figures, desk)
    figures.write(desk.tenant_id)
    _remove([row.id for row in gone if row.id is not None], desk)
    _wind_up(projected, desk)
    reader = WindowReader(workflows, desk)
    changed = {run.id for run in other} | keyed
    found = Projected(
        dead_letters=reader.dead_letters(reader.ask_of_groups(news.fresh)),
        attempts=reader.attempts(news.attempts),
        promises=reader.promises(projected),
        unmapped=reader.unmapped(reader.ask_of_unmapped(other, [])),
        settled=news.settled,
        left=news.left,
        claimed=workflows.claimed,
        runs=len(changed) + news.changed,
    )
    return found, max(len(changed), bool(news.changed)), len(gone)


def project_units(units: Sequence[str], desk: Desk) -> tuple[Projected, int]:
    """Look again how units stand: what was told at the same time as a death could not be seen then. Return how many
    rows were other."""
    figures = Figures()
    asking = ask_of_told([], desk, also=units)
    news = write_told(asking, [], figures, desk)
    figures.write(desk.tenant_id)
    reader = WindowReader(Workflows({}), desk)
    fresh = reader.dead_letters(reader.ask_of_groups(news.fresh))
    return Projected(dead_letters=fresh, settled=news.settled, left=news.left), news.changed


def _projected(fact: RunFact, known: RunRow, workflows: Workflows, desk: Desk, quietly: bool) -> ProjectedRun:
    fresh = fresh_row(fact, workflows.of(fact.identity).id, ())
    stated = fresh._replace(id=known.id, intakes=known.intakes, sla_state=known.sla_state)
    row = with_promise(stated, desk.catalogue.slas.get(stated.process_id or 0, ()))
    if not row.root_seen and row.sla_due_at is not None:
        is_late = row.sla_due_at <= desk.now
        if row.sla_state == "breached" and not is_late:
            # It was breached by a time that is no longer its own; the clock will say when it is.
            row = row._replace(sla_state="running")
        elif is_late and quietly:
            row = row._replace(sla_state="breached")
    return ProjectedRun(fact, row, known)


def _with_plain(runs: Sequence[ProjectedRun], gone: Sequence[RunRow]) -> list[int]:
    """The runs that have plain tries, or had: of others none is noted, and none is looked for."""
    kept = [run.id for run in runs if run.row.plain_tries or (run.before and run.before.plain_tries)]
    return kept + [row.id for row in gone if row.id is not None and row.plain_tries]


def _remove(ids: Sequence[int], desk: Desk) -> None:
    if ids:
        for kind in (TimerKind.RUN_SETTLE, TimerKind.RUN_QUIET, TimerKind.RUN_SLA):
            timers_clear(desk.tenant_id, kind, sorted(ids))
        with connection.cursor() as cursor:
            cursor.execute(_DELETE_KEYS, [list(ids)])
            cursor.execute(_DELETE, [list(ids)])


def _wind_up(runs: Sequence[ProjectedRun], desk: Desk) -> None:
    """Stop the clocks that have done their work. A run that was taken for done and is open after all waits again."""
    timers_clear(desk.tenant_id, TimerKind.RUN_SETTLE, sorted(run.id for run in runs))
    timers_clear(desk.tenant_id, TimerKind.RUN_QUIET, sorted(run.id for run in runs if run.row.root_seen))
    opened = [run.id for run in runs if run.before and run.before.root_seen and not run.row.root_seen]
    timers_set(desk.tenant_id, TimerKind.RUN_QUIET, [(identifier, desk.now + QUIET_AFTER) for identifier in opened])
    set_promise_timers(runs, desk)
