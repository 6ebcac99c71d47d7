"""What the writing steps of the main line hand on to each other. Frozen, and free of Django."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from monitoring.findings import AttemptWindow, DeadLetterWindow, Finding, SlaWindow, UnmappedWindow


@dataclass(frozen=True, slots=True)
class Projected:
    """What the rows say now, cut into the windows that detectors look at."""

    dead_letters: tuple[DeadLetterWindow, ...] = ()
    attempts: tuple[AttemptWindow, ...] = ()
    promises: tuple[SlaWindow, ...] = ()
    unmapped: tuple[UnmappedWindow, ...] = ()
    #: Fingerprints of alerts some of whose dead letters were settled.
    settled: frozenset[str] = frozenset()
    #: And of those some of whose dead letters turned out to be another automation's.
    left: frozenset[str] = frozenset()
    #: Workflows that a rule has just tied to a process: the alert that nobody owns them is over.
    claimed: frozenset[int] = frozenset()
    runs: int = 0
    events: int = 0

    @property
    def windows(self) -> tuple[DeadLetterWindow | AttemptWindow | SlaWindow | UnmappedWindow, ...]:
        return (*self.dead_letters, *self.attempts, *self.promises, *self.unmapped)


@dataclass(frozen=True, slots=True)
class Detected:
    """What is wrong, and which rows belong to which finding's alert."""

    findings: tuple[Finding, ...] = ()
    #: Dead letters by the fingerprint of the alert they belong to.
    members: tuple[tuple[str, tuple[int, ...]], ...] = ()
    settled: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    #: Workflows that a rule has just tied to a process: the alert that nobody owns them is over.
    claimed: frozenset[int] = frozenset()
    runs: int = 0
    events: int = 0


class AlertStands(NamedTuple):
    """How an alert stands that a request raised or added to."""

    id: int
    raised: bool
    severity: str
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert that this request raised or added to. What the database made of it is waited for where it matters."""

    kind: str
    answer: Callable[[], AlertStands]


@dataclass(frozen=True, slots=True)
class Alerted:
    """What people are to be told."""

    changes: tuple[AlertChange, ...] = ()
    resolved: tuple[int, ...] = ()
    runs: int = 0
    events: int = 0
    dead_letters: bool = False


@dataclass(frozen=True, slots=True)
class Notified:
    """The end of the main line: what was written to the outbox."""

    intended: tuple[int, ...] = ()
    changes: tuple[AlertChange, ...] = ()
