"""Writes business keys: the join between telemetry and what the plant calls things."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from monitoring.desk import Desk
from monitoring.project.events import ProjectedEvent
from monitoring.project.rows import insert_rows
from monitoring.project.runs import ProjectedRun

_COLUMNS = [
    ("tenant_id", "int"), ("key_type", "text"), ("value", "text"), ("run_id", "bigint"), ("event_id", "bigint"),
    ("at", "timestamptz"),
]  # fmt: skip
_TAIL = "ON CONFLICT (tenant_id, run_id, event_id, key_type, value) DO NOTHING"
_CORRECT = (
    "ON CONFLICT (tenant_id, run_id, event_id, key_type, value) DO UPDATE SET at = excluded.at "
    "WHERE known.at <> excluded.at RETURNING run_id"
)
_GONE = """
DELETE FROM monitoring_businesskey AS key WHERE tenant_id = current_setting('app.tenant_id')::int
  AND run_id = ANY(%s) AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS said(run_id, key_type, value)
    WHERE said.run_id = key.run_id AND said.key_type = key.key_type AND said.value = key.value)
RETURNING run_id
"""


def write_keys(runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent], desk: Desk) -> None:
    """Insert the keys that these runs and events carry; a key that is known for its run or event is left alone."""
    of_runs = _of_runs(runs, desk)
    of_events = {
        (desk.tenant_id, key.type[:40], key.value[:128], None, event.id, event.fact.record.time)
        for event in events
        for key in event.fact.keys
    }
    ordered = sorted(of_runs, key=str) + sorted(of_events, key=str)
    insert_rows("monitoring_businesskey", _COLUMNS, ordered, _TAIL)


def correct_keys(runs: Sequence[ProjectedRun], desk: Desk) -> set[int]:
    """Leave these runs exactly the keys that their facts name; return the runs that had others."""
    if not runs:
        return set()
    ordered = sorted(_of_runs(runs, desk), key=str)
    named = [[row[3] for row in ordered], [row[1] for row in ordered], [row[2] for row in ordered]]
    with connection.cursor() as cursor:
        cursor.execute(_GONE, [[run.id for run in runs], *named])
        gone = {run_id for (run_id,) in cursor.fetchall()}
    return gone | {run_id for (run_id,) in insert_rows("monitoring_businesskey AS known", _COLUMNS, ordered, _CORRECT)}


def _of_runs(runs: Sequence[ProjectedRun], desk: Desk) -> set[tuple[object, ...]]:
    return {
        (desk.tenant_id, key.type[:40], key.value[:128], run.id, None, run.row.started_at)
        for run in runs
        for key in run.fact.keys
    }
