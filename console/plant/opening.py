"""The opening scene: what is wrong at the moment the demo starts, so that the board has something to say at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from console.plant.faults import FaultKind, outcome
from console.plant.plan import Plan
from console.plant.plants import BY_SLUG
from console.plant.randomness import stream

#: Numbers of the scene's runs, apart from the day's, the slots' and those of other faults.
_FIRST_NUMBER = 800


@dataclass(frozen=True, slots=True)
class _Part:
    kind: FaultKind
    plant: str
    flow: str
    runs: int
    minutes_ago: tuple[float, float]


_SCENE = (
    _Part(FaultKind.DEAD_LETTER, "ulm", "production_confirmation", 5, (9.0, 3.0)),
    _Part(FaultKind.RETRY_STORM, "wroclaw", "inventory_sync", 34, (4.5, 1.5)),
    _Part(FaultKind.DEAD_LETTER, "sabadell", "shipment_notice", 2, (12.0, 5.0)),
    _Part(FaultKind.RETRY_STORM, "tuas", "production_confirmation", 30, (5.0, 2.5)),
    _Part(FaultKind.DEAD_LETTER, "tuas", "supplier_asn", 3, (14.0, 6.0)),
    _Part(FaultKind.DEAD_LETTER, "rockford", "order_release", 2, (11.0, 5.0)),
    _Part(FaultKind.STUCK_RUN, "rockford", "production_confirmation", 1, (8.0, 6.0)),
    _Part(FaultKind.SLOW_STEP, "ulm", "order_release", 3, (16.0, 6.0)),
)


def scene(now: datetime, seed: int) -> list[Plan]:
    """The runs of the scene, over by `now`. What died in it stays where it is: somebody has to redrive it."""
    return sorted(_plans(now, seed), key=lambda plan: (plan.started_at, plan.token))


def _plans(now: datetime, seed: int) -> Iterator[Plan]:
    for place, part in enumerate(_SCENE):
        since, until = (now - timedelta(minutes=minutes) for minutes in part.minutes_ago)
        for number in range(part.runs):
            token = f"opening/{now.isoformat()}/{place}/{number}"
            rng = stream(seed, token, "outcome")
            goes = outcome(part.kind, rng, repaired_s=None)
            if part.kind is FaultKind.RETRY_STORM:
                # Four tries and a minute of waiting in between would still be under way.
                goes = replace(goes, tries=min(goes.tries, 4))
            at = since + (until - since) * ((number + rng.random()) / part.runs)
            per_day = BY_SLUG[part.plant].per_day[part.flow]
            yield Plan(part.plant, part.flow, at, _FIRST_NUMBER + number, token, per_day, goes)
