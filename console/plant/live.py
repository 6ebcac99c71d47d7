"""Live traffic: runs start as the clock reaches them, and each part goes out when it would leave its system."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from opentelemetry.sdk.trace import ReadableSpan

from console.plant import traffic
from console.plant.cloudevent import CloudEvent
from console.plant.drawing import Drawer
from console.plant.plan import Plan
from console.plant.plants import PLANTS
from console.plant.portions import portions
from console.plant.sender import Sender
from console.plant.sheet import Drawn

#: More than this at once is a backlog, which goes as a batch; fewer events go one by one, as systems send them.
_ONE_BY_ONE = 12


class Live:
    """Keeps current traffic flowing. `until` is how far the schedule has been played."""

    def __init__(self, drawer: Drawer, senders: Mapping[str, Sender], until: datetime, pending: Iterable[Plan]) -> None:
        self.until = until
        self._drawer = drawer
        self._senders = senders
        self._number = itertools.count()
        self._plans = [(plan.started_at, next(self._number), plan) for plan in pending]
        heapq.heapify(self._plans)
        self._parts: list[tuple[float, int, str, ReadableSpan | CloudEvent]] = []

    @property
    def pending(self) -> list[Plan]:
        """The runs that will follow from earlier ones."""
        return [plan for _, _, plan in sorted(self._plans)]

    def expect(self, plans: Iterable[Plan], late: Iterable[Drawn]) -> None:
        """Takes over what the past left to come."""
        for plan in plans:
            heapq.heappush(self._plans, (plan.started_at, next(self._number), plan))
        for drawn in late:
            self._put(drawn)

    def tick(self, now: datetime) -> None:
        """Starts the runs that are due by now, and sends what is due of those under way."""
        for plan in traffic.dense(PLANTS, self.until, now, self._drawer.seed):
            self._start(plan)
        self.until = now
        while self._plans and self._plans[0][0] <= now:
            self._start(heapq.heappop(self._plans)[2])
        spans: dict[str, list[ReadableSpan]] = defaultdict(list)
        events: dict[str, list[CloudEvent]] = defaultdict(list)
        while self._parts and self._parts[0][0] <= now.timestamp():
            _, _, tenant, part = heapq.heappop(self._parts)
            if isinstance(part, CloudEvent):
                events[tenant].append(part)
            else:
                spans[tenant].append(part)
        for tenant, found in spans.items():
            for portion in portions(found):
                self._senders[tenant].send_spans(portion)
        for tenant, told in events.items():
            send_events(self._senders[tenant], told)

    def _start(self, plan: Plan) -> None:
        drawn = self._drawer.draw(plan)
        self._put(drawn)
        for follower in drawn.follow_ups:
            heapq.heappush(self._plans, (follower.started_at, next(self._number), follower))

    def _put(self, drawn: Drawn) -> None:
        for due, span in drawn.spans:
            heapq.heappush(self._parts, (due, next(self._number), drawn.tenant, span))
        for due, event in drawn.events:
            heapq.heappush(self._parts, (due, next(self._number), drawn.tenant, event))


def send_events(sender: Sender, events: list[CloudEvent]) -> None:
    """Sends events as live systems do: one by one, some in binary and some in structured mode."""
    if len(events) > _ONE_BY_ONE:
        sender.send_events(events)
        return
    for event in events:
        # A source keeps to one mode, as its library does.
        sender.send_event(event, as_binary=len(event.source) % 2 == 0)
