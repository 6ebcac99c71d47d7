"""Writes dead letters: units that no automation tries again, and those that were put back or given up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import DEAD_PHASES, Phase
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.money import money
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
#: A unit that is open and dies later still is not settled by what happened between its deaths.
_DIED_SINCE = """
UPDATE monitoring_deadletter AS dead SET died_at = said.at
FROM unnest(%s::text[], %s::timestamptz[]) AS said(unit_id, at)
WHERE dead.tenant_id = current_setting('app.tenant_id')::int AND dead.unit_id = said.unit_id
  AND dead.state = 'open' AND dead.died_at < said.at
"""
_SETTLED_BY = {
    Phase.REDRIVEN: ("redriven", "The source says it was put back."),
    Phase.DISCARDED: ("discarded", "The source says it was thrown away."),
    Phase.OK: ("redriven", "A later attempt ended well."),
}
#: News of a unit may have come before the notice of its death. A try counts from its start: the consumer that parked
#: its message in a dead-letter queue ends well itself, and later.
_KNOWN_NEWS = """
SELECT DISTINCT ON (unit_id) unit_id, phase, CASE phase WHEN 'ok' THEN coalesce(started_at, ended_at) ELSE ended_at END
FROM monitoring_attempt
WHERE tenant_id = current_setting('app.tenant_id')::int AND unit_id = ANY(%s) AND phase = ANY(%s)
ORDER BY unit_id, 3 DESC
"""
_SETTLE = """
UPDATE monitoring_deadletter AS dead SET state = said.state, settled_at = said.at, settled_by = 'telemetry',
    settled_reason = said.reason
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS said(unit_id, state, reason, at)
WHERE dead.tenant_id = current_setting('app.tenant_id')::int AND dead.unit_id = said.unit_id
  AND dead.state = 'open' AND said.at >= dead.died_at RETURNING dead.id, dead.fingerprint
"""


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
    if not dead:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_DIED_SINCE, [sorted(dead), [dead[unit_id].at for unit_id in sorted(dead)]])
    rows = [_values(unit_id, placed, desk) for unit_id, placed in sorted(dead.items())]
    made = insert_rows("monitoring_deadletter AS old", _COLUMNS, rows, _AGAIN)
    return tuple(
        FreshDeadLetter(identifier, dead[unit_id], dead[unit_id].fact.attempt, deaths - 1)
        for unit_id, identifier, deaths in made
    )


def settle_dead_letters(attempts: Iterable[PlacedAttempt]) -> frozenset[str]:
    """Settle open dead letters whose unit was put back, thrown away or did succeed; return their fingerprints."""
    settled = _settle(_news(attempts))
    return frozenset(fingerprint for fingerprint in settled.values() if fingerprint)


def still_dead(fresh: Sequence[FreshDeadLetter], attempts: Iterable[PlacedAttempt]) -> tuple[FreshDeadLetter, ...]:
    """Settle those that were dealt with before their death was told of; return the others, which stand still."""
    if not fresh:
        return ()
    units = sorted(dead.placed.fact.unit_id[:300] for dead in fresh)
    news = _news(attempts)
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN_NEWS, [units, [phase.value for phase in _SETTLED_BY]])
        for unit_id, phase, at in cursor.fetchall():
            if unit_id not in news or news[unit_id][1] < at:
                news[unit_id] = (Phase(phase), at)
    settled = _settle({unit_id: news[unit_id] for unit_id in units if unit_id in news})
    return tuple(dead for dead in fresh if dead.id not in settled)


def _news(attempts: Iterable[PlacedAttempt]) -> dict[str, tuple[Phase, datetime]]:
    """The latest of what became of each unit after a death."""
    news: dict[str, tuple[Phase, datetime]] = {}
    for placed in attempts:
        fact, unit_id = placed.fact, placed.fact.unit_id[:300]
        at = fact.started_at or placed.at if fact.phase is Phase.OK else placed.at
        if fact.phase in _SETTLED_BY and (unit_id not in news or news[unit_id][1] < at):
            news[unit_id] = (fact.phase, at)
    return news


def _settle(news: Mapping[str, tuple[Phase, datetime]]) -> dict[int, str]:
    """Settle the open ones among these units; return their ids and fingerprints."""
    if not news:
        return {}
    units = sorted(news)
    stated = [_SETTLED_BY[news[unit][0]] for unit in units]
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            [units, [state for state, _ in stated], [why for _, why in stated], [news[unit][1] for unit in units]],
        )
        return dict(cursor.fetchall())


def _values(unit_id: str, placed: PlacedAttempt, desk: Desk) -> tuple[object, ...]:
    fact = placed.fact
    keys = json.dumps([{"type": key.type, "value": key.value} for key in placed.keys])
    return (
        desk.tenant_id, unit_id, placed.workflow_id, placed.process_id, placed.site_id, placed.run_id, placed.event_id,
        desk.intake_id, fact.destination[:300], fact.step[:300], fact.error_class[:200], fact.message[:4000],
        fact.span_id, fact.attempt, 1, keys, money(placed.value), fact.confidence.value, placed.at, "open", "", "", "",
    )  # fmt: skip
