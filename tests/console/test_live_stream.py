"""Live pages: what happens in a tenant reaches its open pages, within a second and nobody else's."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from pytest_django import DjangoDbBlocker

from partners.models import User
from tests.live import LiveConsole
from tests.monitoring.line import died, span, traces
from tests.online import Online
from tests.troubles import cut_off

STRUCTURED = "application/cloudevents+json"


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


@pytest.fixture(scope="module")
def borealis(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Borealis Pharma")


@pytest.fixture(scope="module")
def operator(aster: Online) -> User:
    return aster.person()


class Page:
    """An open event stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def next(self) -> str:
        """The name of the next event."""
        while True:
            line = self.response.fp.readline().decode()
            assert line, "the stream has ended"
            if line.startswith("event: "):
                assert json.loads(self.response.fp.readline().decode().removeprefix("data: "))["at"]
                return line.removeprefix("event: ").strip()

    def until(self, topic: str) -> None:
        """Read on until this topic is named."""
        seen: list[str] = []
        while (seen := [*seen, self.next()])[-1] != topic:
            assert seen.count("pulse") < 2, f"heard only {seen}"


@contextmanager
def opened(online: Online, cookie: str, path: str) -> Iterator[Page]:
    """A page that follows a stream and has heard its first news: everything, since it may have missed any."""
    connection = http.client.HTTPConnection("127.0.0.1", online.console.port, timeout=20)
    connection.request("GET", path, headers={"Cookie": cookie, "Accept": "text/event-stream"})
    response = connection.getresponse()
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    try:
        yield Page(response)
    finally:
        connection.close()


def settled(page: Page, online: Online) -> None:
    """The stream is listening for certain: it has told of a request."""
    assert online.post("/v1/traces", traces(span())).status == 200
    page.until("runs")


def test_it_tells_of_an_alert_within_a_second(aster: Online, operator: User) -> None:
    with opened(aster, aster.session(operator), f"/live/?tenant={aster.tenant.slug}") as page:
        settled(page, aster)
        assert aster.post("/v1/events", json.dumps(died("m-1")).encode(), STRUCTURED).status == 200
        answered = time.monotonic()
        page.until("alerts")
        assert time.monotonic() - answered < 1


def test_it_follows_the_persons_own_tenant_where_none_is_named(aster: Online, operator: User) -> None:
    with opened(aster, aster.session(operator), "/live/") as page:
        settled(page, aster)


def test_open_pages_leave_the_others_their_database_connections(aster: Online, operator: User) -> None:
    cookie = aster.session(operator)
    with ExitStack() as pages:
        for _ in range(30):
            pages.enter_context(opened(aster, cookie, f"/live/?tenant={aster.tenant.slug}"))
        found = [aster.ask("GET", f"/t/{aster.tenant.slug}/", headers={"Cookie": cookie}).status for _ in range(4)]
    assert found == [200] * 4


def test_it_tells_nothing_of_another_tenant(aster: Online, borealis: Online, operator: User) -> None:
    # The first trace of a tenant is news of its own: an automation that serves no process.
    assert aster.post("/v1/traces", traces(span())).status == 200
    with opened(aster, aster.session(operator), f"/live/?tenant={aster.tenant.slug}") as page:
        settled(page, aster)
        assert borealis.post("/v1/events", json.dumps(died("m-2")).encode(), STRUCTURED).status == 200
        time.sleep(0.5)
        assert aster.post("/v1/metrics", b"{}").status == 200
        assert aster.post("/v1/traces", traces(span())).status == 200
        seen = {page.next() for _ in range(2)}
        assert seen <= {"board", "runs"}


def test_it_is_closed_to_strangers_and_to_nobody(aster: Online, borealis: Online, operator: User) -> None:
    cookie = {"Cookie": aster.session(operator)}
    for path, headers in (
        (f"/live/?tenant={borealis.tenant.slug}", cookie),
        ("/live/?tenant=no-such-tenant", cookie),
        (f"/live/?tenant={aster.tenant.slug}", {}),
        ("/live/", {}),
    ):
        assert aster.ask("GET", path, None, headers).status == 404


def test_it_looks_again_at_everything_after_the_database_was_away(aster: Online, operator: User) -> None:
    with opened(aster, aster.session(operator), f"/live/?tenant={aster.tenant.slug}") as page:
        settled(page, aster)
        cut_off(aster.console)
        heard: list[str] = []
        while not {"alerts", "board", "dead_letters", "runs"} <= set(heard):
            heard.append(page.next())
            assert heard.count("pulse") < 2, f"heard only {heard}"
        while aster.post("/v1/events", json.dumps(died("m-3")).encode(), STRUCTURED).status != 200:
            time.sleep(0.2)
        page.until("alerts")
