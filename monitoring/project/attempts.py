"""Which try of which unit a run or event tells of, and where it counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from monitoring.facts import DEAD_PHASES, AttemptFact, BusinessKey, EventFact
from monitoring.native.turn import give_way
from monitoring.project.events import ProjectedEvent
from monitoring.project.plain_tries import sorted_out
from monitoring.project.runs import ProjectedRun


class PlacedAttempt(NamedTuple):
    """An attempt with the run or event it stands in.

    `teller` names that run or event by value: its trace id, or a digest of the event's source and id. `plain`: all that
    it says of the unit is that a first try went well.
    """

    fact: AttemptFact
    workflow_id: int
    process_id: int | None
    site_id: int | None
    run_id: int | None
    event_id: int | None
    keys: tuple[BusinessKey, ...]
    value: float | None
    at: datetime
    teller: bytes = b""
    plain: bool = False


class Spoken(NamedTuple):
    """That something is told of a unit of work: `plain` as in PlacedAttempt, `at` when, and whether it died then."""

    unit_id: str
    at: datetime
    plain: bool
    is_death: bool


def placed_attempts(runs: Iterable[ProjectedRun], events: Iterable[ProjectedEvent]) -> tuple[PlacedAttempt, ...]:
    """Return every attempt of the payload with its place. A failed attempt takes its time from its run or event."""
    placed = []
    for run in runs:
        give_way()
        row = run.row
        of_run = (row.workflow_id, row.process_id, row.site_id, run.id, None, run.fact.keys, run.fact.value)
        for plain, fact, at in _timed(run.fact.attempts, row.ended_at):
            placed.append(PlacedAttempt(fact, *of_run, at, row.trace_id, plain))
    for event in events:
        verdict = event.fact.verdict
        place = (event.workflow_id, verdict.process_id, verdict.site_id, None, event.id)
        for plain, fact, at in _timed(event.fact.attempts, event.fact.record.time):
            placed.append(PlacedAttempt(fact, *place, event.fact.keys, event.fact.value, at, event.teller, plain))
    return tuple(placed)


def units_spoken_of(runs: Iterable[ProjectedRun], events: Iterable[EventFact]) -> list[Spoken]:
    """Return of which units attempts are told, by runs and events that may not be written yet."""
    spoken = []
    for attempts, ended_at in (
        *((run.fact.attempts, run.row.ended_at) for run in runs if run.fact.attempts),
        *((fact.attempts, fact.record.time) for fact in events),
    ):
        give_way()
        for plain, fact, at in _timed(attempts, ended_at):
            spoken.append(Spoken(fact.unit_id, at, plain, fact.phase in DEAD_PHASES))
    return spoken


def spoken_of(placed: PlacedAttempt) -> Spoken:
    """Return that this attempt is told of."""
    fact = placed.fact
    return Spoken(fact.unit_id, placed.at, placed.plain, fact.phase in DEAD_PHASES)


def _timed(attempts: Sequence[AttemptFact], otherwise: datetime) -> list[tuple[bool, AttemptFact, datetime]]:
    """The facts about plain units, then the others, each with its time."""
    return [
        (plain, fact, fact.ended_at or fact.started_at or otherwise)
        for plain, facts in zip((True, False), sorted_out(attempts), strict=True)
        for fact in facts
    ]
