"""An event loop whose server leaves a new connection to the worker that has fewer.

All web workers listen on one socket. A worker that takes whatever is there takes every connection of a sender that
opens several at once, and while it works through them the others have nothing to do. Senders keep their connections
for days. So a worker lets a moment pass before it takes one, the longer the more it has.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import uvloop

_log = logging.getLogger(__name__)

#: A thousandth of a second more for twice as many connections, up to so many: one may come for one request only.
_STEP_S, _MOST_STEPS = 0.001, 5
#: Out of files or memory, or whatever else stands in the way: what waits in the backlog is taken once it has gone.
_PAUSE_S = 0.5
#: So many that are gone are looked at in one turn of the loop, which takes a few milliseconds.
_MOST_GONE = 256


class EvenLoop(uvloop.Loop):
    """uvloop's, but for how it serves a socket that it is handed."""

    async def create_server(self, protocol_factory: Callable[[], Any], *args: Any, **options: Any) -> Any:
        """Serve; as uvloop does, unless `sock` is given and nothing is encrypted."""
        shared = options.get("sock")
        if shared is None or options.get("ssl") is not None:
            return await super().create_server(protocol_factory, *args, **options)
        return _EvenServer(self, protocol_factory, shared, options.get("backlog", 100))


class _EvenServer:
    """What uvicorn uses of a server: it listens at once, and no longer once it is closed."""

    def __init__(
        self, loop: EvenLoop, protocol_factory: Callable[[], Any], shared: socket.socket, backlog: int
    ) -> None:
        shared.setblocking(False)
        shared.listen(backlog)
        self.sockets = (shared,)
        self._loop, self._factory, self._shared = loop, protocol_factory, shared
        self._open: set[asyncio.BaseTransport] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._later: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._listen()

    def close(self) -> None:
        """Take no more connections; those that are open stay."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._shared.fileno())
            if self._later is not None:
                self._later.cancel()

    async def wait_closed(self) -> None:
        """Nothing is left to be done."""

    def _listen(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._shared.fileno(), self._knocked)

    def _knocked(self) -> None:
        """Somebody waits: for this worker, unless another one with fewer takes them first."""
        self._loop.remove_reader(self._shared.fileno())
        self._open = {transport for transport in self._open if not transport.is_closing()}
        held = len(self._open) + len(self._starting)
        self._later = self._loop.call_later(min(held.bit_length(), _MOST_STEPS) * _STEP_S, self._take)

    def _take(self) -> None:
        try:
            taken = self._first_that_is_there()
        except (BlockingIOError, ConnectionAbortedError):
            self._listen()
        except OSError as error:
            _log.warning("no connection can be taken at the moment: %s", error)
            self._later = self._loop.call_later(_PAUSE_S, self._listen)
        else:
            starting = self._loop.create_task(self._start(taken))
            self._starting.add(starting)
            starting.add_done_callback(self._starting.discard)
            self._listen()

    def _first_that_is_there(self) -> socket.socket:
        """The first connection whose other end has not hung up again. A few hundred that have are let go of at once:
        whoever opens and closes without a pause would fill the line before everybody else."""
        for left in reversed(range(_MOST_GONE)):
            taken, _ = self._shared.accept()
            if not left or not _is_gone(taken):
                break
            taken.close()
        return taken

    async def _start(self, taken: socket.socket) -> None:
        try:
            taken.setblocking(False)
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # uvloop's annotations name the two the other way round.
            transport: Any = (await self._loop.connect_accepted_socket(self._factory, taken))[0]
        except OSError:
            # Whoever it was has gone.
            taken.close()
        else:
            self._open.add(transport)


def _is_gone(taken: socket.socket) -> bool:
    """Whether the other end has hung up without a word."""
    try:
        return not taken.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
