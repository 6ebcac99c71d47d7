"""Senders that dawdle, contradict themselves or vanish, byte by byte over real sockets; and good ones beside them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import Intake
from tests.live import LiveConsole
from tests.monitoring.line import span, traces
from tests.online import Online


@pytest.fixture(scope="module")
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


def head(online: Online, *lines: str) -> bytes:
    said = [
        "POST /v1/traces HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {online.key}",
        "Content-Type: application/json",
        *lines,
    ]
    return "\r\n".join(said).encode() + b"\r\n\r\n"


@contextlib.contextmanager
def connected(online: Online) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", online.console.port), timeout=10) as opened:
        yield opened


def answered(opened: socket.socket) -> bytes:
    """What comes until the server closes or two seconds pass; empty where it closed without a word."""
    opened.settimeout(2)
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while part := opened.recv(65_536):
            found += part
    return found


def kept(online: Online) -> int:
    with online.rows():
        return Intake.objects.count()


def test_it_takes_a_body_that_comes_byte_by_byte(aster: Online) -> None:
    body = traces(span())
    with connected(aster) as opened:
        opened.sendall(head(aster, "Transfer-Encoding: chunked"))
        for byte in body:
            opened.sendall(b"1\r\n%c\r\n" % byte)
        opened.sendall(b"0\r\n\r\n")
        assert answered(opened).startswith(b"HTTP/1.1 200 ")


def test_slow_senders_hold_up_nobody(aster: Online) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            opened = stack.enter_context(connected(aster))
            opened.sendall(head(aster, "Transfer-Encoding: chunked") + b"1\r\n{\r\n")
        began = time.monotonic()
        assert aster.post("/v1/traces", traces(span())).status == 200
        assert time.monotonic() - began < 1


def test_it_keeps_nothing_of_a_body_that_is_shorter_than_it_says(aster: Online) -> None:
    body, before = traces(span()), kept(aster)
    with connected(aster) as opened:
        opened.sendall(head(aster, f"Content-Length: {len(body) + 10}") + body)
        opened.shutdown(socket.SHUT_WR)
        assert answered(opened) == b""
    assert kept(aster) == before


def test_it_takes_nothing_of_what_follows_a_body(aster: Online) -> None:
    body, before = traces(span()), kept(aster)
    with connected(aster) as opened:
        opened.sendall(head(aster, f"Content-Length: {len(body)}") + body + b"and more")
        assert answered(opened).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert kept(aster) - before <= 1


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: -1",),
        ("Content-Length: 5x",),
        ("Transfer-Encoding: chunked, identity",),
    ],
    ids=" ".join,
)
def test_it_refuses_a_request_whose_length_is_told_in_two_ways(aster: Online, lines: tuple[str, ...]) -> None:
    """What one server takes for the body another would take for the next request."""
    before = kept(aster)
    with connected(aster) as opened:
        opened.sendall(head(aster, *lines) + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        said = answered(opened)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
    assert kept(aster) == before


def test_connections_that_are_left_half_open_hold_up_nobody(aster: Online) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            opened = stack.enter_context(connected(aster))
            opened.sendall(b"POST /v1/traces HTTP/1.1\r\nHost:")
        assert aster.post("/v1/traces", traces(span())).status == 200


def test_it_says_at_once_that_an_announced_body_is_too_large(aster: Online) -> None:
    with connected(aster) as opened:
        opened.sendall(head(aster, f"Content-Length: {(64 << 20) + 1}"))
        began = time.monotonic()
        assert answered(opened).startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - began < 3


def test_a_crowd_of_large_bodies_is_taken_within_bounds(aster: Online) -> None:
    """Twelve at once, each of 20 MB: some are asked to come back, the worker's memory stays bounded."""
    body = traces(span(said={"text": "x" * 20_000_000}))
    statuses: list[int] = []

    def send() -> None:
        with contextlib.suppress(OSError):
            statuses.append(aster.post("/v1/traces", body).status)

    before, most, senders = resident(aster), 0, [threading.Thread(target=send) for _ in range(12)]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        most = max(most, resident(aster))
        time.sleep(0.02)
    assert set(statuses) <= {200, 413, 429, 503}
    assert {429, 503} & set(statuses)
    assert most - before < 400 << 20


def resident(online: Online) -> int:
    """Bytes of memory that the web worker holds."""
    pid = online.console._running["web"].pid
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:  # noqa: PTH123 - read in a tight loop
        return int(statm.read().split()[1]) * 4096
