"""How alerts, hours and processes stand: one of six states and a word, decided from figures alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.findings import Kind, Severity

#: Worst first. `unknown` is nothing bad seen because nothing was seen.
STATES = ("dead", "breach", "warn", "watch", "unknown", "ok")
_DEAD = frozenset({Kind.DEAD_LETTER, Kind.POISON_UNIT, Kind.REDRIVE_LOOP})
_BREACH = frozenset({Kind.SLA_BREACH})
_BY_SEVERITY = {Severity.CRITICAL: "breach", Severity.HIGH: "warn", Severity.MEDIUM: "watch", Severity.LOW: "watch"}
_WORDS = {"dead": "Dead letters", "breach": "Breached", "warn": "Warning", "watch": "Watch"}
#: A process that said nothing for this long is silent.
SILENT_AFTER = timedelta(hours=24)
_FAILED_SHARE = 0.2
_RETRIES_PER_FIRST = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A state and the word that says it."""

    state: str
    word: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted in some span of time."""

    runs: int = 0
    failed: int = 0
    met: int = 0
    breached: int = 0
    events: int = 0
    first_attempts: int = 0
    retries: int = 0
    dead_letters: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.runs + other.runs,
            self.failed + other.failed,
            self.met + other.met,
            self.breached + other.breached,
            self.events + other.events,
            self.first_attempts + other.first_attempts,
            self.retries + other.retries,
            self.dead_letters + other.dead_letters,
        )

    @property
    def seen(self) -> int:
        """Runs and events."""
        return self.runs + self.events

    @property
    def measured(self) -> int:
        """Runs that ended against a promise."""
        return self.met + self.breached

    @property
    def kept(self) -> float | None:
        """The share of measured runs that kept their promise; None where none was measured."""
        return self.met / self.measured if self.measured else None


def worst(states: Iterable[str]) -> str:
    """Return the worst of some states; of none, ok."""
    return min(states, key=STATES.index, default="ok")


def alert_state(kind: str, severity: str) -> str:
    """Return the state an open alert puts its process in."""
    if kind in _DEAD:
        return "dead"
    if kind in _BREACH:
        return "breach"
    return _BY_SEVERITY.get(Severity(severity), "watch") if severity in list(Severity) else "watch"


def hour_standing(figures: Figures, objective: float | None) -> Standing:
    """Judge one hour of a process: what died, then what came late, then what failed or was tried again too often."""
    if figures.dead_letters:
        return Standing("dead", f"{figures.dead_letters} dead letters")
    if figures.breached and (figures.kept or 0.0) < (1.0 if objective is None else objective):
        return Standing("breach", f"{figures.breached} of {figures.measured} past their SLA")
    if figures.failed and figures.failed >= _FAILED_SHARE * figures.runs:
        return Standing("warn", f"{figures.failed} of {figures.runs} failed")
    if figures.first_attempts and figures.retries > _RETRIES_PER_FIRST * figures.first_attempts:
        return Standing("warn", f"{figures.retries} retries of {figures.first_attempts} units")
    if not figures.seen:
        return Standing("unknown", "nothing seen")
    return Standing("ok", f"{figures.seen} as promised")


def process_standing(
    alert_states: Iterable[str], *, kept: float | None, objective: float | None, last_at: datetime | None, now: datetime
) -> Standing:
    """Judge a process: its open alerts first, then its objective, then whether it says anything at all."""
    state = worst(alert_states)
    if state != "ok":
        return Standing(state, _WORDS[state])
    if last_at is None:
        return Standing("unknown", "No telemetry")
    if now - last_at > SILENT_AFTER:
        return Standing("unknown", "Silent")
    if kept is not None and objective is not None and kept < objective:
        return Standing("watch", "Slipping")
    return Standing("ok", "As promised")
