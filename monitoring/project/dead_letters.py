"""Writes dead letters: units that no automation tries again, and those that were put back or given up."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import AttemptFact, BusinessKey, Confidence, Phase
from monitoring.models.packed import unpacked
from monitoring.names import unit_digest
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.keys import key_stored
from monitoring.project.money import money
from monitoring.project.rollups import Figures, Place, minute_of
from monitoring.project.units import TELEMETRY, Decision, Life, Told
from monitoring.rows import arrays, ask_to_insert
from partners.database.statements import Asked, ask, execute

_COLUMNS = [
    ("tenant_id", "int"), ("unit_id", "text"), ("workflow_id", "bigint"), ("process_id", "bigint"),
    ("site_id", "bigint"), ("run_id", "bigint"), ("event_id", "bigint"), ("intake_id", "bigint"),
    ("destination", "text"), ("step", "text"), ("error_class", "text"), ("message", "text"), ("span_id", "bytea"),
    ("attempts", "int"), ("deaths", "int"), ("keys", "jsonb"), ("value", "numeric"), ("confidence", "text"),
    ("died_at", "timestamptz"), ("settled_at", "timestamptz"), ("settled_by", "text"), ("settled_reason", "text"),
    ("decisions", "jsonb"), ("counted", "jsonb"), ("state", "text"),
]  # fmt: skip
_WITH_ALERT = [*_COLUMNS, ("fingerprint", "text")]
_NAMES = [name for name, _ in _COLUMNS[1:]]
_LOCKED = (
    f"SELECT id, fingerprint, {', '.join(_NAMES)} FROM monitoring_deadletter "  # noqa: S608  Constants.
    "WHERE tenant_id = current_setting('app.tenant_id')::int AND unit_id = ANY(%s::text[]) ORDER BY unit_id FOR UPDATE"
)
_DESCRIBED = """
SELECT told.unit_id, told.step, told.destination, told.error_class, told.message, told.span_id, told.confidence,
       told.value, told.run_id, told.event_id, coalesce(run.site_id, event.site_id),
       event.intake_id, run.intakes,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('type', key_type, 'value', value) ORDER BY key_type, value), '[]')
        FROM (SELECT key_type, value FROM monitoring_businesskey
              WHERE tenant_id = told.tenant_id AND run_id = told.run_id
              UNION ALL SELECT key_type, value FROM monitoring_businesskey
              WHERE tenant_id = told.tenant_id AND event_id = told.event_id) AS key)::text
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::bytea[])
    AS wanted(unit, unit_id, phase, attempt, teller)
-- The limit keeps this a look by the key for each one wanted, whatever the planner knows of the table's size.
CROSS JOIN LATERAL (
    SELECT * FROM monitoring_attempt AS known WHERE known.tenant_id = current_setting('app.tenant_id')::int
       AND known.unit = wanted.unit AND known.unit_id = wanted.unit_id AND known.phase = wanted.phase
       AND known.attempt = wanted.attempt AND known.teller = wanted.teller LIMIT 1) AS told
LEFT JOIN LATERAL (SELECT site_id, intakes FROM monitoring_run
    WHERE tenant_id = told.tenant_id AND id = told.run_id LIMIT 1) AS run ON true
LEFT JOIN LATERAL (SELECT site_id, intake_id FROM monitoring_event
    WHERE tenant_id = told.tenant_id AND id = told.event_id LIMIT 1) AS event ON true
