"""The named faults: a window in time on one flow of one plant, and what it makes of the runs in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from random import Random

from console.plant.outcome import Outcome
from console.plant.randomness import lognormal


class FaultKind(StrEnum):
    """What goes wrong; also the names of the scenarios."""

    DEAD_LETTER = "dead_letter"
    RETRY_STORM = "retry_storm"
    API_TIMEOUT = "api_timeout"
    DUPLICATE_RECEIPT = "duplicate_receipt"
    STUCK_RUN = "stuck_run"
    SLOW_STEP = "slow_step"
    SILENT_SOURCE = "silent_source"


#: How the pages of `simulate` explain each of them.
EXPLAINED: dict[FaultKind, str] = {
    FaultKind.DEAD_LETTER: "each unit fails until its tries are used up and lands in a dead-letter queue",
    FaultKind.RETRY_STORM: "each unit needs three to five tries before one ends well",
    FaultKind.API_TIMEOUT: "the called system answers only after the caller has given up",
    FaultKind.DUPLICATE_RECEIPT: "one receipt is posted twice under the same idempotency key",
    FaultKind.STUCK_RUN: "the steps arrive, the root of the run never does",
    FaultKind.SLOW_STEP: "one step takes eight to twenty times as long as usual",
    FaultKind.SILENT_SOURCE: "the automation stops sending altogether, without any error",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `runs` come on top of the usual ones in its window; what died is redriven after about `repaired_s`.

    All runs in it meet the same `cause`.
    """

    kind: FaultKind
    plant: str
    flow: str
    since: datetime
    until: datetime
    runs: int
    cause: int = 0
    repaired_s: float = 1500.0

    def covers(self, flow: str, at: datetime) -> bool:
        """Whether a run of the flow that starts now meets this fault."""
        return flow == self.flow and self.since <= at < self.until

    @property
    def silences(self) -> bool:
        """Whether the usual runs stay out."""
        return self.kind is FaultKind.SILENT_SOURCE

    def outcome(self, rng: Random) -> Outcome:
        """How one run in the window goes."""
        return replace(outcome(self.kind, rng, repaired_s=self.repaired_s), cause=self.cause)


#: Runs that a fault adds to its window: enough to be seen, few enough to be told apart.
EXTRA_RUNS: dict[FaultKind, tuple[int, int]] = {
    FaultKind.DEAD_LETTER: (3, 7),
    FaultKind.RETRY_STORM: (26, 40),
    FaultKind.API_TIMEOUT: (4, 8),
    FaultKind.DUPLICATE_RECEIPT: (1, 3),
    FaultKind.STUCK_RUN: (1, 2),
    FaultKind.SLOW_STEP: (4, 9),
    FaultKind.SILENT_SOURCE: (0, 0),
}


def outcome(kind: FaultKind, rng: Random, *, repaired_s: float | None) -> Outcome:
    """How one run goes under this fault. What died is redriven after about `repaired_s`; None leaves it dead."""
    repaired = None if repaired_s is None else min(lognormal(rng, repaired_s, 0.6), 5 * 3600.0)
    return _OUTCOMES[kind](rng, repaired)


_OUTCOMES: dict[FaultKind, Callable[[Random, float | None], Outcome]] = {
    FaultKind.DEAD_LETTER: lambda rng, repaired: Outcome(
        tries=rng.choice((3, 4, 4, 5)), dies=True, repaired_after_s=repaired
    ),
    FaultKind.RETRY_STORM: lambda rng, _: Outcome(tries=rng.choice((3, 3, 4, 5))),
    FaultKind.API_TIMEOUT: lambda _rng, _: Outcome(tries=2, times_out=True),
    FaultKind.DUPLICATE_RECEIPT: lambda _rng, _: Outcome(receipts=2),
    FaultKind.STUCK_RUN: lambda _rng, _: Outcome(loses_root=True),
    FaultKind.SLOW_STEP: lambda rng, _: Outcome(slowdown=rng.uniform(8.0, 20.0)),
    FaultKind.SILENT_SOURCE: lambda _rng, _: Outcome(),
}
