"""Fills the past through the same doors as live traffic: block by block, newest first, in batches that never change."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from opentelemetry.sdk.trace import ReadableSpan

from console.plant import traffic
from console.plant.cloudevent import CloudEvent
from console.plant.drawing import Drawer
from console.plant.plan import Plan
from console.plant.plants import PLANTS, Plant
from console.plant.sheet import Drawn
from console.plant.state import Block

_SPANS = 400
_EVENTS = 250


@dataclass(slots=True)
class Batch:
    """What goes to one tenant at a time: one request of spans, one of events."""

    tenant: str
    spans: list[ReadableSpan] = field(default_factory=list)
    events: list[CloudEvent] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether it should go out before more is put in."""
        return len(self.spans) >= _SPANS or len(self.events) >= _EVENTS


@dataclass(slots=True)
class Rest:
    """What was not due by the block's cut: parts of runs under way, and runs that follow later."""

    late: list[Drawn] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)


def block_plans(block: Block, seed: int, plants: Sequence[Plant] = PLANTS) -> list[Plan]:
    """The runs that start in the block."""
    schedule = traffic.dense if block.is_dense else traffic.usual
    return schedule(plants, block.since, block.until, seed)


def batches(plans: Sequence[Plan], cut: datetime, drawer: Drawer, rest: Rest) -> Iterator[Batch]:
    """Everything that these runs and their followers sent until `cut`, in order of time, whole runs in one batch."""
    waiting = [(plan.started_at, plan.token, plan) for plan in plans]
    heapq.heapify(waiting)
    open_batches: dict[str, Batch] = {}
    cut_s = cut.timestamp()
    while waiting:
        _, _, plan = heapq.heappop(waiting)
        drawn, late = split(drawer.draw(plan), cut_s)
        if late is not None:
            rest.late.append(late)
        for follower in drawn.follow_ups:
            if follower.started_at <= cut:
                heapq.heappush(waiting, (follower.started_at, follower.token, follower))
            else:
                rest.plans.append(follower)
        batch = open_batches.setdefault(drawn.tenant, Batch(drawn.tenant))
        batch.spans += [span for _, span in drawn.spans]
        batch.events += [event for _, event in drawn.events]
        if batch.is_full:
            yield open_batches.pop(drawn.tenant)
    yield from open_batches.values()


def split(drawn: Drawn, cut_s: float) -> tuple[Drawn, Drawn | None]:
    """What of a run was due by the cut, with its followers, and what is still to come."""
    late_spans = tuple(part for part in drawn.spans if part[0] > cut_s)
    late_events = tuple(part for part in drawn.events if part[0] > cut_s)
    if not late_spans and not late_events:
        return drawn, None
    spans = tuple(part for part in drawn.spans if part[0] <= cut_s)
    events = tuple(part for part in drawn.events if part[0] <= cut_s)
    return Drawn(drawn.tenant, spans, events, drawn.follow_ups), Drawn(drawn.tenant, late_spans, late_events, ())
