"""Received = accepted + rejected + throttled, for requests and items, beside a noisy tenant and killed workers."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
from pytest_django import DjangoDbBlocker

from console.runtime import children
from monitoring.models import Intake, IntakeOutcome
from tests import servers
from tests.live import LiveConsole
from tests.monitoring.line import span, traces
from tests.online import JSON, Online

QUOTA = 20
_LIMIT_S = 30.0


def two_workers_with_a_quota(port: int) -> children.Child:
    """Each tenant may send so many requests a second to each worker."""
    child = children.web(port, workers=2)
    return replace(child, argv=("/usr/bin/env", f"ANDON_INTAKE_TENANT_REQUESTS_PER_S={QUOTA}", *child.argv))


@pytest.fixture(scope="module")
def console(database_server: None) -> Iterator[LiveConsole]:
    name = f"accounting_{servers.database_name()}"
    found = LiveConsole(servers.run_home() / name, name, web=two_workers_with_a_quota)
    yield found
    found.stop()


@pytest.fixture
def noisy(console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(console, django_db_blocker, "Aster Foods")


@pytest.fixture
def quiet(console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(console, django_db_blocker, "Birch Motors")


class Sender:
    """Sends two spans, or nonsense at times, until it is told to stop; counts what it heard."""

    def __init__(self, online: Online, every_s: float) -> None:
        self._online = online
        self._every_s = every_s
        self._over = threading.Event()
        self.sent = 0
        self.heard: Counter[int] = Counter()
        self.longest_s = 0.0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._online.console.port, timeout=15)
        headers = {"content-type": JSON, "authorization": f"Bearer {self._online.key}"}
        while not self._over.wait(self._every_s):
            self.sent += 1
            body = b"{nonsense" if self.sent % 10 == 0 else traces(span(), span(), {"name": "poison"})
            began = time.monotonic()
            try:
                connection.request("POST", "/v1/traces", body, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                continue
            self.heard[answer.status] += 1
            self.longest_s = max(self.longest_s, time.monotonic() - began)
        connection.close()


def account(online: Online) -> dict[int, tuple[int, int, int]]:
    """Requests, items and rejected items by status, as the tenant's page would add them up."""
    found: dict[int, tuple[int, int, int]] = {}
    with online.rows():
        for row in IntakeOutcome.objects.all():
            requests, items, rejected = found.get(row.status, (0, 0, 0))
            found[row.status] = requests + row.requests, items + row.items, rejected + row.rejected
    return found


def settled(online: Online, received: int) -> dict[int, tuple[int, int, int]]:
    """The account, once so many requests stand in it."""
    deadline = time.monotonic() + _LIMIT_S
    while True:
        found = account(online)
        if sum(requests for requests, _, _ in found.values()) >= received:
            return found
        assert time.monotonic() < deadline, (received, found)
        time.sleep(0.2)


def test_a_noisy_tenant_is_throttled_and_costs_another_nothing(noisy: Online, quiet: Online) -> None:
    with Sender(quiet, 0.1) as modest:
        crowd = [Sender(noisy, 0.002) for _ in range(6)]
        for sender in crowd:
            sender.__enter__()
        time.sleep(5)
        for sender in crowd:
            sender.__exit__()
    assert set(modest.heard) == {200, 400}
    assert modest.longest_s < 2
    heard = sum((sender.heard for sender in crowd), Counter[int]())
    assert heard[429] > heard[200] + heard[400] > QUOTA
    assert set(heard) == {200, 400, 429}
    found = settled(noisy, sum(heard.values()))
    assert {status: one[0] for status, one in found.items()} == dict(heard)
    # Two good spans and a poison one in each that was taken; what was refused unread has no items.
    assert found[200][1:] == (2 * heard[200], heard[200])
    assert found[429][1:] == found[400][1:] == (0, 0)
    with noisy.rows():
        assert Intake.objects.count() == heard[200]


def test_what_a_worker_had_counted_is_there_after_it_was_killed(quiet: Online, console: LiveConsole) -> None:
    parent = psutil.Process(console._running["web"].pid)
    with Sender(quiet, 0.02) as first, Sender(quiet, 0.02) as second:
        for _ in range(2):
            time.sleep(2)
            max(parent.children(), key=lambda child: child.memory_info().rss).kill()
        time.sleep(3)
    heard = first.heard + second.heard
    found = settled(quiet, sum(heard.values()))
    counted = {status: one[0] for status, one in found.items()}
    # Each answer is counted before it is sent: what broke off is at most what both had in flight at two kills.
    assert all(counted[status] >= count for status, count in heard.items())
    assert sum(counted.values()) - sum(heard.values()) <= 4
    with quiet.rows():
        kept = Intake.objects.count()
    assert counted[200] <= kept <= counted[200] + 4
