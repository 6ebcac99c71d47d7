"""What is short goes before what is long, for a while, and only while it computes."""

from __future__ import annotations

import threading
import time

import pytest

from monitoring.native import turn
from monitoring.native.turn import give_way, wait_begins, wait_ends, working_on


def rounds_within(seconds: float, *, short: bool) -> int:
    """How many rounds of a loop that gives way a thread gets done."""
    done = 0
    with working_on(short=short):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            give_way()
            done += 1
    return done


class Other:
    """A thread that works on something short until it is told to end; `waits` while it waits for the database."""

    def __init__(self, *, waits: bool) -> None:
        self._waits = waits
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._begun.wait(5)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        with working_on(short=True):
            if self._waits:
                wait_begins()
            self._begun.set()
            self._over.wait()
            if self._waits:
                wait_ends()


def test_what_is_long_stands_aside_while_something_short_computes_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn, "_IN_ALL_S", 0.2)
    with Other(waits=False):
        few = rounds_within(0.15, short=False)
        many = rounds_within(1.0, short=False)
    assert few <= 0.15 / 0.002 + 1
    assert many > 10 * few


def test_it_goes_on_while_what_is_short_waits() -> None:
    with Other(waits=True):
        assert rounds_within(0.02, short=False) > 1000


def test_what_is_short_stands_aside_for_nobody() -> None:
    with Other(waits=False):
        assert rounds_within(0.02, short=True) > 1000


def test_nothing_is_counted_once_all_are_done() -> None:
    with Other(waits=True), Other(waits=False):
        assert turn._short == 1
    assert turn._short == 0
    assert turn._none_short.is_set()
