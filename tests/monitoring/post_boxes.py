"""Real receivers on this machine: a web server that answers as told, and a mail server that keeps what it gets."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

Answer: TypeAlias = Callable[[BinaryIO], None]
_END = b"\r\n"


@dataclass(frozen=True, slots=True)
class Post:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class WebReceiver:
    """What a web server on `url` was sent; it answers with what `answers` says in turn, then with 204."""

    url: str
    answers: list[Answer]
    posts: list[Post] = field(default_factory=list)


def status(number: int, *headers: str) -> Answer:
    """An answer without a body."""
    lines = [f"HTTP/1.1 {number} Told", "Content-Length: 0", "Connection: close", *headers, "", ""]
    return lambda out: _write(out, "\r\n".join(lines).encode())


def endless(out: BinaryIO) -> None:
    """A good status, then a body without end, until the other side has enough."""
    _write(out, b"HTTP/1.1 200 Told\r\nContent-Length: 10000000000\r\n\r\n")
    for _ in range(200_000):
        _write(out, b"x" * 65_536)


def silent(out: BinaryIO) -> None:
    """No answer for longer than anyone waits."""
    time.sleep(5)


def dripping(out: BinaryIO) -> None:
    """An answer that comes byte by byte, each of them in good time."""
    for byte in b"HTTP/1.1 200 Told\r\nContent-Length: 0\r\n\r\n":
        _write(out, bytes([byte]))
        time.sleep(0.1)


@contextmanager
def web_receiver(*answers: Answer) -> Iterator[WebReceiver]:
    """A web server on a free port of 127.0.0.1."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            target = self.rfile.readline().split()[1].decode()
            headers: dict[str, str] = {}
            while (line := self.rfile.readline()) != _END:
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", "0")))
            received.posts.append(Post(target, headers, body))
            answer = received.answers.pop(0) if received.answers else status(204)
            try:
                answer(self.wfile)  # type: ignore[arg-type]
            except OSError:
                return  # The sender has had enough.

    with _serving(Handler) as port:
        received = WebReceiver(f"http://127.0.0.1:{port}/hooks/andon?for=plant", list(answers))
        yield received


@dataclass(slots=True)
class MailReceiver:
    """The messages that a mail server on `port` was given, as they came; `refuse` are addresses it does not know."""

    port: int
    refuse: set[str] = field(default_factory=set)
    mails: list[str] = field(default_factory=list)


@contextmanager
def mail_receiver(*refuse: str) -> Iterator[MailReceiver]:
    """A mail server on a free port of 127.0.0.1 that speaks as much SMTP as a client needs."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 desk.example")
            while line := self.rfile.readline().decode().strip():
                command = line.upper()
                if command.startswith("RCPT") and any(f"<{name}>" in line for name in received.refuse):
                    self._say("550 no such desk")
                elif command == "DATA":
                    self._say("354 go on")
                    received.mails.append(self._data())
                    self._say("250 taken")
                elif command == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 desk.example")

        def _say(self, line: str) -> None:
            self.wfile.write(line.encode() + _END)

        def _data(self) -> str:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.decode())
            return "".join(lines)

    with _serving(Handler) as port:
        received = MailReceiver(port, set(refuse))
        yield received


@contextmanager
def _serving(handler: type[socketserver.StreamRequestHandler]) -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data)
    out.flush()
