"""Writes business keys: the join between telemetry and what the plant calls things."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from django.db import connection

from monitoring.desk import Desk
from monitoring.project.events import ProjectedEvent
from monitoring.project.runs import ProjectedRun
from monitoring.rows import Row, insert_rows

_COLUMNS = [
    ("tenant_id", "int"), ("key_type", "text"), ("value", "text"), ("run_id", "bigint"), ("event_id", "bigint"),
    ("at", "timestamptz"),
]  # fmt: skip
_TAIL = "ON CONFLICT (tenant_id, run_id, event_id, key_type, value) DO NOTHING"
_CORRECT = (
    "ON CONFLICT (tenant_id, run_id, event_id, key_type, value) DO UPDATE SET at = excluded.at "
    "WHERE known.at <> excluded.at RETURNING run_id, event_id"
)
_GONE = """
DELETE FROM monitoring_businesskey AS key WHERE tenant_id = current_setting('app.tenant_id')::int
  AND {of} = ANY(%s) AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS said(of, key_type, value)
    WHERE said.of = key.{of} AND said.key_type = key.key_type AND said.value = key.value)
RETURNING run_id, event_id
"""
_RUN, _EVENT = 3, 4
#: One order for all requests, so that no two wait for each other both ways.
_OF_RUN, _OF_EVENT = itemgetter(_RUN, 1, 2), itemgetter(_EVENT, 1, 2)


def write_keys(runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent], desk: Desk) -> None:
    """Insert the keys that these runs and events carry; a key that is known for its run or event is left alone."""
    of_runs = _of_runs(runs, desk)
    of_events = _of_events(events, desk)
    ordered = sorted(of_runs, key=_OF_RUN) + sorted(of_events, key=_OF_EVENT)
    insert_rows("monitoring_businesskey", _COLUMNS, ordered, _TAIL)


def correct_keys(
    runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent], desk: Desk
) -> tuple[set[int], set[int]]:
    """Leave these runs and events exactly the keys that their facts name; return those that had others."""
    of_runs, of_events = sorted(_of_runs(runs, desk), key=_OF_RUN), sorted(_of_events(events, desk), key=_OF_EVENT)
    other: list[Row] = []
    for of, place, rows, ids in (
        ("run_id", _RUN, of_runs, [run.id for run in runs]),
        ("event_id", _EVENT, of_events, [event.id for event in events]),
    ):
        if ids:
            named = [[row[place] for row in rows], [row[1] for row in rows], [row[2] for row in rows]]
            with connection.cursor() as cursor:
                cursor.execute(_GONE.format(of=of), [ids, *named])
                other += cursor.fetchall()
    other += insert_rows("monitoring_businesskey AS known", _COLUMNS, [*of_runs, *of_events], _CORRECT)
    return {row[0] for row in other if row[0] is not None}, {row[1] for row in other if row[1] is not None}


def _of_runs(runs: Sequence[ProjectedRun], desk: Desk) -> set[Row]:
    return {
        (desk.tenant_id, key.type[:40], key.value[:128], run.id, None, run.row.started_at)
        for run in runs
        for key in run.fact.keys
    }


def _of_events(events: Sequence[ProjectedEvent], desk: Desk) -> set[Row]:
    return {
        (desk.tenant_id, key.type[:40], key.value[:128], None, event.id, event.fact.record.time)
        for event in events
        for key in event.fact.keys
    }
