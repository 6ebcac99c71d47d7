"""Adds what one request showed to the figures by minute of event time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from monitoring.desk import Desk
from monitoring.facts import AttemptFact
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.events import ProjectedEvent
from monitoring.project.rows import insert_rows
from monitoring.project.runs import ProjectedRun
from monitoring.project.runs_merged import count_tries

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


def write_rollups(
    runs: Sequence[ProjectedRun],
    events: Sequence[ProjectedEvent],
    attempts: Sequence[PlacedAttempt],
    fresh_dead: Sequence[PlacedAttempt],
    desk: Desk,
) -> None:
    """Add the counts; a run counts once, in the minute it ended, when its root arrives."""
    figures: dict[tuple[int, datetime], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_COUNTERS, 0))
    tried = {placed.run_id for placed in attempts if placed.run_id is not None}
    for run in runs:
        if run.completed_now:
            _count_run(figures[run.row.workflow_id, _minute(run.row.ended_at)], run, tried=run.id in tried)
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
    rows = [(desk.tenant_id, *key, *counts.values()) for key, counts in sorted(figures.items())]
    insert_rows("monitoring_workflowminute", _COLUMNS, rows, _TAIL)


def _count_run(counts: dict[str, int], run: ProjectedRun, *, tried: bool) -> None:
    row = run.row
    counts["runs"] += 1
    counts["failed"] += row.status in ("error", "dead")
    counts["sla_met"] += row.sla_state == "met"
    counts["sla_breached"] += row.sla_state == "breached"
    counts["duration_ms"] += int((row.ended_at - row.started_at).total_seconds() * 1000)
    if not tried and not row.attempts:
        # A source that says nothing of attempts has tried once.
        counts["first_attempts"] += 1
        counts["successes"] += row.status == "ok"


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
