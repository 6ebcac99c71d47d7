"""Writes dead letters: units that no automation tries again, and those that were put back or given up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import DEAD_PHASES, Phase
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.rows import insert_rows

_COLUMNS = [
    ("tenant_id", "int"), ("unit_id", "text"), ("workflow_id", "bigint"), ("process_id", "bigint"),
    ("site_id", "bigint"), ("run_id", "bigint"), ("event_id", "bigint"), ("intake_id", "bigint"),
    ("destination", "text"), ("step", "text"), ("error_class", "text"), ("message", "text"), ("span_id", "bytea"),
    ("attempts", "int"), ("deaths", "int"), ("keys", "jsonb"), ("value", "numeric"), ("confidence", "text"),
    ("died_at", "timestamptz"), ("state", "text"), ("settled_by", "text"), ("settled_reason", "text"),
    ("fingerprint", "text"),
]  # fmt: skip
#: A unit that was settled and dies again is open again; one that is open merely hears its own news repeated.
_AGAIN = """
ON CONFLICT (tenant_id, unit_id) DO UPDATE SET
    state = 'open', deaths = old.deaths + 1, settled_at = NULL, settled_by = '', settled_reason = '',
    died_at = excluded.died_at, attempts = greatest(old.attempts, excluded.attempts), intake_id = excluded.intake_id,
    destination = excluded.destination, error_class = excluded.error_class, message = excluded.message,
    run_id = coalesce(excluded.run_id, old.run_id), event_id = coalesce(excluded.event_id, old.event_id)
WHERE old.state <> 'open' AND excluded.died_at > coalesce(old.settled_at, old.died_at)
RETURNING unit_id, id, deaths
"""
_SETTLED_BY = {
    Phase.REDRIVEN: ("redriven", "The source says it was put back."),
    Phase.DISCARDED: ("discarded", "The source says it was thrown away."),
    Phase.OK: ("redriven", "A later attempt ended well."),
}


@dataclass(frozen=True, slots=True)
class FreshDeadLetter:
    """A dead letter that this request brought, or brought back."""

    id: int
    placed: PlacedAttempt
    attempts: int
    redriven_before: int


def write_dead_letters(attempts: Sequence[PlacedAttempt], desk: Desk) -> tuple[FreshDeadLetter, ...]:
    """Insert the units that died; return those that were not already open."""
    dead: dict[str, PlacedAttempt] = {}
    for placed in attempts:
        unit_id = placed.fact.unit_id[:300]
        if placed.fact.phase in DEAD_PHASES and (unit_id not in dead or dead[unit_id].at < placed.at):
            dead[unit_id] = placed
    rows = [_values(unit_id, placed, desk) for unit_id, placed in sorted(dead.items())]
    made = insert_rows("monitoring_deadletter AS old", _COLUMNS, rows, _AGAIN)
    return tuple(
        FreshDeadLetter(identifier, dead[unit_id], dead[unit_id].fact.attempt, deaths - 1)
        for unit_id, identifier, deaths in made
    )


def settle_dead_letters(attempts: Iterable[PlacedAttempt]) -> frozenset[str]:
    """Settle open dead letters whose unit was put back, thrown away or did succeed; return their fingerprints."""
    news: dict[str, PlacedAttempt] = {}
    for placed in attempts:
        if placed.fact.phase in _SETTLED_BY:
            news[placed.fact.unit_id[:300]] = placed
    if not news:
        return frozenset()
    units = sorted(news)
    stated = [_SETTLED_BY[news[unit].fact.phase] for unit in units]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_deadletter AS dead SET state = said.state, settled_at = said.at, "
            "settled_by = 'telemetry', settled_reason = said.reason "
            "FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS said(unit_id, state, reason, at) "
            "WHERE dead.tenant_id = current_setting('app.tenant_id')::int AND dead.unit_id = said.unit_id "
            "AND dead.state = 'open' AND said.at >= dead.died_at RETURNING dead.fingerprint",
            [units, [state for state, _ in stated], [why for _, why in stated], [news[unit].at for unit in units]],
        )
        return frozenset(fingerprint for (fingerprint,) in cursor.fetchall() if fingerprint)


def _values(unit_id: str, placed: PlacedAttempt, desk: Desk) -> tuple[object, ...]:
    fact = placed.fact
    keys = json.dumps([{"type": key.type, "value": key.value} for key in placed.keys])
    return (
        desk.tenant_id, unit_id, placed.workflow_id, placed.process_id, placed.site_id, placed.run_id, placed.event_id,
        desk.intake_id, fact.destination[:300], fact.step[:300], fact.error_class[:200], fact.message[:4000],
        fact.span_id, fact.attempt, 1, keys, placed.value, fact.confidence.value, placed.at, "open", "", "", "",
    )  # fmt: skip
