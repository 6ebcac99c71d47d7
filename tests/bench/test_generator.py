"""The load generator loses nothing to a server that hangs up, and keeps the pace it is told."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator

import pytest

from bench.generator import Sender

BODIES = [b"%06d" % number for number in range(200)]


class Moody:
    """A server that answers, hangs up after 0.2 s without a request, at times in the middle of one, or says 503."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.address = ""
        self._chance = random.Random(1)  # noqa: S311  A mood is no secret.
        self._ready, self._done = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._done.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (mood := self._chance.random()) > 0.02:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 0.2)
                body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
                if mood < 0.05:
                    writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno")
                    continue
                self.taken.append(body)
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
def moody() -> Iterator[Moody]:
    server = Moody()
    yield server
    server.stop()


def test_everything_arrives_although_the_server_hangs_up(moody: Moody) -> None:
    sent = Sender(moody.address, "/v1/traces", {}, 4).send(BODIES, per_second=200)
    assert set(moody.taken) == set(BODIES)
    assert (sent.requests, len(sent.latencies)) == (200, 200)
    assert sent.put_off > 0
    assert sent.ended - sent.begun >= 199 / 200


def test_it_stops_when_its_time_is_over(moody: Moody) -> None:
    sent = Sender(moody.address, "/v1/traces", {}, 4).send(BODIES, per_second=100, most_s=0.5)
    assert 0 < sent.requests <= 51
