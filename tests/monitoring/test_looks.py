"""When a window of retries is read in whole again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.findings import TrySums
from monitoring.project import looks
from monitoring.project.looks import Look, is_due
from tests.monitoring.samples import NOW

PLACE = (1, 7, None)
END = NOW.replace(second=0, microsecond=0) + timedelta(minutes=1)
FIRST = Look(TrySums(100, 100, 150, 50), END, NOW)


def later(seconds: float, retries: int, *, first: int = 100, minutes: int = 0) -> Look:
    return Look(TrySums(first, retries, 150, 50), END + timedelta(minutes=minutes), NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("look", "due"),
    [
        (later(1, 149), False),
        (later(1, 150), True),
        (later(1, 100, first=200), True),
        (later(1, 40), True),
        (later(9, 120), False),
        (later(10, 109), False),
        (later(10, 110), True),
        (later(10, 100, minutes=1), False),
        (later(1, 100, minutes=2), True),
        (later(1, 100, minutes=-60), True),
        (later(59, 100), False),
        (later(60, 100), True),
    ],
)
def test_it_is_due_when_enough_has_changed_or_passed(monkeypatch: pytest.MonkeyPatch, look: Look, due: bool) -> None:
    monkeypatch.setattr(looks, "_last", {PLACE: FIRST})
    monkeypatch.setattr("monitoring.project.looks.transaction.on_commit", lambda call: call())
    assert is_due(PLACE, look) is due
    assert looks._last[PLACE] == (look if due else FIRST)


def test_a_look_counts_once_it_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_last", {})
    monkeypatch.setattr("monitoring.project.looks.transaction.on_commit", [].append)
    assert is_due(PLACE, FIRST)
    assert is_due(PLACE, FIRST)
