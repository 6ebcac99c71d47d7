"""Hostile senders by the dozen beside good ones that go on reporting: what each was answered, and how soon."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.conformance.bodies import PROTOBUF, new_trace, pb_batch, pb_span
from tests.conformance.corpus import SIZES, body_of

GOOD_SENDERS = 4
SLOW_SENDERS = 10
#: Whatever a hostile input is answered when it is alone, in a crowd its sender may be told to wait.
WAIT = (429, 503)
_PATIENCE_S = 60


@dataclass
class Report:
    """What good senders saw: seconds until each answer, and the status."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """The time within which this share of the requests was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextmanager
def good_senders(port: int, key: str, every_s: float = 0.05) -> Iterator[Report]:
    """A few senders of 20 spans each, on connections that they keep, until the block ends."""
    report, over = Report(), threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
        while not over.is_set():
            trace = new_trace()
            body = pb_batch(*(pb_span(trace, number + 1) for number in range(20)))
            begun = time.perf_counter()
            report.statuses.append(_post(connection, "/v1/traces", body, key, {"Content-Type": PROTOBUF}))
            report.seconds.append(time.perf_counter() - begun)
            over.wait(every_s)
        connection.close()

    with _running([send] * GOOD_SENDERS):
        try:
            yield report
        finally:
            over.set()


def send_alone(port: int, key: str, name: str) -> int:
    """Send one input of the corpus on a connection of its own; the status of its answer."""
    given, body = SIZES[name], body_of(name)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        return _post(connection, given.path, body, key, {"Content-Type": given.content_type, **given.extra()})
    finally:
        connection.close()


def hostile_crowd(port: int, key: str, *, seconds: float = 0) -> dict[str, list[int]]:
    """All inputs of the corpus at once, and some senders that hand over a byte now and then; each one's answers.

    Each sends its input once, and goes on sending it until `seconds` are over.
    """
    end = time.monotonic() + seconds
    answers: dict[str, list[int]] = {name: [] for name in SIZES}
    over = threading.Event()

    def attack(name: str) -> Callable[[], None]:
        def send() -> None:
            while not answers[name] or time.monotonic() < end:
                answers[name].append(send_alone(port, key, name))

        return send

    def dawdle() -> None:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {PROTOBUF}\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
            connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            while not over.wait(0.2):
                connection.sendall(b"1\r\n\x0a\r\n")

    attacks = [attack(name) for name in SIZES]
    with _running([dawdle] * SLOW_SENDERS):
        try:
            with _running(attacks):
                pass
        finally:
            over.set()
    return answers


def _post(connection: http.client.HTTPConnection, path: str, body: bytes, key: str, headers: dict[str, str]) -> int:
    # What is refused before all of it was sent has its answer waiting to be read.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", path, body, {**headers, "Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


@contextmanager
def _running(calls: Sequence[Callable[[], None]]) -> Iterator[None]:
    """Run each in a thread of its own and wait for all of them; the first fault of any is raised."""
    faults: list[BaseException] = []

    def guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as fault:  # noqa: BLE001  A thread has nobody to raise it to.
            faults.append(fault)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]
