"""Brings what runs and events tell of units of work into the rows: attempts, dead letters, and what they count for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitoring.desk import Desk
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.dead_letters import FreshDeadLetter, Letter, ask_of_letters, letters_of, write_letters
from monitoring.project.plain_rows import insert_plain, plain_news
from monitoring.project.rollups import Figures
from monitoring.project.unit_rows import (
    ask_of_units,
    dead_among,
    delete_attempts,
    known_units,
    lock_units,
    said_of,
    write_attempts,
)
from monitoring.project.units import Life, Told, life
from monitoring.rows import at_once


@dataclass(frozen=True, slots=True)
class News:
    """What a request (or settling) brought: tries nobody had told of, deaths, and alerts that may be over."""

    attempts: tuple[PlacedAttempt, ...] = ()
    fresh: tuple[FreshDeadLetter, ...] = ()
    settled: frozenset[str] = frozenset()
    #: Rows of attempts and dead letters that are new, other or gone.
    changed: int = 0


def write_told(
    told: Sequence[PlacedAttempt],
    figures: Figures,
    desk: Desk,
    *,
    anew: Collection[bytes] = (),
    also: Iterable[str] = (),
) -> News:
    """Write what was told, and add to `figures` what it changes. Telling twice equals telling once.

    Of the tellers in `anew` exactly what `told` says is kept; `also` names further units to look at.
    Plain traffic costs nothing here, unless it names units: then they are noted, with a look whether any is dead.
    """
    troubled = [placed for placed in told if not placed.plain]
    plain = [placed for placed in told if placed.plain]
    if not anew:
        insert_plain(plain, desk)
    units = {placed.fact.unit_id[:300] for placed in troubled}.union(also)
    units |= dead_among({placed.fact.unit_id[:300] for placed in plain} - units)
    if not units:
        return News()
    with at_once():
        lock_units(desk.tenant_id, units)
        asked = ask_of_units(units), ask_of_letters(units)
    before, letters = known_units(asked[0]), letters_of(asked[1])
    stated: dict[tuple[str, str, int, bytes], PlacedAttempt] = {}
    for placed in sorted(troubled, key=lambda placed: said_of(placed).order):
        stated.setdefault(said_of(placed).identity, placed)
    known = {row.identity: row for unit in units for row in before.get(unit, ())}
    gone = [row for row in known.values() if row.teller in anew and row.identity not in stated]
    written = {
        identity: placed for identity, placed in stated.items() if identity not in known or placed.teller in anew
    }
    delete_attempts(gone)
    changed = write_attempts(desk.tenant_id, written) + len(gone)
    after = known | {identity: said_of(placed) for identity, placed in written.items()}
    for row in gone:
        del after[row.identity]
    now_said: dict[str, list[Told]] = {unit: [] for unit in sorted(units)}
    for row in after.values():
        now_said[row.unit_id].append(row)
    for unit, rows in now_said.items():
        figures.unit(before.get(unit, []), -1)
        figures.unit(rows, 1)
    written_letters = write_letters(_lives(now_said, letters, desk), letters, figures, desk)
    said_before = {row.identity[:3] for row in known.values()}
    return News(
        attempts=tuple(placed for identity, placed in written.items() if identity[:3] not in said_before),
        fresh=written_letters.fresh,
        settled=written_letters.settled,
        changed=changed + written_letters.changed,
    )


def _has_died(rows: Sequence[Told]) -> bool:
    return any(row.is_death for row in rows)


def _lives(said: Mapping[str, Sequence[Told]], letters: Mapping[str, Letter], desk: Desk) -> dict[str, Life | None]:
    deaths = {unit: min(row.at for row in rows if row.is_death) for unit, rows in said.items() if _has_died(rows)}
    # What went well before a unit died is no redrive of it.
    well = plain_news(deaths, min(deaths.values()), desk) if deaths else {}
    return {
        unit: life(rows, well.get(unit, ()), letters[unit].decisions if unit in letters else ())
        for unit, rows in said.items()
    }
