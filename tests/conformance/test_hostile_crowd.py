"""Fifty hostile senders at once beside good ones: nothing falls, nothing good is lost, memory stays bounded."""

from __future__ import annotations

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import Intake
from tests.conformance.corpus import MIB, SIZES
from tests.conformance.crowd import SLOW_SENDERS, WAIT, good_senders, hostile_crowd
from tests.conformance.meter import Meter
from tests.live import LiveConsole
from tests.online import Online

#: Bodies in flight, what four threads make of theirs, and the whole process for large bodies with one of them.
_MOST_GROWN = 512 * MIB


@pytest.fixture
def other(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Borealis Pharma")


def test_good_senders_are_served_beside_fifty_hostile_ones(aster: Online, other: Online, meter: Meter) -> None:
    assert len(SIZES) + SLOW_SENDERS >= 50
    with aster.rows():
        before = Intake.objects.count()
    with meter.running(), good_senders(aster.console.port, aster.key) as report:
        answers = hostile_crowd(aster.console.port, other.key)
    for name, statuses in answers.items():
        assert set(statuses) <= {SIZES[name].status, *WAIT}, name
    assert set(report.statuses) <= {200, *WAIT}
    taken = report.statuses.count(200)
    assert taken > 0
    with aster.rows():
        assert Intake.objects.count() - before == taken
    assert meter.grown <= _MOST_GROWN
