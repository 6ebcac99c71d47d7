"""What stands before and after a body: offers of another protocol, trailers, heads without end, fields that repeat."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from google.rpc.status_pb2 import Status
from pytest_django import DjangoDbBlocker

from monitoring.models import Event, Intake, Run
from tests.conformance.bodies import JSON, PROTOBUF, js_batch, js_span, new_trace, pb_batch, pb_span
from tests.live import LiveConsole
from tests.online import Online


@pytest.fixture(scope="module")
def boreal(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Boreal Pharma")


def connected(to: Online) -> socket.socket:
    return socket.create_connection(("127.0.0.1", to.console.port), timeout=20)


def head(to: Online, *fields: str, path: str = "/v1/traces", kind: str = JSON) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {to.key}", f"Content-Type: {kind}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """The status and body of one answer; the connection stays."""
    with connection.makefile("rb") as reader:
        status = int(reader.readline().split()[1])
        length = 0
        while line := reader.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return status, reader.read(length)


def traced(of: Online, trace: bytes) -> int:
    with of.rows():
        return Run.objects.filter(trace_id=trace).count()


@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["keep-alive", "close"])
@pytest.mark.parametrize("size", [1, 400], ids=["small", "large"])
def test_a_sender_that_closes_its_half_after_a_whole_request_is_answered(
    aster: Online, size: int, fields: tuple[str, ...]
) -> None:
    trace = new_trace()
    body = js_batch(*(js_span(trace, number, name="n" * 2_000) for number in range(1, size + 1)))
    with connected(aster) as connection:
        connection.sendall(head(aster, f"Content-Length: {len(body)}", *fields) + body)
        connection.shutdown(socket.SHUT_WR)
        assert answer_on(connection) == (200, b"{}")
        assert connection.recv(1) == b""
    assert traced(aster, trace) == 1


def test_a_sender_that_closes_its_half_before_that_gets_nothing_and_gives_nothing(aster: Online) -> None:
    trace = new_trace()
    body = js_batch(js_span(trace, 1))
    with connected(aster) as connection:
        connection.sendall(head(aster, f"Content-Length: {len(body)}") + body[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert traced(aster, trace) == 0


OFFERS = {
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk"),
    "websocket": ("Connection: keep-alive, Upgrade", "Upgrade: websocket"),
    "TLS": ("Upgrade: TLS/1.0, HTTP/1.1", "Connection: upgrade"),
}


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("pause_s", [0, 0.05], ids=["in one piece", "in two"])
def test_a_request_that_offers_another_protocol_is_taken_whole(aster: Online, offer: str, pause_s: float) -> None:
    with connected(aster) as connection:
        for _ in range(2):
            trace = new_trace()
            body = js_batch(js_span(trace, 1))
            given = head(aster, *OFFERS[offer], f"Content-Length: {len(body)}")
            if pause_s:
                connection.sendall(given)
                time.sleep(pause_s)
                connection.sendall(body)
            else:
                connection.sendall(given + body)
            assert answer_on(connection) == (200, b"{}")
            assert traced(aster, trace) == 1


def test_an_event_in_binary_mode_keeps_its_data_beside_an_offer(aster: Online) -> None:
    body = json.dumps({"order_id": "4711"}).encode()
    fields = ("ce-id: offered", "ce-source: /h2c", "ce-type: order.released", "ce-specversion: 1.0", *OFFERS["h2c"])
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with connected(aster) as connection:
        connection.sendall(head(aster, *fields, "Transfer-Encoding: chunked", path="/v1/events") + chunked)
        assert answer_on(connection)[0] == 200
    with aster.rows():
        assert Intake.objects.get(pk=Event.objects.get(event_id="offered").intake_id).size == len(body)


def test_thousands_of_offers_in_one_piece_are_answered_one_by_one(aster: Online) -> None:
    one = b"GET /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    with connected(aster) as connection, connection.makefile("rb") as reader:
        sending = threading.Thread(
            target=connection.sendall, args=(one * 2_999 + one.replace(b": upgrade", b": close"),)
        )
        sending.start()
        said = reader.read()
        sending.join()
    assert said.count(b"HTTP/1.1 405 ") == 3_000


def test_a_tunnel_is_refused(aster: Online) -> None:
    with connected(aster) as connection:
        connection.sendall(b"CONNECT erp.example:443 HTTP/1.1\r\nHost: erp.example:443\r\n\r\n")
        assert answer_on(connection)[0] == 400


@pytest.mark.parametrize("pause_s", [0, 0.1], ids=["in one piece", "in two"])
def test_a_trailer_says_nothing_of_its_request_or_the_next(aster: Online, boreal: Online, pause_s: float) -> None:
    trace, later = new_trace(), new_trace()
    with connected(aster) as connection:
        connection.sendall(head(aster, "Transfer-Encoding: chunked"))
        time.sleep(pause_s)
        for one, trailer in ((trace, f"Authorization: Bearer {boreal.key}\r\n"), (later, "")):
            body = js_batch(js_span(one, 1))
            if one is later:
                connection.sendall(head(aster, "Transfer-Encoding: chunked"))
            connection.sendall(b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer.encode()))
            assert answer_on(connection) == (200, b"{}")
    for one in (trace, later):
        assert (traced(aster, one), traced(boreal, one)) == (1, 0)


def test_a_key_in_a_trailer_opens_nothing(aster: Online) -> None:
    body = js_batch(js_span(new_trace(), 1))
    with connected(aster) as connection:
        connection.sendall(
            head(aster, "Transfer-Encoding: chunked").replace(b"Authorization", b"X-Nothing")
            + b"%x\r\n%b\r\n0\r\nAuthorization: Bearer %b\r\n\r\n" % (len(body), body, aster.key.encode())
        )
        assert answer_on(connection)[0] == 401


def _lines() -> Iterator[bytes]:
    while True:
        yield b"a:\r\n" * 1_000


def _one_line() -> Iterator[bytes]:
    yield b"a: "
    while True:
        yield b"x" * 4_000


@pytest.mark.parametrize("pieces", [_lines, _one_line])
def test_a_head_without_end_is_refused_early(aster: Online, pieces: object) -> None:
    assert callable(pieces)
    sent = 0
    with connected(aster) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n")
        connection.settimeout(0.05)
        for piece in pieces():
            connection.sendall(piece)
            sent += len(piece)
            try:
                said = connection.recv(4_096)
                break
            except TimeoutError:
                assert sent < 1_000_000
    assert said.startswith(b"HTTP/1.1 431 ")


def test_a_head_that_does_not_come_to_its_end_is_hung_up_on(aster: Online) -> None:
    silent, started = connected(aster), connected(aster)
    with silent, started:
        started.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nX: ")
        assert started.recv(4_096).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(4_096) == b""


def test_a_slow_body_and_an_open_stream_are_not(aster: Online) -> None:
    trace = new_trace()
    body = js_batch(js_span(trace, 1))
    with connected(aster) as connection:
        connection.sendall(head(aster, f"Content-Length: {len(body)}"))
        time.sleep(11)
        connection.sendall(body)
        assert answer_on(connection) == (200, b"{}")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        (("Content-Encoding: gzip", "Content-Encoding: gzip"), 415, b"only one"),
        (("Transfer-Encoding: gzip, chunked",), 415, b"Transfer-Encoding"),
        (("Authorization: Bearer nothing",), 401, b"ingest key"),
        ((f"Content-Type: {JSON}",), 200, b"{}"),
        ((f"Content-Type: {PROTOBUF}",), 415, b"more than one type"),
    ],
)
def test_a_field_that_stands_twice_says_both(aster: Online, fields: tuple[str, ...], status: int, words: bytes) -> None:
    frame = () if any("Transfer" in field for field in fields) else ("Content-Length: 2",)
    body = b"{}" if frame else b"2\r\n{}\r\n0\r\n\r\n"
    with connected(aster) as connection:
        connection.sendall(head(aster, *fields, *frame) + body)
        found, said = answer_on(connection)
    assert found == status
    assert words in said


@pytest.mark.parametrize("parameter", ["charset*" + "9" * 5_000 + "*=x", "charset*0=a; charset*1*=b; charset*=c''d"])
def test_a_media_type_that_cannot_be_read_is_one_that_is_not_taken(aster: Online, parameter: str) -> None:
    assert aster.post("/v1/traces", b"{}", f"application/json; {parameter}").status in (200, 415)


def test_what_is_no_post_is_counted_for_its_tenant(aster: Online) -> None:
    given = {"Authorization": f"Bearer {aster.key}"}
    assert {aster.ask("PUT", "/v1/logs", b"x", given).status for _ in range(3)} == {405}
    aster.wait_until_counted(3, signal="logs", status=405)


def test_what_is_sent_to_no_endpoint_is_read_to_its_end_and_counted_for_its_tenant(aster: Online) -> None:
    bodies = (b"", b"x", bytes(20 << 20))
    assert {aster.post("/v1/profiles", body, kind).status for body in bodies for kind in (JSON, PROTOBUF)} == {404}
    assert aster.post("/v1/profiles", b"", JSON, key="nonsense").status == 404
    aster.wait_until_counted(6, signal="other", status=404, reason="path")


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_what_is_no_http_is_answered_in_the_senders_encoding_and_counted_for_its_tenant(
    aster: Online, kind: str
) -> None:
    path = "/v1/metrics" if kind == JSON else "/v1/logs"
    with connected(aster) as connection:
        given = head(aster, "Content-Length: 2", "Transfer-Encoding: chunked", path=path, kind=kind)
        connection.sendall(given + b"{}")
        status, said = answer_on(connection)
        assert (status, connection.recv(1)) == (400, b"")
    message = json.loads(said)["message"] if kind == JSON else Status.FromString(said).message
    assert "can't be read as HTTP/1.1" in message
    aster.wait_until_counted(1, signal=path.removeprefix("/v1/"), status=400, reason="unreadable")


def test_what_is_no_http_behind_a_whole_request_leaves_that_one_its_answer(aster: Online) -> None:
    body = js_batch(*(js_span(new_trace(), number) for number in range(1, 1_001)))
    with connected(aster) as connection:
        connection.sendall(head(aster, f"Content-Length: {len(body)}") + body + b"\0\0\0\r\n\r\n")
        assert (answer_on(connection)[0], connection.recv(1)) == (200, b"")
    with connected(aster) as connection:
        bad = head(aster, "Content-Length: -2", path="/v1/metrics")
        connection.sendall(head(aster, f"Content-Length: {len(body)}") + body + bad)
        assert (answer_on(connection)[0], connection.recv(1)) == (200, b"")
    aster.wait_until_counted(1, signal="metrics", status=400, reason="unreadable", key_prefix=aster.key.split("_")[2])


@pytest.mark.parametrize(
    ("path", "signal"),
    [("/v1/nothing", "other"), ("http://andon.example/v1/events", "events"), ("/v1/%6Detrics", "metrics")],
)
def test_what_is_no_http_is_counted_however_its_path_is_written(boreal: Online, path: str, signal: str) -> None:
    with connected(boreal) as connection:
        connection.sendall(head(boreal, "Content-Length: -2", path=path))
        status, said = answer_on(connection)
    assert (status, "can't be read" in json.loads(said)["message"]) == (400, True)
    boreal.wait_until_counted(1, signal=signal, status=400, reason="unreadable")


def test_an_address_without_end_is_answered_in_the_senders_encoding(boreal: Online) -> None:
    with connected(boreal) as connection:
        connection.sendall(head(boreal, path=f"/v1/traces?{'a' * 70_000}"))
        status, said = answer_on(connection)
    assert (status, Status.FromString(said).message) == (431, "The request's head is too large.")


def test_opening_and_closing_without_a_pause_holds_nobody_up(aster: Online) -> None:
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            connected(aster).close()

    churners = [threading.Thread(target=churn) for _ in range(30)]
    for churner in churners:
        churner.start()
    try:
        time.sleep(1)
        began = time.monotonic()
        for _ in range(10):
            body = pb_batch(pb_span(new_trace()))
            assert aster.post("/v1/traces", body, PROTOBUF).status == 200
        # Not a measure: it was two seconds for each, and tens of milliseconds are usual.
        assert time.monotonic() - began < 10
    finally:
        over.set()
        for churner in churners:
            churner.join()
