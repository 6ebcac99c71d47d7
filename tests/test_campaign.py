"""The short form of the kill campaign: twenty kills over everything that can die, and a console that must be caught."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.campaign.campaign import campaign
from bench.campaign.controls import ANSWER_FIRST
from bench.campaign.crew import Crew
from bench.campaign.nemesis import KINDS, Nemesis
from bench.campaign.report import upper_bound
from bench.campaign.teeth import is_caught
from monitoring.failpoints import FailPointReached, fail_point

_SEED = 20261121


def _twenty_kills(nemesis: Nemesis, crew: Crew) -> None:
    nemesis.worker_at("delivery.sent")
    nemesis.run(dict.fromkeys(KINDS, 4), lambda _: None)


@pytest.mark.story
def test_nothing_acknowledged_is_lost_or_counted_twice_when_anything_is_killed() -> None:
    outcome = campaign(_twenty_kills, seed=_SEED, hasten=True)

    assert outcome.verdict.examples == []
    assert outcome.verdict.is_clean
    assert outcome.verdict.acked > 2_000
    # Workers start while the database is away, and wait for it.
    assert [death for death in outcome.deaths if death.startswith("web")] == []
    assert all(outcome.toll.kills[kind] >= 4 for kind in KINDS)


@pytest.mark.story
def test_a_console_that_answers_before_it_commits_is_caught() -> None:
    caught, outcome = is_caught(ANSWER_FIRST, seed=_SEED)

    assert caught, outcome


def test_three_hundred_kills_without_a_loss_leave_one_in_a_hundred() -> None:
    assert round(upper_bound(59), 3) == 0.050
    assert round(upper_bound(300), 4) == 0.0099
    assert upper_bound(0) == 1.0


def test_a_fail_point_strikes_at_the_visit_that_it_names() -> None:
    point = fail_point("intake.inserted:raise:3")
    assert point is not None
    point.visit("intake.inserted")
    point.visit("intake.committed")
    point.visit("intake.inserted")
    with pytest.raises(FailPointReached):
        point.visit("intake.inserted")
    point.visit("intake.inserted")


def test_a_fail_point_with_a_probability_strikes_as_often() -> None:
    point = fail_point("delivery.sent:raise:0.5")
    assert point is not None
    struck: Counter[bool] = Counter()
    for _ in range(400):
        try:
            point.visit("delivery.sent")
            struck[False] += 1
        except FailPointReached:
            struck[True] += 1
    assert 100 < struck[True] < 300


def test_without_the_variable_there_is_no_fail_point() -> None:
    assert fail_point("") is None
    with pytest.raises(ValueError, match="could not convert"):
        fail_point("intake.inserted:explode")
