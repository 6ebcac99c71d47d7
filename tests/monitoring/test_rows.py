"""Statements that go out at once: one wait, all answers, and the error of the first that fails."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DataError, transaction

from monitoring.rows import ask, at_once, execute, tell

pytestmark = pytest.mark.django_db


def test_answers_are_there_when_the_block_has_ended() -> None:
    with transaction.atomic():
        with at_once():
            tell("SELECT set_config('app.reason', %s, true)", ["first"])
            one, other = ask("SELECT current_setting('app.reason')", []), ask("SELECT %s::int", [7])
        assert (one.rows(), other.rows()) == ([("first",)], [(7,)])


def divided() -> None:
    with transaction.atomic(), at_once():
        tell("SELECT 1", [])
        ask("SELECT 1 / %s::int", [0])
        ask("SELECT 'never asked'", [])


def interrupted() -> None:
    with transaction.atomic(), at_once():
        tell("SELECT 1", [])
        raise KeyError("ours")


def test_the_first_error_is_the_one_that_is_raised_and_the_connection_serves_on() -> None:
    with transaction.atomic():
        with pytest.raises(DataError) as caught:
            divided()
        assert isinstance(caught.value.__cause__, psycopg.errors.DivisionByZero)
        assert execute("SELECT 2", []) == [(2,)]


def test_an_error_of_ours_within_the_block_is_raised_as_it_is() -> None:
    with transaction.atomic():
        with pytest.raises(KeyError, match="ours"):
            interrupted()
        assert execute("SELECT 3", []) == [(3,)]
