"""What each hostile input costs by itself, and good senders beside fifty hostile ones: how much later their answers
come, and what the web worker holds together with its process for large bodies."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from bench.outcome import Options, Outcome
from bench.table import Figure
from tests import servers
from tests.conformance.corpus import MIB, SIZES, body_of
from tests.conformance.crowd import Report, good_senders, hostile_crowd, send_alone
from tests.conformance.meter import Meter
from tests.live import LiveConsole

DATABASE = "bench_hostile"
SECONDS = 10.0
_SHOWN, _TIMES_ALONE = 5, 3
_LAST = 19
_QUICK_ROUNDS = 1
_ONE_CROWD = "one crowd of fifty"
#: How long the hostile senders go on: each sends its input once at least.
_BESIDE: Mapping[str, float] = {_ONE_CROWD: 0.0, "fifty that never pause": SECONDS}


def main(options: Options) -> Outcome:
    """Measure the good senders alone, beside one crowd, and beside hostile senders who never pause, in turns."""
    os.environ["ANDON_TEST_HOME"] = tempfile.mkdtemp(prefix="andon-bench-")
    servers.environment()
    server = servers.TestServers(servers.run_home(), durable=True)
    server.start()
    try:
        console = LiveConsole(servers.run_home() / "console", DATABASE)
        try:
            return _measured(console, _QUICK_ROUNDS if options.quick else options.rounds)
        finally:
            console.stop()
    finally:
        server.stop()


def _measured(console: LiveConsole, rounds: int) -> Outcome:
    good, hostile = _key(console, "Good"), _key(console, "Hostile")
    meter = Meter(console._running["web"].pid)
    make_bodies()
    outcome = Outcome(_alone(console.port, hostile, meter))
    turns: dict[str, list[_Turn]] = {name: [] for name in _BESIDE}
    # Hostile senders live in a process of their own that goes after all others: theirs is not the time that is
    # measured, and in earnest they have processors of their own.
    with ProcessPoolExecutor(1, get_context("spawn"), _go_after_all) as others:
        others.submit(make_bodies).result()
        with good_senders(console.port, good):
            time.sleep(2)  # Warm up.
        for _ in range(rounds):
            with good_senders(console.port, good) as alone:
                time.sleep(SECONDS)
            for name, seconds in _BESIDE.items():
                with meter.running(), good_senders(console.port, good) as beside:
                    crowd = others.submit(hostile_crowd, console.port, hostile, seconds=seconds)
                    time.sleep(SECONDS)
                    answers = crowd.result()
                _insist(answers, beside)
                turns[name].append(_Turn(alone, beside, sum(map(len, answers.values())), meter.grown))
    outcome.figures += [figure for name, each in turns.items() for figure in _figures(name, each)]
    outcome.reached["crowd"] = _middle(turn.times for turn in turns[_ONE_CROWD])
    return outcome


@dataclass(frozen=True, slots=True)
class _Turn:
    """Good senders alone and then beside hostile ones; what the worker's memory grew by meanwhile, in bytes."""

    alone: Report
    beside: Report
    hostile: int
    grown: int

    @property
    def times(self) -> float:
        """How many times as long the slowest hundredth of the good requests took."""
        return self.beside.percentile(0.99) / self.alone.percentile(0.99)


def _figures(name: str, turns: Sequence[_Turn]) -> Iterator[Figure]:
    times = sorted(turn.times for turn in turns)
    late, base = (
        _middle(report.percentile(0.99) * 1_000 for report in reports)
        for reports in ([turn.beside for turn in turns], [turn.alone for turn in turns])
    )
    yield Figure("hostile", f"{name}: good senders alone, p99", base, "ms")
    label = f"{name}: good senders beside it, p99 ({times[0]:.3g} to {times[-1]:.3g})"
    yield Figure("hostile", label, late, "ms", "alone", _middle(times))
    statuses = [status for turn in turns for status in turn.beside.statuses]
    yield Figure("hostile", f"{name}: good requests not taken", _refused(statuses), "%")
    yield Figure("hostile", f"{name}: hostile requests answered", _middle(turn.hostile for turn in turns), "requests")
    yield Figure("hostile", f"{name}: memory of the web worker grew", max(turn.grown for turn in turns) / MIB, "MiB")


def _middle(values: Iterable[float]) -> float:
    return statistics.median(values)


def _insist(answers: Mapping[str, Sequence[int]], beside: Report) -> None:
    """End the benchmark where something failed here: then no figure means anything."""
    wrong = {one for statuses in answers.values() for one in statuses if one >= 500 and one != 503}
    if wrong or set(beside.statuses) - {200, 429, 503}:
        raise SystemExit(f"a hostile input was answered {wrong}, a good one {set(beside.statuses)}")


def _alone(port: int, key: str, meter: Meter) -> list[Figure]:
    """The processor time of the inputs that come nearest to what each may cost."""
    send_alone(port, key, "413-boundary-exact")  # The process for large bodies starts.
    cost_ms = {}
    for name in SIZES:
        costs = []
        for _ in range(_TIMES_ALONE):
            with meter.running():
                send_alone(port, key, name)
            costs.append(meter.cpu_s * 1_000)
        cost_ms[name] = statistics.median(costs)
    nearest = sorted(SIZES, key=lambda name: cost_ms[name] / SIZES[name].cpu_ms)[-_SHOWN:]
    return [
        Figure("hostile", f"{name}, CPU", cost_ms[name], "ms", "allowed", cost_ms[name] / SIZES[name].cpu_ms)
        for name in reversed(nearest)
    ]


def make_bodies() -> None:
    """Make every hostile body, so that making them is over before time counts."""
    for name in SIZES:
        body_of(name)


def _go_after_all() -> None:
    # Where Linux shares processors out by session first, a process that is nice is so within its own alone.
    os.setsid()
    os.nice(_LAST)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_LAST))
    make_bodies()


def _key(console: LiveConsole, tenant: str) -> str:
    made = json.loads(console.manage("provision", "--partner", "Bench", "--tenant", tenant, "--json").stdout)
    key: str = made["ingest_key"]
    return key


def _refused(statuses: Sequence[int]) -> float:
    return 100 * sum(status != 200 for status in statuses) / len(statuses)
