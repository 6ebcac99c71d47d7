"""Two workers on one socket share the connections that come at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from console.runtime.even_loop import EvenLoop

CONNECTIONS = 24


class Echo(asyncio.Protocol):
    """Says what it hears."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Worker:
    """A loop in a thread that serves the shared socket."""

    def __init__(self, shared: socket.socket) -> None:
        self.loop, self.taken = EvenLoop(), 0
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.server = self._run(self.loop.create_server(self._protocol, sock=shared, backlog=100))

    def _protocol(self) -> Echo:
        self.taken += 1
        return Echo()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def close(self) -> None:
        """Take no more connections."""
        self.loop.call_soon_threadsafe(self.server.close)

    def stop(self) -> None:
        self.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def shared() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening


@contextlib.contextmanager
def workers(shared: socket.socket, number: int) -> Iterator[list[Worker]]:
    started = [Worker(shared.dup()) for _ in range(number)]
    try:
        yield started
    finally:
        for worker in started:
            worker.stop()


def connected(shared: socket.socket) -> socket.socket:
    return socket.create_connection(shared.getsockname(), timeout=10)


def said(connection: socket.socket, words: bytes) -> bytes:
    connection.sendall(words)
    return connection.recv(100)


def test_connections_that_come_at_once_are_shared(shared: socket.socket) -> None:
    with workers(shared, 2) as both:
        opened = [connected(shared) for _ in range(CONNECTIONS)]
        assert all(said(each, b"hello") == b"hello" for each in opened)
        assert sum(worker.taken for worker in both) == CONNECTIONS
        assert min(worker.taken for worker in both) >= CONNECTIONS // 4
        for each in opened:
            each.close()


def test_a_closed_server_takes_no_more_and_keeps_those_it_has(shared: socket.socket) -> None:
    with workers(shared, 1) as [worker]:
        first = connected(shared)
        assert said(first, b"one") == b"one"
        worker.close()
        late = connected(shared)  # The kernel's backlog takes it; nobody serves it.
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            said(late, b"two")
        assert said(first, b"three") == b"three"
        first.close()
        late.close()


def test_it_waits_for_room_and_then_takes_what_waited(shared: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.accept
    refused: list[float] = []

    def crowded(listening: socket.socket) -> tuple[socket.socket, Any]:
        if len(refused) < 2:
            refused.append(time.monotonic())
            raise OSError([errno.EMFILE, errno.EPERM][len(refused) - 1], "Too many open files")
        return real(listening)

    said_so: list[object] = []
    monkeypatch.setattr("console.runtime.even_loop._log.warning", lambda *words: said_so.append(words))
    monkeypatch.setattr("console.runtime.even_loop._PAUSE_S", 0.05)
    monkeypatch.setattr(socket.socket, "accept", crowded)
    with workers(shared, 1), connected(shared) as waiting:
        assert said(waiting, b"hello") == b"hello"
    assert len(refused) == 2
    assert refused[1] - refused[0] >= 0.04
    assert len(said_so) == 2
    assert "Too many open files" in str(said_so[0])
