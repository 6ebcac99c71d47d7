"""What was told of one unit of work, by whoever told it, and what follows: tries, deaths, how it stands. Pure.

Several runs and events may tell of the same try. Which of them stands for it is decided by what they say (the earliest
time, then the teller's name), never by which came first; so everything here is a function of a set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from monitoring.facts import DEAD_PHASES, Phase
from monitoring.project.runs_merged import TRY_PHASES

_DEAD = frozenset(phase.value for phase in DEAD_PHASES)
_TRIES = frozenset(phase.value for phase in TRY_PHASES)
#: What settles a death: its state and why. A try counts from its start: the consumer that parked its message in a
#: dead-letter queue ends well itself, and later.
_NEWS: Mapping[str, tuple[str, str]] = {
    Phase.REDRIVEN.value: ("redriven", "The source says it was put back."),
    Phase.DISCARDED.value: ("discarded", "The source says it was thrown away."),
    Phase.OK.value: ("redriven", "A later attempt ended well."),
}
TELEMETRY = "telemetry"


class Told(NamedTuple):
    """One row of monitoring_attempt, as far as figures depend on it."""

    unit_id: str
    phase: str
    attempt: int
    teller: bytes
    at: datetime
    started_at: datetime | None
    span_id: bytes
    workflow_id: int
    process_id: int | None

    @property
    def identity(self) -> tuple[str, str, int, bytes]:
        return self.unit_id, self.phase, self.attempt, self.teller

    @property
    def is_death(self) -> bool:
        return self.phase in _DEAD

    @property
    def order(self) -> tuple[datetime, bytes, bytes, str, int]:
        return self.at, self.teller, self.span_id, self.phase, self.attempt


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a dead letter, and when."""

    state: str
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Life:
    """How a unit that died stands. `last` is the first death since it last stood open: it describes the dead letter.

    `episodes` holds the first death of each time that the unit came to stand still.
    """

    state: str
    last: Told
    episodes: tuple[Told, ...]
    died_at: datetime
    attempts: int
    settled: Decision | None


@dataclass(frozen=True, slots=True)
class Try:
    """One try, counted once: where, whether it was a further one, and whether it ended well."""

    row: Told
    again: bool
    well: bool


def tries(rows: Sequence[Told]) -> Iterator[Try]:
    """Yield each try among the rows of one unit. What a teller counts as plain is counted on its own row, not here."""
    found: dict[int, list[Told]] = defaultdict(list)
    for row in rows:
        if row.phase in _TRIES:
            found[row.attempt].append(row)
    for number, same in found.items():
        well = any(row.phase == Phase.OK for row in same)
        yield Try(min(same, key=lambda row: row.order), number > 1, well)


def life(rows: Iterable[Told], plain: Iterable[datetime], decisions: Iterable[Decision]) -> Life | None:
    """Return how the unit of these rows stands; None where nothing says that it died.

    `plain` is when first tries began that went well: somebody may have put the unit back.
    """
    known = list(rows)
    deaths = [row for row in known if row.is_death]
    if not deaths:
        return None
    points: list[tuple[datetime, int, str, Told | Decision]] = [(row.at, 0, row.order[1].hex(), row) for row in deaths]
    for row in known:
        if row.phase in _NEWS:
            state, why = _NEWS[row.phase]
            at = row.started_at or row.at if row.phase == Phase.OK else row.at
            points.append((at, 1, f"{state} {why}", Decision(state, at, TELEMETRY, why)))
    ended_well = _NEWS[Phase.OK.value]
    points += [(at, 1, " ".join(ended_well), Decision(ended_well[0], at, TELEMETRY, ended_well[1])) for at in plain]
    points += [(decision.at, 2, decision.by, decision) for decision in decisions]
    episodes: list[Told] = []
    last_death = deaths[0]
    settled: Decision | None = None
    is_open = False
    for _, _, _, point in sorted(points, key=lambda point: (*point[:3], _tail(point[3]))):
        if isinstance(point, Told):
            last_death = point
            if not is_open:
                episodes.append(point)
            is_open, settled = True, None
        elif episodes and (is_open or point.by != TELEMETRY):
            is_open, settled = False, point
    state = settled.state if settled else "open"
    most = max(row.attempt for row in deaths)
    return Life(state, episodes[-1], tuple(episodes), last_death.at, most, settled)


def _tail(point: Told | Decision) -> tuple[bytes, str, int]:
    if isinstance(point, Told):
        return point.span_id, point.phase, point.attempt
    return b"", point.state, 0
