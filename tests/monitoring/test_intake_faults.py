"""Faults that pass: an exporter that is told 503 keeps its batch, one that is told 500 drops it for good."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_django import DjangoDbBlocker

from console import roles
from console.embedded.postgres import connection
from monitoring.models import Refusal, Run
from tests import servers
from tests.live import LiveConsole
from tests.monitoring.line import figures, span, traces
from tests.online import JSON, Answered, Online

_LIMIT_S = 20.0


@pytest.fixture(scope="module")
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


def database_of(online: Online) -> sql.Identifier:
    return sql.Identifier(str(conninfo_to_dict(online.console.env["DATABASE_URL"])["dbname"]))


@contextmanager
def administrator(dbname: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
    """The superuser of the run's server, who makes the trouble."""
    with roles.connect(connection(servers.run_home(), "postgres", dbname=dbname)) as admin:
        yield admin


def cut_off(online: Online, admin: psycopg.Connection[Any]) -> None:
    """End every connection of the console, whatever it is doing."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        [conninfo_to_dict(online.console.env["DATABASE_URL"])["dbname"]],
    )


@contextmanager
def unreachable(online: Online) -> Iterator[None]:
    """The database lets nobody in and has thrown everybody out."""
    with administrator() as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(database_of(online)))
        cut_off(online, admin)
        try:
            yield
        finally:
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database_of(online)))


@contextmanager
def read_only(online: Online) -> Iterator[None]:
    """The database takes no writes, as a replica after a failover."""
    with administrator() as admin:
        name = database_of(online)
        admin.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        cut_off(online, admin)
        try:
            yield
        finally:
            admin.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
            cut_off(online, admin)


@contextmanager
def locked(online: Online) -> Iterator[None]:
    """Somebody holds the intake log: a migration, say."""
    owner = conninfo_to_dict(online.console.env["DATABASE_URL"])
    with psycopg.connect(make_conninfo(**owner)) as holder:
        holder.execute("LOCK TABLE monitoring_intake IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


def taken_again(online: Online, body: bytes) -> None:
    """What an exporter does: the same request until it is taken, told to come back in a second each time."""
    began = time.monotonic()
    while (answer := online.post("/v1/traces", body)).status != 200:
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert time.monotonic() - began < _LIMIT_S
        time.sleep(0.2)


@pytest.mark.parametrize("trouble", [unreachable, read_only, locked], ids=lambda trouble: trouble.__name__)
def test_it_asks_to_come_back_and_takes_the_same_request_afterwards(aster: Online, trouble: Any) -> None:
    body = traces(span(name=f"while {trouble.__name__}"))
    with aster.orm():
        before = figures(aster.tenant.pk)
    began = time.monotonic()
    with trouble(aster):
        answer = aster.post("/v1/traces", body)
    # An exporter's whole patience is ten seconds; it must be able to come back within them.
    assert time.monotonic() - began < 9
    assert (answer.status, answer.headers["content-type"], answer.headers["retry-after"]) == (503, JSON, "1")
    assert json.loads(answer.body)["code"] == 14
    with aster.orm():
        assert figures(aster.tenant.pk) == before
    taken_again(aster, body)
    with aster.rows():
        assert Run.objects.filter(root_name=f"while {trouble.__name__}").count() == 1


def test_it_survives_a_connection_that_breaks_between_two_requests(aster: Online) -> None:
    taken_again(aster, traces(span()))
    with administrator() as admin:
        cut_off(aster, admin)
    taken_again(aster, traces(span()))


def test_it_shows_the_tenant_what_was_refused_and_why(aster: Online) -> None:
    def refused() -> int:
        with aster.rows():
            return sum(row.count for row in Refusal.objects.filter(signal="metrics", status=400, reason="malformed"))

    bad: list[Answered] = [aster.post("/v1/metrics", b"{nonsense") for _ in range(2)]
    assert [answer.status for answer in bad] == [400, 400]
    began = time.monotonic()
    while refused() < 2:
        assert time.monotonic() - began < _LIMIT_S
        time.sleep(0.2)
    assert refused() == 2
