"""The plant's life: the opening scene, then the past in the gaps that live traffic leaves."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.plant.drawing import Drawer
from console.plant.history import Batch, Rest, batches, block_plans
from console.plant.live import Live
from console.plant.opening import scene
from console.plant.sender import Sender
from console.plant.state import Block, State, load, save

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_SAVE_EVERY_S = 5.0
#: Seconds of rest for each second that the console worked on a batch: the past is in no hurry, people are.
_REST = 0.8
_LONGEST_REST_S = 5.0
_SCENE_AGAIN_AFTER = timedelta(hours=1)


@dataclass(slots=True)
class _Clocks:
    live: float = 0.0
    history: float = 0.0
    saved: float = 0.0


class Running:
    """One plant process."""

    def __init__(self, home: Path, senders: Mapping[str, Sender], seed: int) -> None:
        self._home = home
        self._senders = senders
        self._drawer = Drawer(seed)
        self.state: State = load(home, seed)

    def run(self) -> None:
        """Runs until a signal ends it."""
        state, now = self.state, datetime.now(UTC)
        state.is_live = False
        self._open(now)
        state.plan_blocks(now)
        assert state.live_until is not None
        live = Live(self._drawer, self._senders, state.live_until, state.pending)
        state.is_live = True
        clocks, past = _Clocks(), self._history(live)
        try:
            while True:
                self._turn(clocks, live, past)
        finally:
            self._save(live)

    def _turn(self, clocks: _Clocks, live: Live, past: Iterator[float]) -> None:
        at = time.monotonic()
        if at >= clocks.live:
            live.tick(datetime.now(UTC))
            clocks.live = at + _TICK_S
        if at >= clocks.history:
            took = next(past, None)
            clocks.history = float("inf") if took is None else time.monotonic() + min(took * _REST, _LONGEST_REST_S)
        if at >= clocks.saved:
            self._save(live)
            clocks.saved = at + _SAVE_EVERY_S
        time.sleep(max(0.0, min(clocks.live, clocks.history) - time.monotonic()))

    def _open(self, now: datetime) -> None:
        """Sends the scene, the newest trouble first."""
        if self.state.opened_at is not None and now - self.state.opened_at < _SCENE_AGAIN_AFTER:
            return
        began, rest = time.monotonic(), Rest()
        for batch in batches(scene(now, self._drawer.seed), now, self._drawer, rest):
            self._send(batch)
        self.state.opened_at = now
        _log.info("opening scene sent in %.1f s", time.monotonic() - began)

    def _history(self, live: Live) -> Iterator[float]:
        """Sends one batch of the past at each step, and yields how long the console took over it."""
        began, sent = time.monotonic(), self._sent()
        todo = [block for block in self.state.blocks if not block.is_done]
        for block in todo:
            rest = Rest()
            found = batches(block_plans(block, self._drawer.seed), block.cut, self._drawer, rest)
            for number, batch in enumerate(found):
                if number >= block.batches:
                    seconds = self._send(batch)
                    block.batches = number + 1
                    yield seconds
            block.is_done = True
            live.expect(rest.plans, rest.late)
            self._save(live)
            self._announce(block)
        if todo:
            count, lasted = self._sent() - sent, time.monotonic() - began
            _log.info("history complete: %d spans and events in %.0f s (%.0f/s)", count, lasted, count / lasted)

    def _announce(self, block: Block) -> None:
        history = self.state.content()["history"]
        done, days, since = history["done_days"], history["of_days"], f"{block.since:%Y-%m-%d %H:%M}"
        _log.info("history %s of %s days; %s is in", done, days, since)

    def _send(self, batch: Batch) -> float:
        sender, seconds = self._senders[batch.tenant], 0.0
        if batch.spans:
            seconds += sender.send_spans(batch.spans)
        if batch.events:
            seconds += sender.send_events(batch.events)
        return seconds

    def _sent(self) -> int:
        return sum(sender.tally.spans + sender.tally.events for sender in self._senders.values())

    def _save(self, live: Live) -> None:
        self.state.live_until = live.until
        self.state.pending = live.pending
        save(self._home, self.state)
