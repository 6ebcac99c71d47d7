"""Alive, ready, measured; and refused to start where the fence between tenants would not hold."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_django import DjangoDbBlocker

from console import health, metrics
from console.celery import app as celery
from console.embedded.home import PROJECT
from console.runtime import children, processes, readiness
from monitoring.models.delivery import TimerKind
from monitoring.timers import timers_set
from tests import loops
from tests.cast import Member
from tests.live import LiveConsole, free_port
from tests.online import Online
from tests.troubles import administrator, read_only

_REQUEST = RequestFactory().get("/")


def asked(view: Any) -> HttpResponse:
    found: HttpResponse = loops.run(view(_REQUEST))
    return found


def ready() -> tuple[int, dict[str, Any]]:
    answer = asked(health.readyz)
    return answer.status_code, json.loads(answer.content)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's socket is gone."""
    monkeypatch.setitem(connections.databases["default"], "HOST", "/nonexistent")
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_it_is_ready_when_all_it_needs_is_there() -> None:
    expected = {"status": "ready", "database": "ok", "broker": "ok", "queue": "nothing late", "queue_late": False}
    assert ready() == (200, expected)


@pytest.mark.django_db(transaction=True)
def test_it_tells_that_nobody_deals_with_what_is_due_and_stays_ready(owner: Member) -> None:
    timers_set(owner.tenant.pk, TimerKind.RUN_SLA, [(1, timezone.now() - timedelta(minutes=5))])
    code, said = ready()
    assert (code, said["queue"][:23], said["queue_late"]) == (200, "oldest due timer 300 s", True)


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_without_its_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(celery, "_pool", None)
    code, said = ready()
    assert (code, said["status"], said["database"]) == (503, "not ready", "ok")
    assert said["broker"].startswith("unreachable: ")


def test_it_is_alive_and_not_ready_without_its_database(db: None, away: None) -> None:
    code, said = ready()
    assert (code, said["database"], said["queue"]) == (503, "unreachable: OperationalError", "unknown")
    assert asked(health.healthz).status_code == 200


def test_it_is_measured_even_without_its_database(db: None, away: None) -> None:
    answer = asked(metrics.metrics)
    assert answer.status_code == 200
    assert "andon_queue_age_seconds nan" in answer.content.decode()


def test_it_is_not_ready_where_nothing_can_be_written(
    live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    aster = Online(live_console, django_db_blocker, "Aster Foods")
    with read_only(live_console):
        # It cuts the connections there are; the first to use one of those is told so, and no more.
        for _ in range(50):
            answer = aster.ask("GET", "/readyz")
            found = json.loads(answer.body)["database"]
            if not found.startswith("unreachable"):
                break
            time.sleep(0.1)
    assert (answer.status, found) == (503, "read-only")


def test_it_counts_what_it_answered_and_names_no_tenant(
    live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    aster = Online(live_console, django_db_blocker, "Aster Foods")
    # Connections that the test before has cut are found out by the first to use them, who is asked to come back.
    while aster.post("/v1/logs", b"{nonsense").status == 503:
        time.sleep(0.1)
    answer = aster.ask("GET", "/metrics")
    text = answer.body.decode()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'andon_intake_requests_total{signal="logs",status="400",reason="malformed"} ' in text
    assert (aster.tenant.slug in text, aster.tenant.name in text) == (False, False)
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0


@contextmanager
def two_workers(console: LiveConsole) -> Iterator[int]:
    """The port of two more web workers of the console."""
    port = free_port()
    log = console.home / "logs" / "two.log"
    web = processes.start(children.web(port, workers=2).argv, log=log, cwd=PROJECT, env=console.env)
    try:
        deadline = time.monotonic() + 60
        while readiness.status(port) != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield port
    finally:
        processes.ask_all(web)
        processes.finish(web, deadline=time.monotonic() + 6)


def called(port: int, method: str, path: str) -> str:
    """One request on a connection of its own, which either worker may take."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def scraped(port: int) -> tuple[str, int]:
    """Who answered, and how many requests without a key all of them have refused."""
    text = called(port, "GET", "/metrics")
    who = re.search(r'process_start_time_seconds{worker="(\d+)"}', text)
    count = re.search(r'{signal="traces",status="401",reason="unauthenticated"} (\d+)', text)
    assert who is not None
    return who[1], int(count[1]) if count else 0


def test_its_counters_are_those_of_all_workers_and_never_go_down(live_console: LiveConsole) -> None:
    with two_workers(live_console) as port:
        answered: set[str] = set()
        counts, sent = [], 0
        deadline = time.monotonic() + 20
        while (len(answered) < 2 or sent < 40) and time.monotonic() < deadline:
            called(port, "POST", "/v1/traces")
            sent += 1
            who, count = scraped(port)
            answered.add(who)
            counts.append(count)
        time.sleep(1.5)
        assert {scraped(port)[1] for _ in range(10)} == {sent}
    assert (len(answered), counts) == (2, sorted(counts))


# The fence -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bypassing(live_console: LiveConsole) -> Iterator[str]:
    """The address of a role that may do what the app may, and looks past row-level security."""
    own = conninfo_to_dict(live_console.env["ANDON_APP_DATABASE_URL"])
    role = sql.Identifier("tests_bypassing")
    with administrator() as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS PASSWORD {} IN ROLE andon_app").format(role, sql.Literal("p"))
        )
        yield make_conninfo("", **{**own, "user": "tests_bypassing", "password": "p"})
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def start(console: LiveConsole, app_url: str) -> tuple[int, str]:
    """Start a second web process of the console whose app connects like this; its exit code and what it said."""
    child = children.web(free_port(), workers=1)
    done = subprocess.run(
        child.argv,
        cwd=PROJECT,
        env={**console.env, "ANDON_APP_DATABASE_URL": app_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_does_not_start_as_the_owner_of_its_tables(live_console: LiveConsole) -> None:
    code, said = start(live_console, live_console.env["DATABASE_URL"])
    assert code == 3
    told = [line["message"] for line in map(json.loads, said.splitlines()) if line["logger"] == "uvicorn.error"]
    assert told[0].startswith("Andon does not start: the app connects as andon_owner, which owns tables")


def test_it_does_not_start_as_a_role_that_looks_past_the_fence(live_console: LiveConsole, bypassing: str) -> None:
    code, said = start(live_console, bypassing)
    assert code == 3
    assert "Andon does not start: the app connects as tests_bypassing, which has BYPASSRLS." in said
