"""Brings what runs and events tell of units of work into the rows: attempts, dead letters, and what they count for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from monitoring.desk import Desk
from monitoring.facts import DEAD_PHASES
from monitoring.project.attempts import PlacedAttempt
from monitoring.project.dead_letters import FreshDeadLetter, letters_of, write_letters
from monitoring.project.rollups import Figures
from monitoring.project.unit_rows import (
    dead_among,
    delete_attempts,
    known_units,
    lock_units,
    said_of,
    write_attempts,
)
from monitoring.project.units import Told, life


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

    Of the tellers in `anew` exactly what `told` says is kept; `also` names the units of which they told before.
    Plain traffic costs nothing here, unless it names units: then one look whether any of them is dead.
    """
    troubled = [placed for placed in told if not placed.plain]
    plain = [placed for placed in told if placed.plain]
    units = {placed.fact.unit_id[:300] for placed in troubled}.union(also)
    units |= dead_among({placed.fact.unit_id[:300] for placed in plain} - units)
    if not units:
        return News()
    lock_units(desk.tenant_id, units)
    before, letters = known_units(units), letters_of(units)
    dead = {unit for unit in units if any(row.is_death for row in before.get(unit, ()))}
    dead |= {placed.fact.unit_id[:300] for placed in troubled if placed.fact.phase in DEAD_PHASES}
    # That a first try went well matters for a unit that had died: somebody may have put it back.
    wanted = [*troubled, *(placed for placed in plain if placed.fact.unit_id[:300] in dead)]
    stated: dict[tuple[str, str, int, bytes], PlacedAttempt] = {}
    for placed in sorted(wanted, key=lambda placed: said_of(placed).order):
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
    lives = {}
    for unit, rows in now_said.items():
        decisions = letters[unit].decisions if unit in letters else ()
        was = before.get(unit, [])
        lives[unit] = life(rows, decisions)
        figures.unit(was, life(was, decisions), -1)
        figures.unit(rows, lives[unit], 1)
    written_letters = write_letters(lives, letters, desk)
    said_before = {row.identity[:3] for row in known.values()}
    return News(
        attempts=tuple(placed for identity, placed in written.items() if identity[:3] not in said_before),
        fresh=written_letters.fresh,
        settled=written_letters.settled,
        changed=changed + written_letters.changed,
    )
