"""Alive, ready, measured; and refused to start where the fence between tenants would not hold."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
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
from console.runtime import children
from monitoring.models.delivery import TimerKind
from monitoring.timers import timers_set
from tests.cast import Member
from tests.live import LiveConsole, free_port
from tests.online import Online
from tests.troubles import administrator, read_only

_REQUEST = RequestFactory().get("/")


def asked(view: Any) -> HttpResponse:
    found: HttpResponse = asyncio.run(view(_REQUEST))
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
        answer = aster.ask("GET", "/readyz")
    assert (answer.status, json.loads(answer.body)["database"]) == (503, "read-only")


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
    assert "Andon does not start: the app connects as andon_owner, which owns tables" in said


def test_it_does_not_start_as_a_role_that_looks_past_the_fence(live_console: LiveConsole, bypassing: str) -> None:
    code, said = start(live_console, bypassing)
    assert code == 3
    assert "Andon does not start: the app connects as tests_bypassing, which has BYPASSRLS." in said
