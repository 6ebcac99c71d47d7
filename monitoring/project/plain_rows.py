"""Remembers of which units a first try went well: of a death that is told of later, it may be the redrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import DEAD_PHASES
from monitoring.names import unit_digest
from monitoring.native.turn import give_way
from monitoring.project.attempts import PlacedAttempt
from monitoring.rows import arrays, insert_rows
from partners.database.statements import Asked, ask

_COLUMNS = [
    ("tenant_id", "int"), ("place", "int"), ("unit", "bigint"), ("began_at", "timestamptz"), ("run_id", "bigint"),
    ("event_id", "bigint"),
]  # fmt: skip
#: A note's place: the hour since 2020 in which it was told of or, if that is later, the try began; and so many bits of
#: the unit, from the lowest number of four bytes up. An index of the unit alone would be written to all over for each
#: try; of this only the newest hours' pages are. And few bits are enough: many notes of a busy hour then share one
#: entry of the index.
_BITS, _LOWEST, _FIRST_HOUR = 14, -(2**31), 438_288
#: Where a sender's clock is ahead of ours by more than the hour that is going, its tries are noted under this one.
_FAR = 2 ** (32 - _BITS) - 1
#: Hours that are looked into one by one, and how far ahead: a clock that was put back left notes of hours to come.
_MOST_HOURS, _AHEAD = 200, 26
_DEAD = [phase.value for phase in DEAD_PHASES]
_OF_UNITS = """
SELECT note.unit, note.began_at FROM unnest(%s::bigint[], %s::int[]) AS wanted(unit, place)
CROSS JOIN LATERAL (
    SELECT unit, began_at FROM monitoring_plaintry
    WHERE tenant_id = current_setting('app.tenant_id')::int AND place = wanted.place AND unit = wanted.unit
      AND began_at >= %s OFFSET 0) AS note
"""
_OF_LONG_AGO = """
SELECT unit, began_at FROM monitoring_plaintry
WHERE tenant_id = current_setting('app.tenant_id')::int AND place >= %s AND unit = ANY(%s::bigint[]) AND began_at >= %s
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
_FORGET = """
DELETE FROM monitoring_plaintry AS note
WHERE tenant_id = current_setting('app.tenant_id')::int AND (place < %s OR place >= %s AND began_at < %s)
  -- Of a unit that died it says how that one stands, for as long as anybody looks.
  AND NOT EXISTS (SELECT 1 FROM monitoring_attempt AS told WHERE told.tenant_id = note.tenant_id
                  AND told.unit = note.unit AND told.phase = ANY(%s::text[]))
"""


def insert_plain(placed: Sequence[PlacedAttempt], desk: Desk) -> None:
    """Note these plain tries; without any, nothing is asked of the database."""
    insert_rows("monitoring_plaintry", _COLUMNS, sorted({_row(one, desk) for one in placed}, key=itemgetter(1)), "")


def correct_plain(run_ids: Collection[int], placed: Sequence[PlacedAttempt], desk: Desk) -> None:
    """Leave these runs exactly these plain tries, once each."""
    if not run_ids:
        return
    wanted: dict[int, set[tuple[int, datetime]]] = defaultdict(set)
    for one in placed:
        _, _, unit, began_at, run_id, _ = _row(one, desk)
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


@dataclass(frozen=True, slots=True)
class PlainAsked:
    """Which units were asked of, by digest, from when on, and what the notes say."""

    units: Mapping[int, str]
    since: datetime
    asked: Asked

    def covers(self, deaths: Mapping[str, datetime]) -> bool:
        """Say whether the answer holds all that these deaths are to be compared with."""
        return deaths.keys() <= set(self.units.values()) and min(deaths.values()) >= self.since

    def by_unit(self) -> Mapping[str, list[datetime]]:
        """Return when first tries at these units began that went well."""
        found: dict[str, list[datetime]] = defaultdict(list)
        for unit, began_at in self.asked.rows():
            found[self.units[unit]].append(began_at)
        return found


def ask_of_plain(deaths: Mapping[str, datetime], desk: Desk) -> PlainAsked | None:
    """Ask of first tries at these units that went well and began since the first of these deaths; None without any."""
    if not deaths:
        return None
    units, since = {unit_digest(unit): unit for unit in deaths}, min(deaths.values())
    first, last = _hour(since), _hour(desk.now) + _AHEAD
    if last - first > _MOST_HOURS:
        return PlainAsked(units, since, ask(_OF_LONG_AGO, [_place(first, 0), *arrays(["bigint"], [units]), since]))
    wanted = [(unit, _place(hour, unit)) for unit in units for hour in (*range(first, last), _FAR)]
    return PlainAsked(units, since, ask(_OF_UNITS, [*arrays(["bigint", "int"], zip(*wanted, strict=True)), since]))


def forget_plain(before: datetime) -> int:
    """Delete the tenant's notes that were told of before that hour, except of units that died; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [_place(_hour(before), 0), _place(_FAR, 0), before, _DEAD])
        return int(cursor.rowcount)


def place_of(unit: int, began_at: datetime, now: datetime) -> int:
    """Return the place of a note about a unit, given its digest, that is written now."""
    hour, told = _hour(began_at), _hour(now)
    return _place(max(hour, told) if hour <= told + 1 else _FAR, unit)


def _place(hour: int, unit: int) -> int:
    return _LOWEST + (hour << _BITS) + (unit & ((1 << _BITS) - 1))


def _hour(instant: datetime) -> int:
    """Hours of before 2020 are one, and those from the end of 2049 on."""
    hour = int(instant.timestamp()) // 3600 - _FIRST_HOUR
    return 0 if hour < 0 else min(hour, _FAR)


def _row(placed: PlacedAttempt, desk: Desk) -> tuple[int, int, int, datetime, int | None, int | None]:
    give_way()
    fact = placed.fact
    unit, began_at = unit_digest(fact.unit_id), fact.started_at or placed.at
    return desk.tenant_id, place_of(unit, began_at, desk.now), unit, began_at, placed.run_id, placed.event_id
