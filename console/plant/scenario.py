"""One scenario against one tenant: runs that have just ended, at a steady rate, for so many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from console.plant.drawing import Drawer
from console.plant.faults import EXPLAINED, FaultKind, outcome
from console.plant.flows.registry import FLOWS
from console.plant.live import send_events
from console.plant.outcome import HEALTHY
from console.plant.plan import Plan
from console.plant.plants import Plant
from console.plant.portions import portions
from console.plant.randomness import stream
from console.plant.sender import Sender
from console.plant.sheet import Drawn

HEALTHY_TRAFFIC, MIXED = "healthy", "mixed"
#: Every scenario by name, with what it sends.
SCENARIOS: dict[str, str] = {
    HEALTHY_TRAFFIC: "all flows of the plant, nothing goes wrong",
    MIXED: "all flows of the plant, one run in five meets a fault",
    **{kind.value: text for kind, text in EXPLAINED.items()},
}
#: The flow that shows a fault best.
_STAGE: dict[FaultKind, str] = {
    FaultKind.DEAD_LETTER: "production_confirmation",
    FaultKind.RETRY_STORM: "production_confirmation",
    FaultKind.API_TIMEOUT: "inventory_sync",
    FaultKind.DUPLICATE_RECEIPT: "supplier_asn",
    FaultKind.STUCK_RUN: "production_confirmation",
    FaultKind.SLOW_STEP: "inventory_sync",
    FaultKind.SILENT_SOURCE: "inventory_sync",
}
_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class Scenario:
    """What to send: `rate` runs a second for `seconds`. The seed decides every id, number and duration in it."""

    name: str
    plant: Plant
    tenant: str
    rate: float
    seconds: float
    seed: int

    def plans(self, now: datetime) -> Iterator[Plan]:
        """The runs in their order; all of them start at `now` until they are moved to their place."""
        flows = [flow for flow in self.plant.per_day if FLOWS[flow].faults]
        count = max(1, round(self.rate * self.seconds))
        if self.name == FaultKind.SILENT_SOURCE:
            # It runs for the first half, and then it doesn't.
            count = max(1, count // 2)
        for number in range(count):
            token = f"simulate/{self.tenant}/{self.name}/{number}"
            rng = stream(self.seed, token, "outcome")
            kind = self._kind(rng.random(), number)
            flow = _STAGE[kind] if kind else flows[number % len(flows)]
            goes = outcome(kind, rng, repaired_s=None) if kind else HEALTHY
            yield Plan(self.plant.slug, flow, now, number, token, self.plant.per_day[flow], goes)

    def _kind(self, chance: float, number: int) -> FaultKind | None:
        if self.name == HEALTHY_TRAFFIC or (self.name == MIXED and chance > 0.2):
            return None
        return list(FaultKind)[number % len(FaultKind)] if self.name == MIXED else FaultKind(self.name)


def play(scenario: Scenario, sender: Sender, *, wait: Callable[[float], None] = time.sleep) -> int:
    """Sends the scenario; returns the number of runs. A run goes out when it has ended, with the times it had."""
    drawer = Drawer(scenario.seed, tenant=scenario.tenant)
    began, sent = time.monotonic(), 0
    queue = list(scenario.plans(datetime.now(UTC)))
    while sent < len(queue):
        due = min(len(queue), 1 + int((time.monotonic() - began) * scenario.rate))
        now = datetime.now(UTC)
        _send(sender, [_ended_by(now, plan, drawer) for plan in queue[sent:due]])
        sent = due
        wait(_TICK_S)
    return sent


def _ended_by(now: datetime, plan: Plan, drawer: Drawer) -> Drawn:
    """The run as it looks when it ends now: drawn once to see how long it takes, and again from its true start."""
    first = drawer.draw(plan)
    ends = [due for due, _ in first.spans] + [due for due, _ in first.events]
    lasts = max(ends, default=plan.started_at.timestamp()) - plan.started_at.timestamp()
    return drawer.draw(replace(plan, started_at=now - timedelta(seconds=lasts + 0.001)))


def _send(sender: Sender, runs: list[Drawn]) -> None:
    spans = [span for run in runs for _, span in run.spans]
    events = [event for run in runs for _, event in run.events]
    for portion in portions(spans):
        sender.send_spans(portion)
    if events:
        send_events(sender, events)
