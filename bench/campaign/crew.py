"""Runs the senders, the proxy and the webhooks' receiver on an event loop of their own, beside the nemesis."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench.campaign.ledger import Ledger
from bench.campaign.load import Load, Mark
from bench.campaign.proxy import Proxy, Weather
from bench.campaign.sink import Sink


class Crew:
    """What works while faults happen. The nemesis calls it from another thread."""

    def __init__(self, upstream: int) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="crew", daemon=True).start()
        self.proxy, self.sink = Proxy(upstream), Sink()
        self._wait(self.proxy.start())
        self._wait(self.sink.start())
        self._sending: Future[None] | None = None
        self.load: Load | None = None

    def send(self, ledger: Path, keys: list[str], *, run: int, seed: int, senders: int, pause_s: float) -> None:
        """Set the senders to work."""

        async def work() -> None:
            log = Ledger(ledger)
            self.load = Load(self.proxy.port, keys, log, run, seed, senders=senders, pause_s=pause_s)
            await self.load.send_until_stopped()
            await log.close()

        self._sending = asyncio.run_coroutine_threadsafe(work(), self._loop)
        while self.load is None:
            time.sleep(0.01)

    def mark(self) -> Mark:
        """Mark this moment, to see when the first request after it is acknowledged."""
        assert self.load is not None
        made = Mark(time.monotonic())
        self.load.marks = [mark for mark in self.load.marks if mark.acked_at is None] + [made]
        return made

    def strike(self, kind: str, after: int) -> None:
        """Break the next connection with a request on it."""
        self._loop.call_soon_threadsafe(self.proxy.strike, kind, after)

    def weather(self, delay_s: float = 0.0, bytes_per_s: int = 0) -> None:
        """Slow every connection down, or clear up."""
        self.proxy.weather = Weather(delay_s, bytes_per_s)

    @property
    def acked_items(self) -> int:
        """Items acknowledged so far."""
        return self.load.acked_items if self.load else 0

    def finish(self, timeout_s: float, meanwhile: Callable[[], object]) -> None:
        """Send nothing new, and return once everything that was begun has its answer or is given up."""
        assert self.load is not None
        assert self._sending is not None
        self.load.stopping = True
        deadline = time.monotonic() + timeout_s
        while not self._sending.done():
            meanwhile()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Requests are still not acknowledged after {timeout_s:.0f} s without faults.")
            time.sleep(0.1)
        self._sending.result()

    def stop(self) -> None:
        """Listen no more."""
        self._wait(self.proxy.stop())
        self._wait(self.sink.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
