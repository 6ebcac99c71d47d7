"""Writes the attempts that are not plain sailing: retries, failures, dead letters and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitoring.desk import Desk
from monitoring.facts import AttemptFact, BusinessKey, Phase
from monitoring.project.events import ProjectedEvent
from monitoring.project.rows import insert_rows
from monitoring.project.runs import ProjectedRun

_COLUMNS = [
    ("tenant_id", "int"), ("unit_id", "text"), ("attempt", "int"), ("phase", "text"), ("max_attempts", "int"),
    ("workflow_id", "bigint"), ("process_id", "bigint"), ("run_id", "bigint"), ("event_id", "bigint"),
    ("step", "text"), ("destination", "text"), ("error_class", "text"), ("message", "text"),
    ("started_at", "timestamptz"), ("ended_at", "timestamptz"), ("next_at", "timestamptz"), ("span_id", "bytea"),
    ("dialect", "text"), ("confidence", "text"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlacedAttempt:
    """An attempt with the run or event it stands in."""

    fact: AttemptFact
    workflow_id: int
    process_id: int | None
    site_id: int | None
    run_id: int | None
    event_id: int | None
    keys: tuple[BusinessKey, ...]
    value: float | None
    at: datetime


def placed_attempts(runs: Iterable[ProjectedRun], events: Iterable[ProjectedEvent]) -> tuple[PlacedAttempt, ...]:
    """Return every attempt of the payload with its place. A failed attempt takes its time from its run or event."""
    placed = []
    for run in runs:
        row = run.row
        for fact in run.fact.attempts:
            at = fact.ended_at or fact.started_at or row.ended_at
            of_run = (row.workflow_id, row.process_id, row.site_id, run.id, None)
            placed.append(PlacedAttempt(fact, *of_run, run.fact.keys, run.fact.value, at))
    for event in events:
        for fact in event.fact.attempts:
            at = fact.ended_at or event.fact.record.time
            verdict = event.fact.verdict
            of_event = (event.workflow_id, verdict.process_id, verdict.site_id, None, event.id)
            placed.append(PlacedAttempt(fact, *of_event, event.fact.keys, event.fact.value, at))
    return tuple(placed)


def write_attempts(attempts: Sequence[PlacedAttempt], desk: Desk) -> tuple[PlacedAttempt, ...]:
    """Insert what is abnormal and new; return the new ones, and all first tries that went well (which are not kept)."""
    plain = [placed for placed in attempts if placed.fact.phase is Phase.OK and placed.fact.attempt <= 1]
    known = {_identity(placed.fact) for placed in plain}
    kept = {key: placed for placed in attempts if (key := _identity(placed.fact)) not in known}
    rows = [_values(placed, desk.tenant_id) for _, placed in sorted(kept.items(), key=lambda item: item[0])]
    tail = "ON CONFLICT (tenant_id, unit_id, phase, attempt) DO NOTHING RETURNING unit_id, phase, attempt"
    made = insert_rows("monitoring_attempt", _COLUMNS, rows, tail)
    return (*plain, *(kept[unit_id, phase, attempt] for unit_id, phase, attempt in made))


def _identity(fact: AttemptFact) -> tuple[str, str, int]:
    return fact.unit_id[:300], fact.phase.value, fact.attempt


def _values(placed: PlacedAttempt, tenant_id: int) -> tuple[object, ...]:
    fact = placed.fact
    return (
        tenant_id, fact.unit_id[:300], fact.attempt, fact.phase.value, fact.max_attempts, placed.workflow_id,
        placed.process_id, placed.run_id, placed.event_id, fact.step[:300], fact.destination[:300],
        fact.error_class[:200], fact.message[:4000], fact.started_at, placed.at, fact.next_at, fact.span_id,
        fact.dialect[:40], fact.confidence.value,
    )  # fmt: skip
