"""Shares between tenants: bytes, places in the queue, threads, and the quota that an operator sets."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TypeAlias

import pytest
import zstandard

from monitoring.receive import quota as quota_module
from monitoring.receive.arrival import Answer
from monitoring.receive.body import LargerThanExpected, decompress, expected_size
from monitoring.receive.quota import OverQuota, Quota
from monitoring.receive.room import Hold, Room
from monitoring.receive.share import Overloaded, OverShare, Share
from monitoring.receive.turns import Stalled, Turns
from monitoring.records import PayloadTooLarge
from tests import loops

NOISY, QUIET, THIRD = 1, 2, 3
DONE = Answer(200, b"", "")


# Bytes ---------------------------------------------------------------------------------------------------------------


def filled(share: Share, tenant_id: int, stack: ExitStack) -> int:
    """How many single units a tenant gets until it is told that it has its share."""
    for count in range(share.most + 1):
        try:
            stack.enter_context(share.holding(tenant_id)).add(1)
        except OverShare:
            return count
    raise AssertionError("no end")


def test_it_leaves_room_for_whoever_comes_next() -> None:
    share = Share(900)
    with ExitStack() as stack:
        assert [filled(share, tenant, stack) for tenant in (NOISY, QUIET, THIRD)] == [600, 200, 67]
    assert share.held == 0


def test_it_gives_a_tenant_that_is_alone_whatever_it_needs_for_one_request() -> None:
    share = Share(100)
    with share.holding(NOISY) as first:
        first.add(90)
        first.add(400)
        with share.holding(QUIET) as second, pytest.raises(Overloaded):
            second.add(1)
        assert share.held == 490
    assert share.held == 0


def test_it_keeps_small_bodies_apart_from_large_ones() -> None:
    room = Room(90 << 20)
    large, small = Hold(), Hold()
    with room.entered(NOISY, 60 << 20, large):
        for _ in range(60):
            large.add(1 << 20)
        assert (room.large.held, room.small.held) == (60 << 20, 0)
        with room.entered(QUIET, 0, small):
            small.add(40_000)
            assert room.small.held == 40_000
        with pytest.raises(Overloaded), room.entered(QUIET, 2 << 20, Hold()):
            pass
    assert room.held == 0


# Decompressed bytes --------------------------------------------------------------------------------------------------


def test_it_knows_a_large_body_before_it_is_decompressed() -> None:
    body = bytes(9 << 20)
    assert expected_size(gzip.compress(body), "gzip") == 9 << 20
    assert expected_size(zstandard.ZstdCompressor().compress(body), "zstd") == 9 << 20
    assert expected_size(body, "") == 9 << 20


def test_it_stops_a_body_that_holds_more_than_it_says() -> None:
    # The last member of a gzip stream says only its own size.
    body = gzip.compress(os.urandom(9 << 20), 1) + gzip.compress(b"x")
    assert expected_size(body, "gzip") == len(body)
    with pytest.raises(LargerThanExpected):
        decompress(body, "gzip", 64 << 20, 4 << 20)
    assert len(decompress(body, "gzip", 64 << 20)) == (9 << 20) + 1


def test_it_refuses_a_bomb_without_holding_it() -> None:
    with pytest.raises(PayloadTooLarge):
        decompress(gzip.compress(bytes(65 << 20)), "gzip", 64 << 20)


# Turns ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def turns() -> Iterator[Calls]:
    found: Calls = Turns(2, called, waiting=90)
    yield found
    found.close()


Calls: TypeAlias = Turns[Callable[[], Answer], Answer]
Asking: TypeAlias = Callable[[], Awaitable[Answer]]


def called(calls: Sequence[Callable[[], Answer]]) -> list[Answer | Exception]:
    return [call() for call in calls]


def together(*calls: Asking) -> list[Answer | BaseException]:
    async def all_of_them() -> list[Answer | BaseException]:
        return list(await asyncio.gather(*(call() for call in calls), return_exceptions=True))

    return loops.run(all_of_them())


def ask(
    turns: Calls, tenant: int, call: Callable[[], object], *, is_large: bool = False, limit_s: float = 5.0
) -> Asking:
    def answered() -> Answer:
        call()
        return DONE

    return lambda: turns.run(tenant, answered, size=1, is_large=is_large, limit_s=limit_s)


def test_it_lets_a_quiet_tenant_by_the_queue_of_a_noisy_one(turns: Calls) -> None:
    seen: list[int] = []

    def work(tenant: int) -> Asking:
        return ask(turns, tenant, lambda: seen.append(tenant) or time.sleep(0.02))  # type: ignore[func-returns-value]

    together(*[work(NOISY) for _ in range(20)], work(QUIET))
    assert seen.index(QUIET) <= 1
    assert len(seen) == 21


def test_it_tells_a_tenant_that_fills_the_queue_and_still_takes_another(turns: Calls) -> None:
    hold = threading.Event()
    noisy = [ask(turns, NOISY, hold.wait) for _ in range(100)]
    quiet = ask(turns, QUIET, hold.set)
    answers = together(*noisy, quiet)
    assert answers[-1] is DONE
    assert {type(answer) for answer in answers} == {Answer, OverShare}
    assert turns.waiting.held == 0


def test_it_works_on_one_large_body_at_a_time_and_lets_small_ones_by() -> None:
    now, most = [0], [0]
    turns: Calls = Turns(4, called, waiting=90)
    lock = threading.Lock()

    def large() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1

    began = time.monotonic()
    quick: list[float] = []
    small = ask(turns, QUIET, lambda: quick.append(time.monotonic() - began))
    together(*[ask(turns, NOISY, large, is_large=True) for _ in range(4)], small)
    assert most == [1]
    assert quick[0] < 0.05
    turns.close()


def test_it_grows_no_threads_and_refuses_at_once_when_all_are_stuck(turns: Calls) -> None:
    hold = threading.Event()
    before = threading.active_count()

    async def story() -> list[object]:
        stuck = [asyncio.ensure_future(ask(turns, who, hold.wait, limit_s=0.05)()) for who in (NOISY, QUIET)]
        found: list[object] = list(await asyncio.gather(*stuck, return_exceptions=True))
        began = time.monotonic()
        try:
            await ask(turns, THIRD, hold.wait)()
        except Stalled as error:
            found += [error, time.monotonic() - began]
        hold.set()
        while turns.stuck:
            await asyncio.sleep(0.01)
        found.append(await ask(turns, THIRD, hold.wait)())
        return found

    *refused, waited, answered = loops.run(story())
    assert [type(one) for one in refused] == [Stalled] * 3
    assert isinstance(waited, float)
    assert waited < 0.05
    assert answered is DONE
    assert threading.active_count() <= before + 2


# Quota ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock that quotas go by."""
    return lambda seconds: monkeypatch.setattr(quota_module, "monotonic", lambda: seconds)


def entered(quota: Quota, tenant: int, *, tries: int) -> int:
    taken = 0
    for _ in range(tries):
        try:
            quota.enter(tenant)
        except OverQuota:
            continue
        taken += 1
    return taken


def test_it_lets_a_tenant_send_its_quota_and_no_more(at: Callable[[float], None]) -> None:
    quota = Quota(10, 0)
    at(100.0)
    assert entered(quota, NOISY, tries=200) == 20
    at(101.0)
    assert (entered(quota, NOISY, tries=200), entered(quota, QUIET, tries=5)) == (10, 5)


def test_it_counts_the_bytes_that_were_read(at: Callable[[float], None]) -> None:
    quota = Quota(0, 1_000)
    at(100.0)
    quota.enter(NOISY)
    quota.spend(NOISY, 3_000)
    assert entered(quota, NOISY, tries=1) == 0
    at(102.0)
    assert entered(quota, NOISY, tries=1) == 1


def test_it_limits_nobody_unless_it_is_told(at: Callable[[float], None]) -> None:
    at(100.0)
    assert entered(Quota(0, 0), NOISY, tries=10_000) == 10_000
