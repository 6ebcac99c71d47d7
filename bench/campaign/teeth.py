"""Runs the consoles that break a promise, and says whether the checker found each of them out."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.campaign import controls
from bench.campaign.campaign import Outcome, campaign
from bench.campaign.crew import Crew
from bench.campaign.nemesis import Nemesis

#: Each request meets the fail point with this probability, until so many workers have died of it.
_PROBABILITY, _DEATHS = 0.06, 4
#: What is lost is lost at once; nobody waits for the notifications of a broken console.
_QUIET_S = 10.0


def is_caught(control: str, *, seed: int) -> tuple[bool, Outcome]:
    """Run one control; whether the checker found what this control breaks, and what it found."""
    outcome = campaign(_faults(control), seed=seed, control=control, quiet_s=_QUIET_S, hasten=True)
    verdict = outcome.verdict
    # Runs that are not settled yet would drift without any fault; the figures by minute never do.
    drift = sum(figure for name, figure in verdict.double.items() if name.startswith("by minute"))
    found = drift if control == controls.SECOND_TRANSACTION else verdict.lost
    return found > 0, outcome


def _faults(control: str) -> Callable[[Nemesis, Crew], None]:
    def strike(nemesis: Nemesis, crew: Crew) -> None:
        time.sleep(2)
        match control:
            case controls.SYNCHRONOUS_COMMIT_OFF:
                # What a process keeps of a commit that the disk never saw, an automation's id above all, would have it
                # refer to rows that are gone for as long as it lives. So none outlives the database.
                nemesis.outages(3)
            case controls.SECOND_TRANSACTION:
                nemesis.at_point("intake.committed", _PROBABILITY, _DEATHS)
            case controls.ANSWER_FIRST:
                nemesis.at_point("intake.inserted", _PROBABILITY, _DEATHS)
            case _:
                # Two tenants that send the same bytes are all it takes.
                time.sleep(6)

    return strike
