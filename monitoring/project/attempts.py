"""Which try of which unit a run or event tells of, and where it counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from monitoring.facts import AttemptFact, BusinessKey
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


def placed_attempts(runs: Iterable[ProjectedRun], events: Iterable[ProjectedEvent]) -> tuple[PlacedAttempt, ...]:
    """Return every attempt of the payload with its place. A failed attempt takes its time from its run or event."""
    placed = []
    for run in runs:
        give_way()
        row = run.row
        of_run = (row.workflow_id, row.process_id, row.site_id, run.id, None, run.fact.keys, run.fact.value)
        for plain, facts in zip((True, False), sorted_out(run.fact.attempts), strict=True):
            for fact in facts:
                at = fact.ended_at or fact.started_at or row.ended_at
                placed.append(PlacedAttempt(fact, *of_run, at, row.trace_id, plain))
    for event in events:
        verdict = event.fact.verdict
        place = (event.workflow_id, verdict.process_id, verdict.site_id, None, event.id)
        for plain, facts in zip((True, False), sorted_out(event.fact.attempts), strict=True):
            for fact in facts:
                at = fact.ended_at or fact.started_at or event.fact.record.time
                said = (event.fact.keys, event.fact.value, at, event.teller, plain)
                placed.append(PlacedAttempt(fact, *place, *said))
    return tuple(placed)
