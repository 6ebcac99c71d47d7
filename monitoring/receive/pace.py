"""How fast large bodies are read: a piece of one of them in each turn of the event loop.

A piece takes a fraction of a millisecond. Where a dozen senders hand over large bodies at once, each turn would take a
dozen times that, and a short request needs several turns until it is answered. Its thread needs the interpreter as
well, which the loop holds while it reads: so a piece also waits a moment for the requests that are being worked on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeAlias

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: A body's first bytes, an exporter's usual batch many times over, are read as they come; so are as many after a turn.
UNPACED_BYTES = 256 << 10
#: So long a piece waits for them. Where there is always one, a body of 64 MiB takes half a second longer.
_ASIDE_S = 0.002


class Pace:
    """Shared by all readers of one event loop. None of them holds it while it waits for its sender."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._ahead = 0
        self._none_ahead = asyncio.Event()
        self._none_ahead.set()

    @contextlib.contextmanager
    def ahead(self) -> Iterator[None]:
        """Work on a request that large bodies stand aside for."""
        self._ahead += 1
        self._none_ahead.clear()
        try:
            yield
        finally:
            self._ahead -= 1
            if not self._ahead:
                self._none_ahead.set()

    async def next(self) -> None:
        """Wait for a turn of the loop in which no other large body is read on and, for a moment, until no request is
        worked on that goes before."""
        async with self._turn:
            await asyncio.sleep(0)
            if self._ahead:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ASIDE_S):
                        await self._none_ahead.wait()

    async def discard(self, receive: Receive) -> None:
        """Read the rest of a body that nobody needs: a sender that writes all of it first sees its answer then."""
        unpaced = UNPACED_BYTES
        while (message := await receive()).get("more_body"):
            unpaced -= len(message["body"])
            if unpaced < 0:
                await self.next()
                unpaced = UNPACED_BYTES
