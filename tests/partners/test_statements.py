"""Statements that travel together: one wait, all answers, and the error of the first that fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DataError, OperationalError, connection, transaction

from partners.database import statements
from partners.database.statements import Asked, ask, execute, send_waiting, tell
from partners.scope import installation_scope, tenant_scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What went to the database in one piece, piece by piece."""
    sent: list[list[str]] = []
    exchange = statements._exchange

    def noted(to: Any, going: Sequence[Asked], *, commit: bool = False) -> None:
        texts = [asked.query.text.decode() for asked in going] + ["COMMIT"] * commit
        sent.append([text for text in texts if not text.startswith("SET LOCAL")])
        exchange(to, going, commit=commit)

    monkeypatch.setattr(statements, "_exchange", noted)
    return sent


def test_what_waits_goes_out_once_an_answer_is_looked_at(pieces: list[list[str]]) -> None:
    with installation_scope(actor="system:test"):
        tell("SELECT 1")
        one, other = ask("SELECT %s::text", ["first"]), ask("SELECT %s::int", [7])
        assert pieces == []
        assert (other.rows(), one.rows()) == ([(7,)], [("first",)])
    assert pieces == [["SELECT 1", "SELECT $1::text", "SELECT $1::int"]]


def test_what_still_waits_goes_out_at_the_end(pieces: list[list[str]]) -> None:
    with installation_scope(actor="system:test"):
        asked = ask("SELECT 1")
    assert (pieces, asked.rows()) == ([["SELECT 1"]], [(1,)])


@pytest.mark.django_db(transaction=True)
def test_the_end_of_the_transaction_goes_with_what_still_waits(pieces: list[list[str]]) -> None:
    with installation_scope(actor="system:test"):
        assert execute("SELECT pg_current_xact_id() IS NOT NULL") == [(True,)]
        tell("SELECT 1")
    assert pieces == [["SELECT pg_current_xact_id() IS NOT NULL"], ["SELECT 1", "COMMIT"]]
    assert connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def interrupted(sent: list[str], waiting: list[str]) -> None:
    with installation_scope(actor="system:test"):
        for statement in sent:
            ask(statement)
        send_waiting()
        for statement in waiting:
            ask(statement)
        raise KeyError("ours")


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_to_be_undone_is_undone() -> None:
    execute("CREATE TEMPORARY TABLE kept (n int)")
    with installation_scope(actor="system:test"):
        tell("INSERT INTO kept VALUES (1)")
        transaction.set_rollback(True)
    with pytest.raises(KeyError):
        interrupted(["INSERT INTO kept VALUES (2)"], ["INSERT INTO kept VALUES (3)"])
    with installation_scope(actor="system:test"):
        tell("INSERT INTO kept VALUES (4)")
    assert execute("SELECT n FROM kept") == [(4,)]
    execute("DROP TABLE kept")


def test_the_order_of_what_is_said_here_and_by_djangos_cursor_is_kept() -> None:
    with installation_scope(actor="system:test"), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE ordered (n int) ON COMMIT DROP")
        tell("INSERT INTO ordered VALUES (1)")
        cursor.execute("UPDATE ordered SET n = n + 1")
        tell("UPDATE ordered SET n = n * 10")
        with transaction.atomic():
            tell("UPDATE ordered SET n = n + 2")
        assert execute("SELECT n FROM ordered") == [(22,)]


def test_a_savepoint_that_is_undone_takes_what_waited_in_it_along() -> None:
    with installation_scope(actor="system:test"):
        execute("CREATE TEMPORARY TABLE undone (n int) ON COMMIT DROP")
        tell("INSERT INTO undone VALUES (1)")
        with pytest.raises(KeyError):
            interrupted(["INSERT INTO undone VALUES (2)"], ["INSERT INTO undone VALUES (3)"])
        assert execute("SELECT n FROM undone") == [(1,)]


def divided() -> None:
    with installation_scope(actor="system:test"):
        tell("SELECT 1")
        ask("SELECT 1 / %s::int", [0])
        ask("SELECT 'never asked'")


def test_the_first_error_is_the_one_that_is_raised_and_the_connection_serves_on() -> None:
    with transaction.atomic():
        with pytest.raises(DataError) as caught:
            divided()
        assert isinstance(caught.value.__cause__, psycopg.errors.DivisionByZero)
        assert execute("SELECT 2") == [(2,)]


def test_what_an_error_of_ours_leaves_waiting_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[Asked] = []

    def noted(statement: str) -> Asked:
        given_up.append(statements.ask(statement))
        return given_up[-1]

    monkeypatch.setattr(f"{__name__}.ask", noted)
    with transaction.atomic():
        with pytest.raises(KeyError, match="ours"):
            interrupted([], ["SELECT 1 / 0"])
        assert execute("SELECT 3") == [(3,)]
    with pytest.raises(RuntimeError, match="given up"):
        given_up[0].rows()


def test_every_kind_of_value_arrives_as_it_is() -> None:
    at, took = datetime(2026, 3, 1, 8, 30, 0, 5, tzinfo=UTC), timedelta(days=-1, seconds=3, microseconds=7)
    given = ["ä\\'\"{}", True, 2**62, 1.5, Decimal("0.10"), at, took, b"\x00\xff'", None]
    kinds = ["text", "boolean", "bigint", "float8", "numeric", "timestamptz", "interval", "bytea", "text"]
    statement = f"SELECT {', '.join(f'%s::{kind}' for kind in kinds)}"
    assert execute(statement, given) == [tuple(given)]
    named = "SELECT %(one)s::int + %(two)s::int, %(one)s, '100%%'"
    assert execute(named, {"two": 2, "one": 1}) == [(3, 1, "100%")]


def test_a_value_that_has_no_text_of_postgresqls_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(DataError, match="NUL"):
        ask("SELECT %s::text", ["a\0b"])
    with pytest.raises(TypeError, match="may not be set"):
        ask("SELECT %s::int", [{1}])


def test_more_than_the_network_holds_at_once_travels_both_ways() -> None:
    large = "x" * 3_000_000
    with installation_scope(actor="system:test"):
        asked = [ask("SELECT %s::text, %s::bytea", [large, large.encode()]) for _ in range(5)]
    assert [row for one in asked for row in one.rows()] == [(large, large.encode())] * 5


def test_a_statement_whose_plan_no_longer_fits_fails_once() -> None:
    execute("CREATE TEMPORARY TABLE altered (n int)")
    assert execute("SELECT * FROM altered") == []
    execute("ALTER TABLE altered ADD COLUMN other int")
    with pytest.raises(DataError.__mro__[2]), transaction.atomic():
        execute("SELECT * FROM altered")
    tell("INSERT INTO altered VALUES (1, 2)")
    assert execute("SELECT * FROM altered") == [(1, 2)]


@pytest.mark.django_db(transaction=True)
def test_plans_are_made_anew_as_more_is_sent_and_the_scope_stays_what_it_is() -> None:
    connection.close()
    planned = []
    for _ in range(40):
        with tenant_scope(7, actor="system:test"):
            assert execute("SELECT current_setting('app.tenant_id')") == [("7",)]
            [[known]] = execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'andon%%'")
            planned.append(known)
            tell("SELECT %s::text", ["x" * 10_000])
    # After 64 and 256 KiB nothing is known but the statements of the new transaction.
    assert [place for place, known in enumerate(planned) if known == 2] == [0, 7, 29]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_cut_off_meanwhile_is_told_as_such() -> None:
    with pytest.raises(OperationalError), installation_scope(actor="system:test"):
        execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()
    assert execute("SELECT 5") == [(5,)]
