"""Kills every part in turn, at random moments and at fail points, and sees to it that what died is started again."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil

from bench.campaign.crew import Crew
from bench.campaign.load import Mark
from bench.campaign.plant import Plant
from bench.campaign.proxy import STRIKES

KINDS = ("web", "worker", "broker", "database", "connection")
INTAKE_POINTS = ("intake.received", "intake.inserted", "intake.committed")
DELIVERY_POINTS = ("delivery.sent", "delivery.marked")
#: A part is left this long before it is killed again: its programs take two to three seconds to load.
_BETWEEN_S = {"web": 4.0, "worker": 4.0, "broker": 1.0, "database": 2.5, "connection": 0.2}
_RECOVERY_S = 120.0
#: How long a fail point is armed at most, and what a process says that dies at one.
_AT_POINT_S, _STRUCK = 60.0, '"failpoint"'
#: Between kills, with this probability, something is slow, frozen or read-only for a few seconds.
_HARDSHIP = 0.06


@dataclass(slots=True)
class Toll:
    """What was done, and how long it took until a request sent afterwards was acknowledged."""

    kills: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    recovery_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Nemesis:
    """Strikes one part after the other. `toll` is what it has done."""

    def __init__(self, plant: Plant, crew: Crew, seed: int) -> None:
        self._plant, self._crew = plant, crew
        self._chance = random.Random(f"{seed}/nemesis")
        self.toll = Toll()
        self._mark = Mark(0.0)
        self._last: dict[str, float] = {}
        self._hardships: list[Callable[[], str]] = [self._frozen_database, self._read_only_database, self._slow_lines]
        self._points = {"web": itertools.cycle(INTAKE_POINTS), "worker": itertools.cycle(DELIVERY_POINTS)}
        self._ways: dict[str, list[Callable[[], str]]] = {
            "web": [*[self._web_worker] * 4, self._all_web_workers, self._web, self._web, self._web_at_point],
            "worker": [self._worker, self._worker, self._worker_at_point],
            "broker": [self._broker],
            "database": [self._database, self._database, self._backend],
            "connection": [self._connection],
        }
        self._decks: dict[str, list[Callable[[], str]]] = {kind: [] for kind in KINDS}

    def run(
        self,
        wanted: Mapping[str, int],
        progress: Callable[[Toll], None],
        *,
        calm_s: float = 0.0,
        until: float = math.inf,
    ) -> None:
        """Kill until each kind has its number, the kind that is furthest behind most often, or until that moment."""
        while left := {kind: number - self.toll.kills[kind] for kind, number in wanted.items()
                       if number > self.toll.kills[kind]}:  # fmt: skip
            now = time.monotonic()
            if now > until:
                return
            ready = [kind for kind in left if now - self._last.get(kind, 0.0) >= _BETWEEN_S[kind]]
            if not ready:
                self._plant.revive()
                time.sleep(0.05)
                continue
            kind = self._chance.choices(ready, [left[kind] for kind in ready])[0]
            self.strike(kind, self._drawn(kind))
            if self._chance.random() < _HARDSHIP:
                self.strike("hardship", self._chance.choice(self._hardships))
            progress(self.toll)
            time.sleep(2 * calm_s * self._chance.random())

    def strike(self, kind: str, way: Callable[[], str]) -> None:
        """Do one thing to one part, and wait until requests are acknowledged again."""
        self._mark = self._crew.mark()
        name = way()
        self._last[kind] = time.monotonic()
        self.toll.ways[name] += 1
        deadline = time.monotonic() + _RECOVERY_S
        while (acked_at := self._mark.acked_at) is None:
            self._plant.revive()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Nothing was acknowledged for {_RECOVERY_S:.0f} s after: {name}.")
            time.sleep(0.01)
        self.toll.recovery_s[kind].append(acked_at - self._mark.at)
        time.sleep(0.2 * self._chance.random())

    def _drawn(self, kind: str) -> Callable[[], str]:
        """The next way of a kind to die: all of them in a random order, then all of them again."""
        if not self._decks[kind]:
            self._decks[kind] = self._chance.sample(self._ways[kind], len(self._ways[kind]))
        return self._decks[kind].pop()

    def at_point(self, point: str, probability: float, deaths: int) -> None:
        """Kill web workers at one fail point, again and again as they come back."""
        self.strike("web", lambda: self._at_point(point, probability, deaths))

    def worker_at(self, point: str) -> None:
        """Kill the worker at one fail point."""
        self.strike("worker", lambda: self._worker_at(point))

    def outages(self, number: int) -> None:
        """Kill the database together with all that work on it."""
        for _ in range(number):
            time.sleep(1 + self._chance.random())
            self.strike("database", self._outage)

    def _web_worker(self) -> str:
        if workers := self._plant.web_workers():
            self._kill(self._chance.choice(workers), "web")
        return "web worker"

    def _all_web_workers(self) -> str:
        for worker in self._plant.web_workers():
            self._kill(worker, "web")
        return "all web workers at once"

    def _web(self) -> str:
        self._plant.kill("web")
        self.toll.kills["web"] += 1
        time.sleep(self._chance.random())
        self._plant.start_child("web")
        return "web parent with its workers"

    def web_anew(self, name: str, environment: Mapping[str, str]) -> str:
        """Kill the web server and start it with more in its environment."""
        self._plant.kill("web")
        self._plant.start_child("web", more=environment)
        return name

    def _web_at_point(self) -> str:
        return self._at_point(next(self._points["web"]), 0.04, 3)

    def _at_point(self, point: str, probability: float, deaths: int) -> str:
        """The web server is started with the point armed, watched dying of it, and started again without."""
        self._plant.kill("web")
        self._plant.start_child("web", f"{point}:exit:{probability}")
        died_before = self._plant.count_said("web", _STRUCK)
        end = time.monotonic() + _AT_POINT_S
        while time.monotonic() < end and self._plant.count_said("web", _STRUCK) < died_before + deaths:
            self._plant.revive()
            time.sleep(0.1)
        self._mark = self._crew.mark()
        self._plant.kill("web")
        self.toll.kills["web"] += 2 + max(0, self._plant.count_said("web", _STRUCK) - died_before)
        self._plant.start_child("web")
        return f"web at {point}"

    def _worker(self) -> str:
        self._plant.kill("worker")
        self.toll.kills["worker"] += 1
        self._plant.start_child("worker")
        return "worker"

    def _worker_at_point(self) -> str:
        return self._worker_at(next(self._points["worker"]))

    def _worker_at(self, point: str) -> str:
        self._plant.kill("worker")
        self.toll.kills["worker"] += 1
        self._plant.start_child("worker", f"{point}:exit:1")
        end = time.monotonic() + 10.0
        while time.monotonic() < end and not self._plant.has_ended("worker"):
            time.sleep(0.05)
        self.toll.kills["worker"] += self._plant.has_ended("worker")
        self._plant.kill("worker")
        self._plant.start_child("worker")
        return f"worker at {point}"

    def _broker(self) -> str:
        self._plant.kill("broker")
        self.toll.kills["broker"] += 1
        time.sleep(self._chance.random())
        self._plant.start_broker()
        return "broker"

    def _database(self) -> str:
        self._plant.kill("database")
        self.toll.kills["database"] += 1
        time.sleep(self._chance.random())
        self._plant.start_database()
        return "postmaster with its backends"

    def _outage(self) -> str:
        self._plant.kill("database")
        for name in ("web", "worker"):
            self._plant.kill(name)
        self._plant.start_database()
        for name in ("web", "worker"):
            self._plant.start_child(name)
        self.toll.kills["database"] += 1
        return "postmaster, web and worker at once"

    def _backend(self) -> str:
        if backends := self._plant.backends():
            self._kill(self._chance.choice(backends), "database")
        return "one backend, which makes PostgreSQL restart"

    def _connection(self) -> str:
        kind = self._chance.choice(STRIKES)
        before = self._crew.proxy.struck
        self._crew.strike(kind, self._chance.randrange(400))
        end = time.monotonic() + 5.0
        while self._crew.proxy.struck == before and time.monotonic() < end:
            time.sleep(0.005)
        self.toll.kills["connection"] += self._crew.proxy.struck - before
        return f"connection: {kind}"

    def _frozen_database(self) -> str:
        """Longer than a request may take: what is committed after all is known again when it is repeated."""
        self._plant.signal_database(signal.SIGSTOP)
        time.sleep(3 + 4 * self._chance.random())
        self._plant.signal_database(signal.SIGCONT)
        return "database stopped for seconds (SIGSTOP)"

    def _read_only_database(self) -> str:
        self._plant.read_only(is_on=True)
        time.sleep(1 + 2 * self._chance.random())
        self._plant.read_only(is_on=False)
        return "read-only database"

    def _slow_lines(self) -> str:
        self._crew.weather(delay_s=0.1, bytes_per_s=100_000)
        time.sleep(3)
        self._crew.weather()
        return "slow connections"

    def _kill(self, process: psutil.Process, kind: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
            self.toll.kills[kind] += 1
