"""Requests of one tenant that wait together are committed together, and each is answered for itself."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import DataError
from psycopg.errors import NumericValueOutOfRange

import monitoring.receive.accept as module
from monitoring.models import Intake, Run
from monitoring.pipeline import run_main_line
from monitoring.receive.arrival import Answer
from monitoring.receive.turns import Turns
from monitoring.records import Decoded
from tests import loops
from tests.cast import Member
from tests.monitoring.line import arrival, arrival_of_events, died, span, take_together, traces


def words(answers: Sequence[Answer | Exception]) -> list[tuple[int, str, int]]:
    """Status, reason and items of each answer."""
    return [(answer.status, answer.reason, answer.items) for answer in answers if isinstance(answer, Answer)]


def test_what_two_requests_tell_of_one_trace_is_one_run_in_full(owner: Member) -> None:
    root, child = span(trace=7, number=1), span(trace=7, number=2, parent=1, kind=3)
    answers = take_together(
        arrival(owner.tenant.pk, traces(root)),
        arrival(owner.tenant.pk, traces(child, root)),
        arrival(owner.tenant.pk, traces(span(trace=8))),
    )
    assert words(answers) == [(200, "", 1), (200, "", 2), (200, "", 1)]
    with owner.scope():
        kept = dict(Intake.objects.values_list("pk", "items"))
        runs = {bytes(run.trace_id)[-1]: run for run in Run.objects.all()}
    assert (runs[7].span_count, runs[8].span_count) == (2, 1)
    assert sorted(kept[pk] for pk in runs[7].intakes) == [1, 2]
    assert sorted([*runs[7].intakes, *runs[8].intakes]) == sorted(kept)


def test_a_repeat_beside_its_first_counts_once(owner: Member) -> None:
    body = traces(span(trace=7))
    answers = take_together(*[arrival(owner.tenant.pk, body)] * 3)
    assert words(answers) == [(200, "", 1), (200, "repeated", 1), (200, "repeated", 1)]
    with owner.scope():
        assert Intake.objects.count() == 1
        assert Run.objects.get().span_count == 1


def test_a_body_that_cannot_be_read_harms_none_beside_it(owner: Member) -> None:
    answers = take_together(
        arrival(owner.tenant.pk, b"{"),
        arrival(owner.tenant.pk, traces(span())),
        arrival_of_events(owner.tenant.pk, died("m-1")),
        arrival(owner.tenant.pk, traces(span())),
    )
    assert words(answers) == [(400, "malformed", 0), (200, "", 1), (200, "", 1), (200, "", 1)]


def test_one_that_the_database_refuses_is_refused_alone(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_main_line

    def choosy(decoded: Decoded, desk: Any) -> Any:
        if any(found.name == "poison" for found in decoded.spans):
            raise DataError("a value that no column takes") from NumericValueOutOfRange()
        return whole(decoded, desk)

    monkeypatch.setattr(module, "run_main_line", choosy)
    names = ("good", "poison", "good as well")
    answers = take_together(*[arrival(owner.tenant.pk, traces(span(name))) for name in names])
    assert [type(answer) for answer in answers] == [Answer, DataError, Answer]
    with owner.scope():
        assert Intake.objects.count() == 2
        assert Run.objects.count() == 2


def gathered(sizes: Sequence[int], work: Callable[[], None], *, together: int) -> list[list[int]]:
    """Which items were worked on together, when they came one right after the other."""
    groups: list[list[int]] = []

    def worked(items: Sequence[int]) -> list[int | Exception]:
        groups.append(list(items))
        work()
        return list(items)

    turns: Turns[int, int] = Turns(4, worked, waiting=90, together=together)

    async def ask_all() -> None:
        asked = [turns.run(1, item, size=size, is_large=False, limit_s=5) for item, size in enumerate(sizes)]
        assert await asyncio.gather(*asked) == list(range(len(sizes)))

    loops.run(ask_all())
    turns.close()
    return groups


def test_what_comes_in_meanwhile_goes_together_up_to_a_size() -> None:
    assert gathered([1, 4, 4, 4, 9, 2], lambda: time.sleep(0.02), together=10) == [[0], [1, 2], [3], [4], [5]]


def test_senders_answered_together_are_waited_for_and_share_the_next_turn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.receive.turns._MOMENT_S", 0.5)  # However busy this machine is.
    groups: list[int] = []

    def worked(items: Sequence[int]) -> list[int | Exception]:
        time.sleep(0.02)
        groups.append(len(items))
        return list(items)

    turns: Turns[int, int] = Turns(4, worked, waiting=90, together=100)

    async def send(sender: int) -> None:
        for _ in range(4):
            await turns.run(1, sender, size=10, is_large=False, limit_s=5)
            await asyncio.sleep(0.0005 * sender)  # They come back one after the other.

    async def send_all() -> None:
        await asyncio.gather(*map(send, range(4)))

    loops.run(send_all())
    turns.close()
    # The first comes alone, and goes with those that came meanwhile from its second time on.
    assert groups == [1, 4, 4, 4, 3]


def test_what_is_short_does_not_wait_for_what_is_long() -> None:
    hold = threading.Event()
    works: list[Callable[[], object]] = [time.monotonic, hold.set, lambda: hold.wait(5)]

    def work() -> None:
        works.pop()()

    began = time.monotonic()
    assert gathered([300, 300, 4], work, together=320) == [[0], [2], [1]]
    assert time.monotonic() - began < 0.25


def test_a_group_that_hangs_holds_the_next_up_for_a_moment_only() -> None:
    hold = threading.Event()
    works: list[Callable[[], object]] = [hold.set, lambda: hold.wait(5)]

    def work() -> None:
        works.pop()()

    began = time.monotonic()
    assert gathered([1, 1], work, together=10) == [[0], [1]]
    assert time.monotonic() - began < 2


def test_runs_that_go_in_several_portions_are_all_written(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.project.runs._MOST_AT_ONCE", 2)
    spans = [span(f"step {number}", trace=number, number=number) for number in range(1, 6)]
    take_together(arrival(owner.tenant.pk, traces(*spans[:3])), arrival(owner.tenant.pk, traces(*spans[2:])))
    with owner.scope():
        rows = {bytes(run.trace_id)[-1]: (run.root_name, run.span_count) for run in Run.objects.all()}
    assert rows == {number: (f"step {number}", 1) for number in range(1, 6)}


def test_it_lets_go_of_what_it_has_answered_without_the_collector() -> None:
    class Body:
        pass

    def worked(bodies: Sequence[Body]) -> list[bool | Exception]:
        return [True for _ in bodies]

    turns: Turns[Body, bool] = Turns(2, worked, waiting=90)
    left: list[weakref.ref[Body]] = []

    async def ask() -> None:
        for is_large in (False, True):
            body = Body()
            left.append(weakref.ref(body))
            await turns.run(1, body, size=1, is_large=is_large, limit_s=5)

    gc.disable()
    try:
        loops.run(ask())
        turns.close()
        assert [one() for one in left] == [None, None]
    finally:
        gc.enable()
