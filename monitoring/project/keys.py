"""Writes business keys: the join between telemetry and what the plant calls things.

A key stands once in its run or event, and no index sees to that: a unique one over five columns would cost more than
the row. It is so because whoever writes keys of a run or event has made it in the same transaction, or holds its row
locked and reads first what is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import BusinessKey
from monitoring.project.events import ProjectedEvent
from monitoring.project.runs import ProjectedRun
from monitoring.rows import arrays, insert_rows
from partners.database.statements import Row, execute

_COLUMNS = [
    ("tenant_id", "int"), ("key_type", "text"), ("value", "text"), ("run_id", "bigint"), ("event_id", "bigint"),
]  # fmt: skip
_RUN, _EVENT = 3, 4
_NAMES = {_RUN: "run_id", _EVENT: "event_id"}
#: Each for itself: asked for all at once, a table that looked empty when this was planned is read by its tenant alone.
_KNOWN = """
SELECT {of}, key_type, value FROM unnest(%s::bigint[]) AS wanted(id)
CROSS JOIN LATERAL (SELECT {of}, key_type, value FROM monitoring_businesskey
    WHERE tenant_id = current_setting('app.tenant_id')::int AND {of} = wanted.id OFFSET 0) AS key
"""
_GONE = """
DELETE FROM monitoring_businesskey WHERE tenant_id = current_setting('app.tenant_id')::int AND {of} = ANY(%s)
"""


def write_keys(runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent], desk: Desk) -> None:
    """Insert the keys that these runs and events carry; a key that is known for its run is left alone.

    The events are new, as `written_events` returns them; a run that is not is locked since `write_runs` read it.
    """
    rows = _of_runs(runs, desk)
    told_before = [run.id for run in runs if run.before is not None and run.fact.keys]
    if told_before:
        known = set(_known(_RUN, told_before))
        rows = [row for row in rows if (row[_RUN], row[1], row[2]) not in known]
    insert_rows("monitoring_businesskey", _COLUMNS, [*rows, *_of_events(events, desk)], "")


def key_stored(key: BusinessKey) -> tuple[str, str]:
    """Return type and value of a key as they are stored."""
    return key.type[:40], key.value[:128]


def correct_keys(
    runs: Sequence[ProjectedRun], events: Sequence[ProjectedEvent], desk: Desk
) -> tuple[set[int], set[int]]:
    """Leave these runs and events, which the caller has locked, exactly the keys that their facts name; return those
    that had others."""
    return (
        _corrected(_RUN, [run.id for run in runs], _of_runs(runs, desk)),
        _corrected(_EVENT, [event.id for event in events], _of_events(events, desk)),
    )


def _corrected(place: int, ids: Sequence[int], rows: Sequence[Row]) -> set[int]:
    if not ids:
        return set()
    wanted: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        wanted[row[place]].append((row[1], row[2]))
    known: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for of, key_type, value in _known(place, ids):
        known[of].append((key_type, value))
    other = {of for of in ids if sorted(known[of]) != sorted(wanted[of])}
    if other:
        with connection.cursor() as cursor:
            cursor.execute(_GONE.format(of=_NAMES[place]), [sorted(other)])
        insert_rows("monitoring_businesskey", _COLUMNS, [row for row in rows if row[place] in other], "")
    return other


def _known(place: int, ids: Sequence[int]) -> list[Row]:
    return execute(_KNOWN.format(of=_NAMES[place]), arrays(["bigint"], [ids]))


def _of_runs(runs: Sequence[ProjectedRun], desk: Desk) -> list[Row]:
    named = ((desk.tenant_id, *key_stored(key), run.id, None) for run in runs for key in run.fact.keys)
    return list(dict.fromkeys(named))


def _of_events(events: Sequence[ProjectedEvent], desk: Desk) -> list[Row]:
    named = ((desk.tenant_id, *key_stored(key), None, event.id) for event in events for key in event.fact.keys)
    return list(dict.fromkeys(named))
