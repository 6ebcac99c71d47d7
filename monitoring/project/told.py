"""Brings what runs and events tell of units of work into the rows: attempts, dead letters, and what they count for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from monitoring.desk import Desk
from monitoring.project.attempts import PlacedAttempt, Spoken
from monitoring.project.dead_letters import (
    FreshDeadLetter,
    Letter,
    ask_of_deaths,
    ask_of_letters,
    letters_of,
    write_letters,
)
from monitoring.project.plain_rows import PlainAsked, ask_of_plain
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
from partners.database.statements import Asked


@dataclass(frozen=True, slots=True)
class News:
    """What a request (or settling) brought: tries nobody had told of, deaths, and alerts that may be over."""

    attempts: tuple[PlacedAttempt, ...] = ()
    fresh: tuple[FreshDeadLetter, ...] = ()
    settled: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    #: Rows of attempts and dead letters that were corrected or are gone, and attempts that are new or other.
    corrected: int = 0
    written: Asked | None = None

    @property
    def changed(self) -> int:
        """How many rows are new, other or gone."""
        return self.corrected + (len(self.written.rows()) if self.written else 0)


@dataclass(frozen=True, slots=True)
class Asking:
    """Which units something is told of, and what was asked about them."""

    anew: Collection[bytes]
    units: Collection[str]
    known: Asked
    letters: Asked
    plain: PlainAsked | None


def ask_of_told(
    told: Sequence[Spoken], desk: Desk, *, anew: Collection[bytes] = (), also: Iterable[str] = ()
) -> Asking | None:
    """Ask, for `write_told`, what is known of the units that were told of; None where none is worth a look.

    Of the tellers in `anew` exactly what is told is kept; `also` names further units to look at.
    Plain traffic costs nothing here, unless it names units: then with a look whether any is dead.
    """
    units = {spoken.unit_id for spoken in told if not spoken.plain}.union(also)
    units |= dead_among({spoken.unit_id for spoken in told if spoken.plain} - units)
    if not units:
        return None
    lock_units(desk.tenant_id, units)
    first_death = _deaths(spoken for spoken in told if not spoken.plain)
    return Asking(anew, units, ask_of_units(units), ask_of_letters(units), ask_of_plain(first_death, desk))


def write_told(
    asking: Asking | None,
    told: Sequence[PlacedAttempt],
    figures: Figures,
    desk: Desk,
    made: Mapping[int, int] | None = None,
) -> News:
    """Write what was told, and add to `figures` what it changes. Telling twice equals telling once.

    `made` are the runs that were made just now, with their last place in the log.
    """
    if asking is None:
        return News()
    anew, units = asking.anew, asking.units
    troubled = [placed for placed in told if not placed.plain]
    before, letters = known_units(asking.known), letters_of(asking.letters)
    stated: dict[tuple[str, str, int, bytes], PlacedAttempt] = {}
    for placed in sorted(troubled, key=lambda placed: said_of(placed).order):
        stated.setdefault(said_of(placed).identity, placed)
    known = {row.identity: row for unit in units for row in before.get(unit, ())}
    gone = [row for row in known.values() if row.teller in anew and row.identity not in stated]
    written = {
        identity: placed for identity, placed in stated.items() if identity not in known or placed.teller in anew
    }
    after = known | {identity: said_of(placed) for identity, placed in written.items()}
    for row in gone:
        del after[row.identity]
    now_said: dict[str, list[Told]] = {unit: [] for unit in sorted(units)}
    for row in after.values():
        now_said[row.unit_id].append(row)
    for unit, rows in now_said.items():
        figures.unit(before.get(unit, []), -1)
        figures.unit(rows, 1)
    lives = _lives(now_said, letters, asking.plain, [placed for placed in told if placed.plain], desk)
    delete_attempts(gone)
    new = write_attempts(desk.tenant_id, written)
    deaths = ask_of_deaths(lives, written, made or {})
    written_letters = write_letters(lives, deaths, letters, figures, desk)
    said_before = {row.identity[:3] for row in known.values()}
    return News(
        attempts=tuple(placed for identity, placed in written.items() if identity[:3] not in said_before),
        fresh=written_letters.fresh,
        settled=written_letters.settled,
        left=written_letters.left,
        corrected=len(gone) + written_letters.changed,
        written=new,
    )


def _deaths(rows: Iterable[Told | Spoken]) -> dict[str, datetime]:
    """When each unit that died did so first."""
    found: dict[str, datetime] = {}
    for row in rows:
        if row.is_death:
            found[row.unit_id] = min(row.at, found.get(row.unit_id, row.at))
    return found


def _lives(
    said: Mapping[str, Sequence[Told]],
    letters: Mapping[str, Letter],
    plain: PlainAsked | None,
    told: Sequence[PlacedAttempt],
    desk: Desk,
) -> dict[str, Life | None]:
    """How each unit stands. What went well at once was noted before, or is `told` of now: that may not stand there when
    the notes are asked for."""
    deaths = _deaths(chain.from_iterable(said.values()))
    # What went well before a unit died is no redrive of it. Of earlier deaths than were told of now, earlier tries.
    if deaths and (plain is None or not plain.covers(deaths)):
        plain = ask_of_plain(deaths, desk)
    well: dict[str, list[datetime]] = {unit: list(found) for unit, found in plain.by_unit().items()} if plain else {}
    for placed in told:
        if placed.fact.unit_id in deaths:
            well.setdefault(placed.fact.unit_id, []).append(placed.fact.started_at or placed.at)
    return {
        unit: life(rows, well.get(unit, ()), letters[unit].decisions if unit in letters else ())
        for unit, rows in said.items()
    }