"""
_ANEW = """
UPDATE monitoring_deadletter AS dead SET {assigned}
FROM unnest(%s::bigint[], {arrays}) AS said(id, {names})
WHERE dead.tenant_id = current_setting('app.tenant_id')::int AND dead.id = said.id
"""
_UNITS_OF = """
SELECT unit_id FROM monitoring_deadletter
WHERE tenant_id = current_setting('app.tenant_id')::int AND id = ANY(%s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is stored: its id, its alert's fingerprint, its columns in the order of `_NAMES`."""

    id: int
    fingerprint: str
    values: tuple[Any, ...]

    def __getitem__(self, name: str) -> Any:
        return self.values[_NAMES.index(name)]

    @property
    def counted(self) -> list[Place]:
        """Where its deaths count at present."""
        return [
            (workflow_id, process_id, datetime.fromtimestamp(minute * 60, UTC))
            for workflow_id, process_id, minute in _loaded(self["counted"])
        ]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What people decided about it, ever; the last one may stand in the columns alone."""
        kept = [
            Decision(said["state"], datetime.fromisoformat(said["at"]), said["by"], said["reason"])
            for said in _loaded(self["decisions"])
        ]
        if self["state"] != "open" and self["settled_by"] not in ("", TELEMETRY):
            last = Decision(self["state"], self["settled_at"], self["settled_by"], self["settled_reason"])
            if last not in kept:
                kept.append(last)
        return tuple(sorted(kept, key=lambda decision: decision.at))


def units_of_letters(ids: Sequence[int]) -> list[str]:
    """Return the units of these dead letters; of those that are gone, nothing."""
    return [unit_id for (unit_id,) in execute(_UNITS_OF, arrays(["bigint"], [ids]))]


class Numbers:
    """The ids of dead letters by unit, those that are being made among them: the database is waited for by whoever
    wants to know one of these first."""

    def __init__(self, known: Mapping[str, int], made: Asked | None) -> None:
        self._ids, self._made = dict(known), made

    def of(self, unit: str) -> int:
        """Return the id of the unit's dead letter."""
        if unit not in self._ids and self._made is not None:
            self._ids |= dict(self._made.rows())
        return self._ids[unit]


@dataclass(frozen=True, slots=True)
class FreshDeadLetter:
    """A dead letter that this request brought, or brought back."""

    unit: str
    numbers: Numbers
    placed: PlacedAttempt
    attempts: int
    redriven_before: int

    @property
    def id(self) -> int:
        return self.numbers.of(self.unit)


@dataclass(frozen=True, slots=True)
class Written:
    """Which dead letters came to stand open, the alerts of those that no longer do, how many rows changed.

    `left` are the alerts of those that stand open elsewhere: their runs turned out to be another automation's.
    """

    fresh: tuple[FreshDeadLetter, ...] = ()
    settled: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    changed: int = 0


def ask_of_letters(units: Collection[str]) -> Asked:
    """Lock the dead letters of these units, for `letters_of`: a person may be deciding about one."""
    return ask(_LOCKED, arrays(["text"], [sorted(units)]))


def letters_of(asked: Asked) -> dict[str, Letter]:
    """Return the dead letters of the units that were asked of, by unit."""
    letters = [Letter(row[0], row[1], row[2:]) for row in asked.rows()]
    return {letter["unit_id"]: letter for letter in letters}


def ask_of_deaths(
    lives: Mapping[str, Life | None],
    written: Mapping[tuple[str, str, int, bytes], PlacedAttempt],
    made: Mapping[int, int],
) -> Deaths:
    """Ask, for `write_letters`, what was told of the deaths that describe these units' dead letters.

    Nothing is asked of those that were `written` just now with a run that was `made` with them, whose last place in the
    log stands there by its id: all that is told of them is known.
    """
    here, asked = {}, []
    for unit, life in lives.items():
        placed = written.get(life.last.identity) if life else None
        if placed is not None and placed.run_id is not None and placed.run_id in made:
            here[unit] = _described_here(unit, placed, made[placed.run_id])
        elif life is not None:
            asked.append(life.last)
    identities = [(unit_digest(row.unit_id), *row.identity) for row in asked]
    kinds = ("bigint", "text", "text", "int", "bytea")
    return Deaths(here, asked, ask(_DESCRIBED, arrays(kinds, zip(*identities, strict=True))) if asked else None)


def write_letters(
    lives: Mapping[str, Life | None],
    deaths: Deaths,
    known: Mapping[str, Letter],
    figures: Figures,
    desk: Desk,
) -> Written:
    """Make the dead letters of these units what their lives say. A unit that never died has none."""
    dead = {unit: life for unit, life in lives.items() if life}
    gone = [known[unit] for unit, life in lives.items() if not life and unit in known and not known[unit].decisions]
    settled = {letter.fingerprint for letter in gone if letter["state"] == "open"}
    for lost in gone:
        figures.deaths(lost.counted, -1)
    _delete([letter.id for letter in gone])
    if not dead:
        return Written(settled=frozenset(settled - {""}), changed=len(gone))
    described = deaths.described(desk)
    made: list[tuple[Any, ...]] = []
    moved: list[tuple[int, tuple[Any, ...]]] = []
    corrected: list[tuple[int, tuple[Any, ...]]] = []
    fresh_units, left = [], set()
    for unit, life in sorted(dead.items()):
        letter = known.get(unit)
        values = _values(life, described[unit], letter)
        figures.deaths(letter.counted if letter else (), -1)
        figures.deaths(_places(life), 1)
        if life.state == "open" and (letter is None or letter["state"] != "open"):
            fresh_units.append(unit)
        if letter is None:
            made.append((desk.tenant_id, *values))
        elif letter["state"] != life.state:
            moved.append((letter.id, values))
            settled |= {letter.fingerprint} if letter["state"] == "open" else set()
        elif not _alike(letter.values, values):
            corrected.append((letter.id, values))
            if letter["state"] == "open" and _is_elsewhere(letter, described[unit].placed):
                fresh_units.append(unit)
                left.add(letter.fingerprint)
    ids = {unit: letter.id for unit, letter in known.items()}
    rows = [(*row, "") for row in made]
    numbers = Numbers(ids, ask_to_insert("monitoring_deadletter", _WITH_ALERT, rows, "RETURNING unit_id, id"))
    _update(moved, _NAMES)
    # Naming the column `state` would leave an entry in the audit trail, though nothing of it changed.
    _update([(identifier, values[:-1]) for identifier, values in corrected], _NAMES[:-1])
    fresh = (_fresh(unit, numbers, dead[unit], described[unit]) for unit in fresh_units)
    changed = len(gone) + len(made) + len(moved) + len(corrected)
    return Written(tuple(fresh), frozenset(settled - {""}), frozenset(left - {""}), changed)


@dataclass(frozen=True, slots=True)
class _Described:
    """The attempt that describes a dead letter, with what its run or event adds."""

    placed: PlacedAttempt
    intake_id: int
    keys: str


@dataclass(frozen=True, slots=True)
class Deaths:
    """What describes dead letters by unit: what is known, and what was asked about these rows."""

    here: Mapping[str, _Described]
    rows: Collection[Told]
    asked: Asked | None

    def described(self, desk: Desk) -> Mapping[str, _Described]:
        """Return what describes the dead letter of each unit."""
        found, by_unit = dict(self.here), {row.unit_id: row for row in self.rows}
        answers = self.asked.rows() if self.asked else ()
        for unit, step, destination, error, message, span, confidence, value, *place, intake, told, keys in answers:
            row, (run_id, event_id, site_id) = by_unit[unit], place
            intake_id = unpacked(bytes(told))[-1] if told else intake
            fact = AttemptFact(
                unit, row.attempt, Phase(row.phase), "", Confidence(confidence), step=step, destination=destination,
                error_class=error, message=message, span_id=bytes(span) if span else None,
            )  # fmt: skip
            named = tuple(sorted(BusinessKey(key["type"], key["value"]) for key in json.loads(keys)))
            amount = None if value is None else float(value)
            of = (row.workflow_id, row.process_id, site_id, run_id, event_id, named, amount, row.at, row.teller)
            found[unit] = _Described(PlacedAttempt(fact, *of), intake_id or desk.intake_id, _listed(named))
        return found


def _described_here(unit: str, placed: PlacedAttempt, intake_id: int) -> _Described:
    """What the rows will say of an attempt that is being written."""
    told = placed.fact
    fact = AttemptFact(
        unit, told.attempt, told.phase, "", told.confidence, step=told.step[:300], destination=told.destination,
        error_class=told.error_class[:200], message=told.message[:4000], span_id=told.span_id or None,
    )  # fmt: skip
    named = tuple(sorted({BusinessKey(*key_stored(key)) for key in placed.keys}))
    as_stored = placed._replace(fact=fact, keys=named, value=money(placed.value), plain=False)
    return _Described(as_stored, intake_id, _listed(named))


def _listed(keys: Iterable[BusinessKey]) -> str:
    return json.dumps([{"type": key.type, "value": key.value} for key in keys])


def _values(life: Life, described: _Described, letter: Letter | None) -> tuple[Any, ...]:
    placed, settled = described.placed, life.settled
    fact = placed.fact
    same_death = letter is not None and _is_of(letter, placed)
    decided = [
        {"state": one.state, "at": one.at.isoformat(), "by": one.by, "reason": one.reason}
        for one in (letter.decisions if letter else ())
    ]
    return (
        fact.unit_id, placed.workflow_id, placed.process_id, placed.site_id, placed.run_id, placed.event_id,
        letter["intake_id"] if letter and same_death else described.intake_id, fact.destination, fact.step,
        fact.error_class, fact.message, fact.span_id, life.attempts, len(life.episodes), described.keys, placed.value,
        fact.confidence.value, life.died_at, settled.at if settled else None, settled.by if settled else "",
        settled.reason if settled else "", json.dumps(decided),
        json.dumps([[*place[:2], int(place[2].timestamp()) // 60] for place in _places(life)]), life.state,
    )  # fmt: skip


def _is_of(letter: Letter, placed: PlacedAttempt) -> bool:
    return (letter["run_id"], letter["event_id"]) == (placed.run_id, placed.event_id)


def _is_elsewhere(letter: Letter, placed: PlacedAttempt) -> bool:
    """The first part of a trace to arrive may look like an automation of its own. What another sender tells of the same
    death moves nothing: the alert that people know would end and begin again with each message."""
    here = placed.workflow_id, placed.process_id
    return _is_of(letter, placed) and (letter["workflow_id"], letter["process_id"]) != here


def _places(life: Life) -> list[Place]:
    return [(death.workflow_id, death.process_id, minute_of(death.at)) for death in life.episodes]


def _alike(stored: tuple[Any, ...], values: tuple[Any, ...]) -> bool:
    return all(
        _plain(name, one) == _plain(name, other) for name, one, other in zip(_NAMES, stored, values, strict=True)
    )


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in ("keys", "decisions", "counted"):
        return _loaded(value)
    if name == "value":
        return float(value)
    return bytes(value) if isinstance(value, memoryview) else value


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _fresh(unit: str, numbers: Numbers, life: Life, described: _Described) -> FreshDeadLetter:
    placed = described.placed._replace(at=life.died_at)
    return FreshDeadLetter(unit, numbers, placed, life.attempts, len(life.episodes) - 1)


def _update(rows: list[tuple[int, tuple[Any, ...]]], names: list[str]) -> None:
    if not rows:
        return
    kinds = dict(_COLUMNS)
    statement = _ANEW.format(
        assigned=", ".join(f"{name} = said.{name}" for name in names),
        arrays=", ".join(f"%s::{kinds[name]}[]" for name in names),
        names=", ".join(names),
    )
    columns = [list(column) for column in zip(*(values for _, values in rows), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [[identifier for identifier, _ in rows], *columns])


def _delete(ids: list[int]) -> None:
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM monitoring_deadletter WHERE tenant_id = current_setting('app.tenant_id')::int "
                "AND id = ANY(%s)",
                [ids],
            )
