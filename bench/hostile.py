"""What each hostile input costs by itself, and good senders beside fifty hostile ones: how much later their answers
come, and what the web worker holds together with its process for large bodies."""

from __future__ import annotations

import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.table import Figure
from tests import servers
from tests.conformance.corpus import MIB, SIZES, body_of
from tests.conformance.crowd import good_senders, hostile_crowd, send_alone
from tests.conformance.meter import Meter
from tests.live import LiveConsole

DATABASE = "bench_hostile"
SECONDS = 10.0
_SHOWN = 5


def main() -> list[Figure]:
    """Measure the good senders alone, beside one crowd, and beside hostile senders who never pause."""
    os.environ["ANDON_TEST_HOME"] = tempfile.mkdtemp(prefix="andon-bench-")
    servers.environment()
    server = servers.TestServers(servers.run_home(), durable=True)
    server.start()
    try:
        console = LiveConsole(servers.run_home() / "console", DATABASE)
        try:
            return _measured(console)
        finally:
            console.stop()
    finally:
        server.stop()


def _measured(console: LiveConsole) -> list[Figure]:
    good, hostile = _key(console, "Good"), _key(console, "Hostile")
    meter = Meter(console._running["web"].pid)
    make_bodies()
    figures = _alone(console.port, hostile, meter)
    # Hostile senders live in a process of their own that goes after all others: theirs is not the time that is
    # measured, and in earnest they have processors of their own.
    with ProcessPoolExecutor(1, get_context("spawn"), _go_after_all) as others:
        others.submit(make_bodies).result()
        with good_senders(console.port, good):
            time.sleep(2)  # Warm up.
        with good_senders(console.port, good) as alone:
            time.sleep(SECONDS)
        base = alone.percentile(0.99) * 1_000
        figures.append(Figure("hostile", "good senders alone, p99", base, "ms"))
        for name, seconds in (("one crowd of fifty", 0.0), ("fifty that never pause", SECONDS)):
            with meter.running(), good_senders(console.port, good) as beside:
                crowd = others.submit(hostile_crowd, console.port, hostile, seconds=seconds)
                time.sleep(SECONDS)
                answers = crowd.result()
            wrong = {one for statuses in answers.values() for one in statuses if one >= 500 and one != 503}
            if wrong or set(beside.statuses) - {200, 429, 503}:
                raise SystemExit(f"a hostile input was answered {wrong}, a good one {set(beside.statuses)}")
            late = beside.percentile(0.99) * 1_000
            figures += [
                Figure("hostile", f"good senders beside {name}, p99", late, "ms", "alone", late / base),
                Figure("hostile", f"good requests not taken beside {name}", _refused(beside.statuses), "%"),
                Figure("hostile", f"hostile requests answered, {name}", sum(map(len, answers.values())), "requests"),
                Figure("hostile", f"memory of the web worker grew, {name}", meter.grown / MIB, "MiB"),
            ]
    return figures


def _alone(port: int, key: str, meter: Meter) -> list[Figure]:
    """The processor time of the inputs that come nearest to what each may cost."""
    send_alone(port, key, "413-boundary-exact")  # The process for large bodies starts.
    cost_ms = {}
    for name in SIZES:
        with meter.running():
            send_alone(port, key, name)
        cost_ms[name] = meter.cpu_s * 1_000
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
    os.nice(19)
    make_bodies()


def _key(console: LiveConsole, tenant: str) -> str:
    made = json.loads(console.manage("provision", "--partner", "Bench", "--tenant", tenant, "--json").stdout)
    key: str = made["ingest_key"]
    return key


def _refused(statuses: list[int]) -> float:
    return 100 * sum(status != 200 for status in statuses) / len(statuses)
