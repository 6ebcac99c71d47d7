"""How a run goes: what a fault makes of it, in words that every flow can act out in its own dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """What an application says when a step fails."""

    error_class: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`tries` counts those at the fragile step; the last one ends well unless the run dies or times out for good."""

    tries: int = 1
    dies: bool = False
    times_out: bool = False
    loses_root: bool = False
    slowdown: float = 1.0
    receipts: int = 1
    #: Which of its possible errors a flow meets: one fault has one cause.
    cause: int = 0
    #: Seconds until somebody redrives what died; None leaves it where it is.
    repaired_after_s: float | None = None

    def pick(self, errors: Sequence[Failure]) -> Failure:
        """The error that this cause means among a flow's."""
        return errors[self.cause % len(errors)]


HEALTHY = Outcome()
