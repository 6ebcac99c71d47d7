"""What follows from all that is told of a unit of work, and how plain tries are written. Pure."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from monitoring.facts import AttemptFact, Confidence, Phase
from monitoring.project.plain_tries import both, by_minute, plain_tries, sorted_out
from monitoring.project.units import Decision, Told, life, tries
from tests.monitoring.samples import NOW

MINUTE = timedelta(minutes=1)


def row(phase: str, attempt: int = 1, *, minute: int = 0, teller: str = "a", began: int | None = None) -> Told:
    started_at = None if began is None else NOW + began * MINUTE
    return Told("u", phase, attempt, teller.encode(), NOW + minute * MINUTE, started_at, b"", 1, None)


def fact(unit: str, attempt: int, phase: Phase, *, minute: int | None = None) -> AttemptFact:
    ended_at = None if minute is None else NOW + minute * MINUTE
    return AttemptFact(unit, attempt, phase, "andon", Confidence.DECLARED, ended_at=ended_at)


def test_a_try_told_of_twice_counts_once_where_it_was_told_first() -> None:
    one, other = row("error", 2, minute=1, teller="b"), row("dead", 2, minute=0, teller="a")
    assert [(found.row, found.again, found.well) for found in tries([one, other])] == [(other, True, False)]


def test_a_try_is_well_if_any_that_tell_of_it_say_so() -> None:
    found = {(one.again, one.well) for one in tries([row("error", 1), row("ok", 2), row("error", 2, teller="b")])}
    assert found == {(False, False), (True, True)}


def test_what_became_of_a_unit_is_no_try() -> None:
    assert list(tries([row("redriven", 3), row("discarded", 3)])) == []


_TOLD = [row("dead", 3, minute=1), row("redriven", 4, minute=2), row("dead", 3, minute=3, teller="b")]


@pytest.mark.parametrize("told", list(itertools.permutations(_TOLD)))
def test_a_life_is_the_same_in_whatever_order_it_is_told(told: tuple[Told, ...]) -> None:
    found = life(told, (), ())
    assert found is not None
    assert (found.state, found.died_at, len(found.episodes), found.attempts) == ("open", NOW + 3 * MINUTE, 2, 3)
    assert found.last == _TOLD[2]


def test_a_unit_that_never_died_has_no_life() -> None:
    assert life([row("retry_scheduled", 2), row("ok", 3)], [NOW], ()) is None


def test_a_later_notice_of_a_death_moves_its_time_and_is_no_second_death() -> None:
    found = life([row("dead", 3, minute=1), row("dead", 4, minute=2, teller="b")], (), ())
    assert found is not None
    assert (len(found.episodes), found.last.attempt, found.died_at) == (1, 3, NOW + 2 * MINUTE)


@pytest.mark.parametrize(("began", "state"), [(0, "open"), (1, "redriven"), (2, "redriven")])
def test_a_first_try_that_went_well_settles_the_deaths_before_it_began(began: int, state: str) -> None:
    found = life([row("dead", 3, minute=1)], [NOW + began * MINUTE], ())
    assert found is not None
    assert found.state == state


def test_the_end_of_a_try_that_was_under_way_settles_nothing() -> None:
    found = life([row("dead", 3, minute=1), row("ok", 3, minute=2, teller="b", began=0)], (), ())
    assert found is not None
    assert found.state == "open"


def test_a_persons_decision_stands_until_the_unit_dies_again() -> None:
    accepted = Decision("accepted", NOW + 5 * MINUTE, "user:1", "scrapped")
    told = [row("dead", 3, minute=1), row("redriven", 4, minute=2), row("redriven", 4, minute=7, teller="b")]
    found = life(told, (), [accepted])
    assert found is not None
    assert (found.state, found.settled) == ("accepted", accepted)
    again = life([*told, row("dead", 3, minute=9, teller="c")], (), [accepted])
    assert again is not None
    assert (again.state, len(again.episodes)) == ("open", 2)


def test_only_units_that_went_well_at_once_are_plain() -> None:
    facts = [fact("a", 1, Phase.OK), fact("b", 1, Phase.OK), fact("b", 2, Phase.OK), fact("c", 1, Phase.DEAD)]
    plain, troubled = sorted_out(facts)
    assert ([one.unit_id for one in plain], [one.unit_id for one in troubled]) == (["a"], ["b", "b", "c"])


def test_plain_tries_are_counted_by_minute_each_unit_once() -> None:
    facts = [fact("a", 1, Phase.OK, minute=2), fact("a", 1, Phase.OK, minute=1), fact("b", 1, Phase.OK)]
    written = plain_tries(facts, NOW + 2 * MINUTE)
    assert list(by_minute(written)) == [(NOW + MINUTE, 1), (NOW + 2 * MINUTE, 1)]
    assert list(by_minute(both(written, written))) == [(NOW + MINUTE, 2), (NOW + 2 * MINUTE, 2)]
    assert (both("", written), both(written, ""), plain_tries([], NOW)) == (written, written, "")
