"""The load: a lean process that posts prepared bodies over a few kept connections and says when and at what cost.

`python -m bench.generator ADDRESS FILE` reads its orders as one JSON line from standard input once it has said "ready",
and answers with one JSON line. It imports nothing of the console, so that little of the machine is spent on sending.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

_LENGTH = struct.Struct("<I")
_WAIT_S = 60.0


@dataclass(slots=True)
class Sent:
    """What a load came to. Times are of the monotonic clock, which all processes of a machine share."""

    begun: float = 0.0
    ended: float = 0.0
    requests: int = 0
    put_off: int = 0  # answers of 429 and 503, each followed by another try after a second
    latencies: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


class Refused(RuntimeError):
    """A request was answered with something that sending it again would not change."""


class _Line:
    """One kept connection and the body that is under way on it."""

    def __init__(self, address: tuple[str, int], poll: select.epoll) -> None:
        self._address, self._poll = address, poll
        self.body = b""
        self.sent_at = 0.0
        self._heard = b""
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(self._address, timeout=_WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(self.socket.fileno(), select.EPOLLIN)

    def open_again(self) -> None:
        """A server closes a connection that was idle for some seconds."""
        self._poll.unregister(self.socket.fileno())
        self.socket.close()
        self._open()

    def send(self, head: bytes, body: bytes) -> None:
        self.body, self.sent_at, self._heard = body, time.monotonic(), b""
        request = head + b"content-length: %d\r\n\r\n" % len(body) + body
        try:
            self.socket.sendall(request)
        except ConnectionError:
            self.open_again()
            self.socket.sendall(request)

    def hear(self) -> tuple[int, bytes] | None:
        """Return status and body of the answer once it is complete; 503 where the server hung up before it spoke."""
        try:
            more = self.socket.recv(65_536)
        except ConnectionError:
            more = b""
        if not more and not self._heard:
            self.open_again()
            return 503, b""
        if not more:
            raise Refused(f"The server closed the connection after {self._heard[:200]!r}.")
        self._heard += more
        head, found, rest = self._heard.partition(b"\r\n\r\n")
        if not found:
            return None
        status, lowered = int(head[9:12]), head.lower()
        if b"transfer-encoding: chunked" in lowered:
            return (status, rest) if rest.endswith(b"0\r\n\r\n") else None
        _, _, length = lowered.partition(b"content-length:")
        return (status, rest) if len(rest) >= int(length.split(b"\r\n")[0] or 0) else None


class Sender:
    """Posts bodies to one address over so many connections, each with one request under way."""

    def __init__(self, address: str, path: str, headers: Mapping[str, str], connections: int) -> None:
        host, _, port = address.partition(":")
        told = {"host": address, "content-type": "application/x-protobuf", "content-encoding": "gzip", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._head = f"POST {path} HTTP/1.1\r\n{lines}".encode()
        self._poll = select.epoll()
        self._free = [_Line((host, int(port)), self._poll) for _ in range(connections)]
        self._busy: list[_Line] = []
        self._again: deque[tuple[float, bytes]] = deque()  # when, and what, is to be sent once more

    def send(self, bodies: Iterable[bytes], *, per_second: float = 0.0, most_s: float = float("inf")) -> Sent:
        """Post everything, as fast as answers come or at most so many a second, for so long at most. Raises Refused."""
        sent, spent = Sent(), _cpu_s()
        coming = iter(bodies)
        following = next(coming, None)
        sent.begun = time.monotonic()
        while following is not None or self._again or self._busy:
            now = time.monotonic()
            if now - sent.begun > most_s:
                following = None
            due = sent.begun + sent.requests / per_second if per_second else now
            while self._free and self._again and self._again[0][0] <= now:
                self._post(self._again.popleft()[1])
            while self._free and following is not None and due <= now:
                self._post(following)
                sent.requests += 1
                following = next(coming, None)
                due = sent.begun + sent.requests / per_second if per_second else now
            patience = max(0.0, due - now) if self._free and following is not None else _WAIT_S
            if self._again and self._free:
                patience = min(patience, max(0.0, self._again[0][0] - now))
            for number, _ in self._poll.poll(patience):
                self._gather(number, sent)
        sent.ended, sent.cpu_s = time.monotonic(), _cpu_s() - spent
        return sent

    def _post(self, body: bytes) -> None:
        line = self._free.pop(0)
        line.send(self._head, body)
        self._busy.append(line)

    def _gather(self, number: int, sent: Sent) -> None:
        """Take what one connection has to say."""
        line = next((line for line in self._busy if line.socket.fileno() == number), None)
        if line is None:
            for idle in self._free:
                if idle.socket.fileno() == number:
                    idle.open_again()
            return
        answer = line.hear()
        if answer is None:
            return
        now = time.monotonic()
        if answer[0] in {429, 503}:
            sent.put_off += 1
            self._again.append((now + 1.0, line.body))
        elif answer[0] // 100 != 2:
            raise Refused(f"The server answered {answer[0]}: {answer[1][:300]!r}")
        else:
            sent.latencies.append(now - line.sent_at)
        self._busy.remove(line)
        self._free.append(line)


def written(bodies: Iterable[bytes], file: Path) -> int:
    """Write bodies for a generator to read; return how many bytes they are."""
    size = 0
    with file.open("wb") as out:
        for body in bodies:
            out.write(_LENGTH.pack(len(body)) + body)
            size += len(body)
        # Written back at some later time it would hold up those who are measured, as they wait for the same disk.
        out.flush()
        os.fsync(out.fileno())
    return size


def read(file: Path) -> list[bytes]:
    """Return the bodies that `written` wrote."""
    return list(_bodies(file.read_bytes()))


def _bodies(data: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        yield data[place + 4 : place + 4 + length]
        place += 4 + length


class Generator:
    """A generator process of ours that holds its bodies and waits for the word to start."""

    def __init__(
        self,
        address: str,
        file: Path,
        headers: Mapping[str, str],
        *,
        connections: int,
        per_second: float = 0.0,
        most_s: float = 1e9,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.generator", address, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pace = {"per_second": per_second, "most_s": most_s}
        self._orders = json.dumps({"headers": dict(headers), "connections": connections, "pace": pace}) + "\n"
        assert self._process.stdout is not None
        self._answers = self._process.stdout
        if self._answers.readline() != "ready\n":
            raise SystemExit("The load generator did not start.")

    def start(self) -> None:
        """Let it send."""
        assert self._process.stdin is not None
        self._process.stdin.write(self._orders)
        self._process.stdin.flush()

    def result(self) -> Sent:
        """Wait for the end and return what it came to."""
        line = self._answers.readline()
        self._process.wait()
        if not line:
            raise SystemExit("The load generator failed; what the server answered stands above.")
        return Sent(**json.loads(line))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(address: str, file: str) -> None:
    """Hold the bodies, wait for the orders, send, tell."""
    bodies = read(Path(file))
    print("ready", flush=True)
    orders = json.loads(sys.stdin.readline())
    sender = Sender(address, "/v1/traces", orders["headers"], orders["connections"])
    sent = sender.send(bodies, **orders["pace"])
    # A thousand of them tell the percentiles as well as all.
    sent.latencies = random.Random(0).sample(sent.latencies, min(1_000, len(sent.latencies)))
    print(json.dumps(asdict(sent)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
