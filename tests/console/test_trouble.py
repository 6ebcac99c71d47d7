"""Pages and the API while the database is away: told to come back, and served again as soon as it is there."""

from __future__ import annotations

import json
import time

import pytest
from django.db import DataError, InterfaceError, OperationalError
from django.db.transaction import TransactionManagementError
from psycopg.errors import DiskFull, NumericValueOutOfRange
from pytest_django import DjangoDbBlocker

from partners.faults import will_pass
from tests.live import LiveConsole
from tests.online import Online
from tests.troubles import cut_off, unreachable

_PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


def test_it_asks_to_come_back_while_the_database_is_away_and_serves_again_once_it_is_there(aster: Online) -> None:
    cookie = {"Cookie": aster.session(aster.person())}
    page, api = f"/t/{aster.tenant.slug}/", "/api/v1/runs/"
    assert [aster.ask("GET", path, headers=cookie).status for path in (page, api)] == [200, 200]
    with unreachable(aster.console):
        shown, told = (aster.ask("GET", path, headers=cookie) for path in (page, api))
    assert (shown.status, shown.headers["retry-after"]) == (503, "1")
    assert b"Andon is waiting for its database" in shown.body
    assert (told.status, told.headers["retry-after"]) == (503, "1")
    assert told.headers["content-type"] == "application/problem+json"
    assert json.loads(told.body)["code"] == "unavailable"
    assert eventually_served(aster, page, cookie)


def test_connections_that_were_cut_are_no_fault_of_the_console(aster: Online) -> None:
    cookie = {"Cookie": aster.session(aster.person())}
    page = f"/t/{aster.tenant.slug}/"
    cut_off(aster.console)
    found = {aster.ask("GET", page, headers=cookie).status for _ in range(10)}
    assert found <= {200, 503}
    assert eventually_served(aster, page, cookie)


def eventually_served(aster: Online, path: str, headers: dict[str, str]) -> bool:
    """Whether the page is answered with 200 again before long, and with nothing but 503 until then."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        status = aster.ask("GET", path, headers=headers).status
        if status == 200:
            return True
        assert status == 503
        time.sleep(0.2)
    return False


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def test_only_what_passes_by_itself_is_told_to_come_back() -> None:
    passing = [OperationalError("gone"), InterfaceError("closed"), caused(OperationalError(), DiskFull())]
    lasting = [TransactionManagementError("ours"), caused(DataError(), NumericValueOutOfRange()), ValueError(), None]
    assert [will_pass(error) for error in passing] == [True] * 3
    assert [will_pass(error) for error in lasting] == [False] * 4
