"""Adds what one request showed to the figures by workflow, process and minute of event time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import AttemptFact
from monitoring.models.rollups import COUNTERS
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.events import ProjectedEvent
from monitoring.project.rows import insert_rows
from monitoring.project.runs import ProjectedRun
from monitoring.project.runs_merged import RunRow, count_tries

#: Workflow, process and minute.
Place: TypeAlias = tuple[int, int | None, datetime]
Figures: TypeAlias = dict[Place, dict[str, int]]

_COLUMNS = [
    ("tenant_id", "int"), ("workflow_id", "bigint"), ("process_id", "bigint"), ("minute", "timestamptz"),
    *((name, "bigint") for name in COUNTERS),
]  # fmt: skip
_TAIL = "ON CONFLICT (tenant_id, workflow_id, process_id, minute) DO UPDATE SET " + ", ".join(
    f"{name} = monitoring_workflowminute.{name} + excluded.{name}" for name in COUNTERS
)
_LESS = ", ".join(f"{name} = known.{name} - said.{name}" for name in COUNTERS)
_NAMES = ", ".join(name for name, _ in _COLUMNS)
_ARRAYS = ", ".join(f"%s::{kind}[]" for _, kind in _COLUMNS)
_TAKE_BACK = (
    f"UPDATE monitoring_workflowminute AS known SET {_LESS} FROM unnest({_ARRAYS}) AS said({_NAMES}) "  # noqa: S608  Constants.
    "WHERE (known.tenant_id, known.workflow_id, known.minute) = (said.tenant_id, said.workflow_id, said.minute) "
    "AND known.process_id IS NOT DISTINCT FROM said.process_id"
)


def write_rollups(
    runs: Sequence[ProjectedRun],
    events: Sequence[ProjectedEvent],
    attempts: Sequence[PlacedAttempt],
    fresh_dead: Sequence[PlacedAttempt],
    desk: Desk,
) -> None:
    """Add the counts. A run counts once its root has arrived, in the minute it ended; news of it counts it anew."""
    figures: Figures = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    for run in runs:
        _count_run(figures, run.row, 1)
        if run.before is not None:
            _count_run(figures, run.before, -1)
    for event in events:
        process_id = event.fact.verdict.process_id
        figures[event.workflow_id, process_id, _minute(event.fact.record.time)]["events"] += 1
    by_minute: dict[Place, list[AttemptFact]] = defaultdict(list)
    for placed in attempts:
        by_minute[_place(placed)].append(placed.fact)
    for key, facts in by_minute.items():
        tries = count_tries(facts)
        figures[key]["first_attempts"] += tries.first
        figures[key]["retries"] += tries.retries
        figures[key]["successes"] += tries.successes
        figures[key]["retry_successes"] += tries.retry_successes
    for placed in fresh_dead:
        figures[_place(placed)]["dead_letters"] += 1
    changed = sorted(((key, counts) for key, counts in figures.items() if any(counts.values())), key=_in_order)
    more = [(desk.tenant_id, *key, *(max(0, count) for count in counts.values())) for key, counts in changed]
    insert_rows("monitoring_workflowminute", _COLUMNS, more, _TAIL)
    less = [
        (desk.tenant_id, *key, *(max(0, -count) for count in counts.values()))
        for key, counts in changed
        if min(counts.values()) < 0
    ]
    if less:
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_BACK, [list(column) for column in zip(*less, strict=True)])


def _place(placed: PlacedAttempt) -> Place:
    return placed.workflow_id, placed.process_id, _minute(placed.at)


def _in_order(item: tuple[Place, object]) -> tuple[int, int, datetime]:
    workflow_id, process_id, minute = item[0]
    return workflow_id, process_id or 0, minute


def _count_run(figures: Figures, row: RunRow, sign: int) -> None:
    if not row.root_seen:
        return
    counts = figures[row.workflow_id, row.process_id, _minute(row.ended_at)]
    counts["runs"] += sign
    counts["failed"] += sign * (row.status in ("error", "dead"))
    counts["sla_met"] += sign * (row.sla_state == "met")
    counts["sla_breached"] += sign * (row.sla_state in ("breached", "failed"))
    counts["duration_ms"] += sign * int((row.ended_at - row.started_at).total_seconds() * 1000)
    if not row.attempts:
        # A source that says nothing of attempts has tried once.
        counts["first_attempts"] += sign
        counts["successes"] += sign * (row.status == "ok")


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
