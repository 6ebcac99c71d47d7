"""Remembers of which units a first try went well: of a death that is told of later, it may be the redrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from operator import itemgetter

from django.db import connection

from monitoring.desk import Desk
from monitoring.names import unit_digest
from monitoring.native.turn import give_way
from monitoring.project.attempts import PlacedAttempt
from monitoring.rows import arrays, execute, insert_rows

_COLUMNS = [
    ("tenant_id", "int"), ("unit", "bigint"), ("began_at", "timestamptz"), ("run_id", "bigint"), ("event_id", "bigint"),
]  # fmt: skip
_OF_UNITS = """
SELECT note.unit, note.began_at FROM unnest(%s::bigint[]) AS wanted(unit)
-- One at a time: a BRIN index knows nothing of lists.
CROSS JOIN LATERAL (
    SELECT unit, began_at FROM monitoring_plaintry
    WHERE tenant_id = current_setting('app.tenant_id')::int AND unit = wanted.unit AND began_at >= %s OFFSET 0) AS note
"""
#: Runs of one time have ids that lie together, so the range finds their pages; each run for itself would be one scan
#: of the index more.
_OF_RUNS = """
SELECT unit, began_at, run_id FROM monitoring_plaintry JOIN unnest(%s::bigint[]) AS wanted(run_id) USING (run_id)
WHERE tenant_id = current_setting('app.tenant_id')::int AND run_id BETWEEN %s AND %s
"""
_DELETE = """
DELETE FROM monitoring_plaintry AS known USING unnest(%s::bigint[]) AS wanted(run_id)
WHERE tenant_id = current_setting('app.tenant_id')::int AND known.run_id = wanted.run_id
  AND known.run_id BETWEEN %s AND %s
"""


def insert_plain(placed: Sequence[PlacedAttempt], desk: Desk) -> None:
    """Note these plain tries; without any, nothing is asked of the database."""
    insert_rows("monitoring_plaintry", _COLUMNS, sorted({_row(one, desk) for one in placed}, key=itemgetter(1, 2)), "")


def correct_plain(run_ids: Collection[int], placed: Sequence[PlacedAttempt], desk: Desk) -> None:
    """Leave these runs exactly these plain tries, once each."""
    if not run_ids:
        return
    wanted: dict[int, set[tuple[int, datetime]]] = defaultdict(set)
    for one in placed:
        _, unit, began_at, run_id, _ = _row(one, desk)
        if run_id is not None:
            wanted[run_id].add((unit, began_at))
    known: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_OF_RUNS, [sorted(run_ids), min(run_ids), max(run_ids)])
        for unit, began_at, run_id in cursor.fetchall():
            known[run_id].append((unit, began_at))
        other = {run_id for run_id in run_ids if sorted(known[run_id]) != sorted(wanted[run_id])}
        if other:
            cursor.execute(_DELETE, [sorted(other), min(other), max(other)])
            insert_plain([one for one in placed if one.run_id in other], desk)


def plain_news(units: Collection[str], since: datetime) -> dict[str, list[datetime]]:
    """Return when first tries at these units began that went well, at `since` or later."""
    by_digest = {unit_digest(unit): unit for unit in units}
    found: dict[str, list[datetime]] = defaultdict(list)
    if by_digest:
        for unit, began_at in execute(_OF_UNITS, [*arrays(["bigint"], [by_digest]), since]):
            found[by_digest[unit]].append(began_at)
    return found


def _row(placed: PlacedAttempt, desk: Desk) -> tuple[int, int, datetime, int | None, int | None]:
    give_way()
    fact = placed.fact
    unit = unit_digest(fact.unit_id[:300])
    return desk.tenant_id, unit, fact.started_at or placed.at, placed.run_id, placed.event_id
