"""A quiet tenant beside one that sends twenty times its quota: how much later the quiet one's answers come."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from bench.payloads import requests
from bench.table import Figure
from console.runtime import children
from tests import servers
from tests.live import LiveConsole

DATABASE = "bench_noisy"
#: Requests of 512 spans a second that a tenant may send to each of two web workers.
QUOTA = 2.0
TIMES = 20
QUIET_PER_S = 10
SECONDS = 12.0
ROUNDS = 3


def main() -> list[Figure]:
    """Measure the quiet tenant alone and beside the noisy one in turns; the ratio is of the medians."""
    os.environ["ANDON_TEST_HOME"] = tempfile.mkdtemp(prefix="andon-bench-")
    servers.environment()
    server = servers.TestServers(servers.run_home(), durable=True)
    server.start()
    try:
        console = LiveConsole(servers.run_home() / "console", DATABASE, web=_with_a_quota)
        try:
            return _measured(console)
        finally:
            console.stop()
    finally:
        server.stop()


def _with_a_quota(port: int) -> children.Child:
    child = children.web(port, workers=2)
    return replace(child, argv=("/usr/bin/env", f"ANDON_INTAKE_TENANT_REQUESTS_PER_S={QUOTA}", *child.argv))


def _measured(console: LiveConsole) -> list[Figure]:
    quiet, noisy = ([_key(console, f"{name} {number}") for number in range(8)] for name in ("Quiet", "Noisy"))
    alone: list[float] = []
    beside: list[float] = []
    heard: Counter[int] = Counter()
    refused = 0
    # The noisy sender lives in a process of its own: its own time is not what is measured.
    with ProcessPoolExecutor(1, get_context("spawn")) as others:
        for turn in range(2 * ROUNDS + 1):
            loud = others.submit(send_far_too_much, console.port, noisy[turn]) if turn % 2 else None
            statuses, seconds = send_steadily(console.port, quiet)
            refused += sum(status != 200 for status in statuses)
            if loud is not None:
                heard.update(loud.result())
            if turn:  # The first turn warms everything up.
                (beside if turn % 2 else alone).append(statistics.quantiles(seconds, n=20)[18] * 1_000)
    base, late = statistics.median(alone), statistics.median(beside)
    return [
        Figure("noisy", "quiet tenant alone, p95", base, "ms"),
        Figure("noisy", f"quiet tenant beside {TIMES} times another's quota, p95", late, "ms", "alone", late / base),
        Figure("noisy", "quiet tenant's requests not taken", refused, "requests"),
        Figure("noisy", "noisy tenant's requests throttled", 100 * heard[429] / heard.total(), "%"),
    ]


def send_steadily(port: int, keys: list[str]) -> tuple[list[int], list[float]]:
    """Send 512 spans a tenth of a second, each tenant in turn within its quota; statuses and seconds to the answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    statuses, seconds = [], []
    began = time.monotonic()
    for number, body in enumerate(requests(int(SECONDS * QUIET_PER_S))):
        time.sleep(max(0.0, began + number / QUIET_PER_S - time.monotonic()))
        asked = time.perf_counter()
        statuses.append(_post(connection, keys[number % len(keys)], body))
        seconds.append(time.perf_counter() - asked)
    connection.close()
    return statuses, seconds


def send_far_too_much(port: int, key: str) -> Counter[int]:
    """Send at so many times the quota of both workers from a few connections; how often each status was heard."""
    rate = QUOTA * 2 * TIMES
    bodies = iter(requests(int(SECONDS * rate)))
    heard: Counter[int] = Counter()
    lock = threading.Lock()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            with lock:
                body = next(bodies, None)
            if body is None:
                return
            asked = time.monotonic()
            status = _post(connection, key, body)
            with lock:
                heard[status] += 1
            time.sleep(max(0.0, asked + 8 / rate - time.monotonic()))

    senders = [threading.Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return heard


def _post(connection: http.client.HTTPConnection, key: str, body: bytes) -> int:
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
    }
    connection.request("POST", "/v1/traces", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _key(console: LiveConsole, tenant: str) -> str:
    made = json.loads(console.manage("provision", "--partner", "Bench", "--tenant", tenant, "--json").stdout)
    key: str = made["ingest_key"]
    return key
