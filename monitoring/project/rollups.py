"""Adds what one request showed to the figures by minute of event time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import AttemptFact
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.events import ProjectedEvent
from monitoring.project.rows import insert_rows
from monitoring.project.runs import ProjectedRun
from monitoring.project.runs_merged import RunRow, count_tries

_COUNTERS = (
    "runs", "failed", "sla_met", "sla_breached", "events", "first_attempts", "retries", "successes",
    "retry_successes", "dead_letters", "duration_ms",
)  # fmt: skip
_COLUMNS = [
    ("tenant_id", "int"), ("workflow_id", "bigint"), ("minute", "timestamptz"),
    *((name, "bigint") for name in _COUNTERS),
]  # fmt: skip
_TAIL = "ON CONFLICT (tenant_id, workflow_id, minute) DO UPDATE SET " + ", ".join(
    f"{name} = monitoring_workflowminute.{name} + excluded.{name}" for name in _COUNTERS
)
_LESS = ", ".join(f"{name} = known.{name} - said.{name}" for name in _COUNTERS)
_NAMES = ", ".join(name for name, _ in _COLUMNS)
_ARRAYS = ", ".join(f"%s::{kind}[]" for _, kind in _COLUMNS)
_TAKE_BACK = (
    f"UPDATE monitoring_workflowminute AS known SET {_LESS} FROM unnest({_ARRAYS}) AS said({_NAMES}) "  # noqa: S608  Constants.
    "WHERE (known.tenant_id, known.workflow_id, known.minute) = (said.tenant_id, said.workflow_id, said.minute)"
)


def write_rollups(
    runs: Sequence[ProjectedRun],
    events: Sequence[ProjectedEvent],
    attempts: Sequence[PlacedAttempt],
    fresh_dead: Sequence[PlacedAttempt],
    desk: Desk,
) -> None:
    """Add the counts. A run counts once its root has arrived, in the minute it ended; news of it counts it anew."""
    figures: dict[tuple[int, datetime], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_COUNTERS, 0))
    for run in runs:
        _count_run(figures, run.row, 1)
        if run.before is not None:
            _count_run(figures, run.before, -1)
    for event in events:
        figures[event.workflow_id, _minute(event.fact.record.time)]["events"] += 1
    by_minute: dict[tuple[int, datetime], list[AttemptFact]] = defaultdict(list)
    for placed in attempts:
        by_minute[placed.workflow_id, _minute(placed.at)].append(placed.fact)
    for key, facts in by_minute.items():
        tries = count_tries(facts)
        figures[key]["first_attempts"] += tries.first
        figures[key]["retries"] += tries.retries
        figures[key]["successes"] += tries.successes
        figures[key]["retry_successes"] += tries.retry_successes
    for placed in fresh_dead:
        figures[placed.workflow_id, _minute(placed.at)]["dead_letters"] += 1
    changed = sorted((key, counts) for key, counts in figures.items() if any(counts.values()))
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


def _count_run(figures: dict[tuple[int, datetime], dict[str, int]], row: RunRow, sign: int) -> None:
    if not row.root_seen:
        return
    counts = figures[row.workflow_id, _minute(row.ended_at)]
    counts["runs"] += sign
    counts["failed"] += sign * (row.status in ("error", "dead"))
    counts["sla_met"] += sign * (row.sla_state == "met")
    counts["sla_breached"] += sign * (row.sla_state == "breached")
    counts["duration_ms"] += sign * int((row.ended_at - row.started_at).total_seconds() * 1000)
    if not row.attempts:
        # A source that says nothing of attempts has tried once.
        counts["first_attempts"] += sign
        counts["successes"] += sign * (row.status == "ok")


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
