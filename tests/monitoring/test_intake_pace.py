"""Large bodies are read a piece of one of them in each turn of the loop, whoever sends them."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from monitoring.receive.pace import UNPACED_BYTES, Pace
from tests import loops

PIECES, SENDERS = 8, 12


class Sender:
    """Has a large body ready, all of it at once; notes in which turn of the loop each piece was taken."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._left = PIECES

    async def receive(self) -> MutableMapping[str, Any]:
        self._left -= 1
        self._turns.taken.append(self._turns.count)
        return {"type": "http.request", "body": bytes(UNPACED_BYTES + 1), "more_body": self._left > 0}


class Turns:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.count = 0
        self.taken: list[int] = []

    async def go_on(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


async def read_all() -> Turns:
    turns, pace = Turns(), Pace()
    counting = asyncio.create_task(turns.go_on())
    await asyncio.gather(*(pace.discard(Sender(turns).receive) for _ in range(SENDERS)))
    counting.cancel()
    return turns


def test_each_turn_of_the_loop_reads_one_large_body_on() -> None:
    turns = loops.run(read_all())
    assert len(turns.taken) == SENDERS * PIECES
    # The first pieces are read as they come.
    later = turns.taken[SENDERS:]
    assert max(later.count(turn) for turn in later) == 1


async def read_beside_a_silent_one() -> None:
    pace = Pace()
    silent = asyncio.create_task(pace.discard(asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.wait_for(pace.discard(Sender(Turns()).receive), 5)
    silent.cancel()


def test_a_sender_who_has_gone_silent_holds_up_nobody() -> None:
    loops.run(read_beside_a_silent_one())


class Ready:
    """Has a large body ready, and tells how many pieces of it were taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def receive(self) -> MutableMapping[str, Any]:
        self.taken += 1
        return {"type": "http.request", "body": bytes(UNPACED_BYTES + 1), "more_body": True}


async def read_while_somebody_is_ahead() -> tuple[int, int]:
    pace, sender = Pace(), Ready()
    reading = asyncio.create_task(pace.discard(sender.receive))
    with pace.ahead():
        await asyncio.sleep(0.1)
        beside = sender.taken
    await asyncio.sleep(0.1)
    reading.cancel()
    return beside, sender.taken - beside


def test_a_large_body_stands_aside_for_what_is_worked_on_and_is_read_on_all_the_same() -> None:
    beside, afterwards = loops.run(read_while_somebody_is_ahead())
    # A piece each two milliseconds at most; then as fast as the loop turns.
    assert 2 < beside <= 52
    assert afterwards > 2 * beside
