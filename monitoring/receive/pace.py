"""How fast large bodies are read: a piece of one of them in each turn of the event loop.

A piece takes a fraction of a millisecond. Where a dozen senders hand over large bodies at once, each turn would take a
dozen times that, and a short request needs several turns until it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: A body's first bytes, an exporter's usual batch many times over, are read as they come; so are as many after a turn.
UNPACED_BYTES = 256 << 10


class Pace:
    """Shared by all readers of one event loop. None of them holds it while it waits for its sender."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def next(self) -> None:
        """Wait for a turn of the loop in which no other large body is read on."""
        async with self._turn:
            await asyncio.sleep(0)

    async def discard(self, receive: Receive) -> None:
        """Read the rest of a body that nobody needs: a sender that writes all of it first sees its answer then."""
        unpaced = UNPACED_BYTES
        while (message := await receive()).get("more_body"):
            unpaced -= len(message["body"])
            if unpaced < 0:
                await self.next()
                unpaced = UNPACED_BYTES
