"""A TCP proxy between senders and console that can delay, choke, cut, swallow, reset and fall silent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from dataclasses import dataclass

#: What can happen to one connection; each strikes the next one that carries a request.
STRIKES = ("cut-request", "cut-answer", "swallow", "reset", "black-hole")
_SILENT_S = 2.0


@dataclass(slots=True)
class Weather:
    """What all connections suffer: seconds before each chunk, bytes a second (0: as fast as it goes)."""

    delay_s: float = 0.0
    bytes_per_s: int = 0


class Proxy:
    """Listens on a port of its own. `strike` arms a fault, `struck` counts those that have hit."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self.weather = Weather()
        self.struck = 0
        self._armed: deque[tuple[str, int]] = deque()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def strike(self, kind: str, after: int = 0) -> None:
        """Break the next connection that carries a request; cuts come `after` that many bytes."""
        if kind not in STRIKES:
            raise ValueError(f"{kind} is none of {', '.join(STRIKES)}")
        self._armed.append((kind, after))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, writer, far_writer)
        pumps = [
            asyncio.create_task(link.pump(reader, far_writer, is_request=True)),
            asyncio.create_task(link.pump(far_reader, writer, is_request=False)),
        ]
        # Half-closed connections are not HTTP's: the end of one direction is the end of both.
        _, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        link.abort()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    def next_strike(self) -> tuple[str, int] | None:
        """Take what is armed, if anything is."""
        return self._armed.popleft() if self._armed else None


class _Link:
    """One connection through the proxy, and the fault that it has met."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._near, self._far = near, far
        self._fate: tuple[str, int] | None = None
        self._left = 0

    def abort(self) -> None:
        """Break both sides."""
        self._near.transport.abort()
        self._far.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool) -> None:
        """Carry one direction until it ends or its fate is fulfilled."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                if is_request and self._fate is None:
                    self._meet(self._proxy.next_strike())
                if self._fate is not None and not await self._survives(chunk, writer, is_request=is_request):
                    return
                if self._fate is None or self._fate[0] in ("swallow", "cut-answer"):
                    await self._carry(chunk, writer)

    def _meet(self, fate: tuple[str, int] | None) -> None:
        self._fate = fate
        if fate is not None:
            self._left = fate[1]

    async def _survives(self, chunk: bytes, writer: asyncio.StreamWriter, *, is_request: bool) -> bool:
        """Whether the connection goes on after this chunk."""
        assert self._fate is not None
        kind = self._fate[0]
        if kind in ("swallow", "cut-answer") and is_request:
            return True
        if kind in ("cut-answer", "cut-request"):
            part = chunk[: self._left]
            self._left -= len(part)
            writer.write(part)
            await writer.drain()
            if kind == "cut-request" and self._left > 0:
                return True
        elif kind == "reset":
            _reset_on_close(self._near)
        elif kind == "black-hole":
            await asyncio.sleep(_SILENT_S)
        self._proxy.struck += 1
        return False

    async def _carry(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        weather = self._proxy.weather
        if weather.delay_s or weather.bytes_per_s:
            await asyncio.sleep(weather.delay_s + len(chunk) / (weather.bytes_per_s or 1e12))
        writer.write(chunk)
        await writer.drain()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Closing sends RST, not FIN."""
    handle = writer.get_extra_info("socket")
    if handle is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
