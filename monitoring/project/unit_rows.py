"""Reads and writes the attempts that are not plain sailing, one unit of work at a time under its lock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import connection

from monitoring.facts import DEAD_PHASES
from monitoring.names import unit_digest
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.money import money
from monitoring.project.units import Told
from monitoring.rows import arrays, ask_to_insert
from partners.database.statements import Asked, ask, execute, tell

_COLUMNS = [
    ("tenant_id", "int"), ("unit", "bigint"), ("unit_id", "text"), ("attempt", "int"), ("phase", "text"),
    ("teller", "bytea"), ("max_attempts", "int"), ("workflow_id", "bigint"), ("process_id", "bigint"),
    ("run_id", "bigint"), ("event_id", "bigint"), ("step", "text"), ("destination", "text"), ("error_class", "text"),
    ("message", "text"), ("started_at", "timestamptz"), ("ended_at", "timestamptz"), ("next_at", "timestamptz"),
    ("span_id", "bytea"), ("dialect", "text"), ("confidence", "text"), ("value", "numeric"),
]  # fmt: skip
_SAID = [name for name, _ in _COLUMNS[6:]]
_UPSERT = (
    "ON CONFLICT (tenant_id, unit, phase, attempt, teller) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _SAID)
    + f" WHERE ({', '.join(f'old.{name}' for name in _SAID)})"
    + f" IS DISTINCT FROM ({', '.join(f'excluded.{name}' for name in _SAID)}) RETURNING id"
)
_KNOWN = """
SELECT unit_id, phase, attempt, teller, ended_at, started_at, coalesce(span_id, ''::bytea), workflow_id, process_id
FROM monitoring_attempt WHERE tenant_id = current_setting('app.tenant_id')::int AND unit = ANY(%s::bigint[])
  AND unit_id = ANY(%s::text[])
"""
_OF_TELLERS = """
SELECT DISTINCT unit_id FROM monitoring_attempt
WHERE tenant_id = current_setting('app.tenant_id')::int AND {of} = ANY(%s)
"""
_DEAD = """
SELECT unit_id FROM monitoring_deadletter
WHERE tenant_id = current_setting('app.tenant_id')::int AND unit_id = ANY(%s::text[])
"""
_DELETE = """
DELETE FROM monitoring_attempt AS known USING unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::bytea[])
    AS gone(unit, unit_id, phase, attempt, teller)
WHERE known.tenant_id = current_setting('app.tenant_id')::int AND known.unit = gone.unit
  AND known.unit_id = gone.unit_id AND known.phase = gone.phase AND known.attempt = gone.attempt
  AND known.teller = gone.teller
"""
#: Above this many units one lock over all of the tenant's stands for them: the table of locks has its size.
_MOST_LOCKS = 500
_LOCK_ALL = "SELECT pg_advisory_xact_lock(%s::int, 0)"
_LOCK_EACH = """
SELECT pg_advisory_xact_lock_shared(%s::int, 0)::text UNION ALL
SELECT pg_advisory_xact_lock(place)::text FROM (
    SELECT DISTINCT hashtextextended(unit_id, %s::bigint) AS place FROM unnest(%s::text[]) AS unit_id
    ORDER BY place) AS ordered
"""
#: The dead letters' table is asked for its own name in the lock space, so that no other part meets these locks.
_SPACE = 0x0A77_0000


def lock_units(tenant_id: int, units: Collection[str]) -> None:
    """Let no other transaction write about these units before this one ends.

    Two requests that tell of one try would else each miss what the other says, and both count it.
    """
    if len(units) > _MOST_LOCKS:
        tell(_LOCK_ALL, [_SPACE + tenant_id % 0xFFFF])
        return
    tell(_LOCK_EACH, [_SPACE + tenant_id % 0xFFFF, tenant_id, *arrays(["text"], [units])])


def ask_of_units(units: Collection[str]) -> Asked:
    """Ask what was told of these units, for `known_units`."""
    return ask(_KNOWN, arrays(["bigint", "text"], [map(unit_digest, units), units]))


def known_units(asked: Asked) -> dict[str, list[Told]]:
    """Return what was told of the units that were asked of."""
    found: dict[str, list[Told]] = defaultdict(list)
    for unit_id, phase, attempt, teller, at, started_at, span_id, workflow_id, process_id in asked.rows():
        found[unit_id].append(
            Told(unit_id, phase, attempt, bytes(teller), at, started_at, bytes(span_id), workflow_id, process_id)
        )
    return found


def units_told_by(run_ids: Sequence[int], event_ids: Sequence[int]) -> set[str]:
    """Return the units of which these runs and events have rows."""
    found: set[str] = set()
    with connection.cursor() as cursor:
        for of, ids in (("run_id", run_ids), ("event_id", event_ids)):
            if ids:
                cursor.execute(_OF_TELLERS.format(of=of), [list(ids)])
                found.update(unit_id for (unit_id,) in cursor.fetchall())
    return found


def dead_among(units: Collection[str]) -> set[str]:
    """Return those that have a dead letter."""
    if not units:
        return set()
    return {unit_id for (unit_id,) in execute(_DEAD, arrays(["text"], [units]))}


def said_of(placed: PlacedAttempt) -> Told:
    """Return an attempt as its row will read."""
    fact = placed.fact
    return Told(
        fact.unit_id, fact.phase.value, fact.attempt, placed.teller, placed.at, fact.started_at,
        fact.span_id or b"", placed.workflow_id, placed.process_id,
    )  # fmt: skip


def write_attempts(tenant_id: int, placed: Mapping[tuple[str, str, int, bytes], PlacedAttempt]) -> Asked | None:
    """Insert or correct these rows; the answer has a row for each that is new or other, None where there is nothing."""
    rows = [_values(placed[identity], tenant_id) for identity in sorted(placed)]
    return ask_to_insert("monitoring_attempt AS old", _COLUMNS, rows, _UPSERT)


def delete_attempts(rows: Iterable[Told]) -> None:
    """Delete rows that their tellers no longer support."""
    gone = sorted((unit_digest(row.unit_id), *row.identity) for row in rows)
    if gone:
        with connection.cursor() as cursor:
            cursor.execute(_DELETE, [list(column) for column in zip(*gone, strict=True)])


def _values(placed: PlacedAttempt, tenant_id: int) -> tuple[object, ...]:
    fact, unit_id = placed.fact, placed.fact.unit_id
    return (
        tenant_id, unit_digest(unit_id), unit_id, fact.attempt, fact.phase.value, placed.teller, fact.max_attempts,
        placed.workflow_id, placed.process_id, placed.run_id, placed.event_id, fact.step[:300], fact.destination,
        fact.error_class[:200], fact.message[:4000], fact.started_at, placed.at, fact.next_at, fact.span_id,
        fact.dialect[:40], fact.confidence.value, money(placed.value) if fact.phase in DEAD_PHASES else None,
    )  # fmt: skip
