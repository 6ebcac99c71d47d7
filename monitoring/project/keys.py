"""Writes business keys: the join between telemetry and what the plant calls things."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.desk import Desk
from monitoring.project.events import ProjectedEvent
from monitoring.project.rows import insert_rows
from monitoring.project.runs import ProjectedRun

_COLUMNS = [
    ("tenant_id", "int"), ("key_type", "text"), ("value", "text"), ("run_id", "bigint"), ("event_id", "bigint"),
    ("at", "timestamptz"),
]  # fmt: skip
_TAIL = "ON CONFLICT (tenant_id, run_id, event_id, key_type, value) DO NOTHING"


def write_keys(runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent], desk: Desk) -> None:
    """Insert the keys that these runs and events carry; a key that is known for its run or event is left alone."""
    of_runs = {
        (desk.tenant_id, key.type[:40], key.value[:128], run.id, None, run.row.started_at)
        for run in runs
        for key in run.fact.keys
    }
    of_events = {
        (desk.tenant_id, key.type[:40], key.value[:128], None, event.id, event.fact.record.time)
        for event in events
        for key in event.fact.keys
    }
    ordered = sorted(of_runs, key=str) + sorted(of_events, key=str)
    insert_rows("monitoring_businesskey", _COLUMNS, ordered, _TAIL)
