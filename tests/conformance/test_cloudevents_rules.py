"""The rules of CloudEvents 1.0 over HTTP and its webhooks, against a running console: three modes, one handshake."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.decode import decode
from monitoring.models import Event
from monitoring.selectors.payloads import payload_of
from tests.conformance.corpus import LIMIT
from tests.live import LiveConsole
from tests.monitoring.line import event
from tests.monitoring.wire import recorded
from tests.online import JSON, Answered, Online
from tests.troubles import unreachable

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


def send(to: Online, body: object, content_type: str, **headers: str) -> Answered:
    return to.post("/v1/events", json.dumps(body).encode(), content_type, **headers)


def stored(of: Online, *ids: str) -> list[tuple[str, str, str]]:
    with of.rows():
        found = Event.objects.filter(event_id__in=ids).order_by("event_id")
        return list(found.values_list("event_id", "entity_event", "subject"))


def test_it_takes_a_structured_event(aster: Online) -> None:
    answer = send(aster, {**event("order.released"), "id": "s-1"}, STRUCTURED)
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert json.loads(answer.body) == {"accepted": 1, "rejected": [], "rejected_count": 0}
    assert stored(aster, "s-1") == [("s-1", "order.released", "4711")]


@pytest.mark.parametrize(
    ("number", "subject", "read"),
    [
        (1, "4711", "4711"),
        (2, "Pr%C3%BCfauftrag%204711%20%25", "Prüfauftrag 4711 %"),
        (3, "Auftrag 100 %", "Auftrag 100 %"),
    ],
)
def test_it_takes_a_binary_event_as_both_kinds_of_sdk_write_it(
    aster: Online, number: int, subject: str, read: str
) -> None:
    given = event("order.released")
    headers = {f"ce_{name}": given[name] for name in ("specversion", "source", "type", "time")}
    answer = send(aster, {"order_id": "4711"}, JSON, ce_id=f"b-{number}", ce_subject=subject, **headers)
    assert answer.status == 200
    assert stored(aster, f"b-{number}") == [(f"b-{number}", "order.released", read)]


def test_it_takes_the_good_ones_of_a_batch_and_names_the_bad_one(aster: Online) -> None:
    good = [{**event("order.released"), "id": f"g-{number}"} for number in range(2)]
    bad = {name: value for name, value in {**event("order.held"), "id": "bad"}.items() if name != "source"}
    answer = send(aster, [good[0], bad, good[1]], BATCH)
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {
            "accepted": 2,
            "rejected": [{"index": 1, "id": "bad", "reason": "the required attribute source is missing"}],
            "rejected_count": 1,
        },
    )
    assert [row[0] for row in stored(aster, "g-0", "g-1", "bad")] == ["g-0", "g-1"]


def test_it_takes_an_empty_batch(aster: Online) -> None:
    assert send(aster, [], BATCH).status == 200


def test_it_knows_a_repeated_event_by_source_and_id(aster: Online) -> None:
    given = {**event("order.released"), "id": "twice"}
    for changes in ({}, {"subject": "other"}, {"source": "/another/source"}):
        assert send(aster, {**given, **changes}, STRUCTURED).status == 200
    assert [row[2] for row in stored(aster, "twice")] == ["4711", "4711"]


@pytest.mark.parametrize(
    "header",
    [
        {"ce_subject": "%C0%A0"},
        {"ce_subject": "%ED%A0%80"},
        {"ce_subject": "%F8%88%80%80%80"},
        {"ce_subject": "ok %FF"},
        {"ce_datacontenttype": "application/json"},
        {"ce_specversion": "0.3"},
        {"ce_id": ""},
    ],
    ids=["overlong", "surrogate", "five-bytes", "no-utf8", "ce-datacontenttype", "specversion-0.3", "empty-id"],
)
def test_it_answers_400_to_headers_that_the_binding_forbids(aster: Online, header: dict[str, str]) -> None:
    given = event("order.released")
    headers = {f"ce_{name}": given[name] for name in ("id", "specversion", "source", "type")}
    answer = send(aster, {}, JSON, **{**headers, **header})
    assert (answer.status, answer.headers["content-type"], json.loads(answer.body)["code"]) == (400, JSON, 3)


@pytest.mark.parametrize("content_type", ["application/cloudevents+xml", "application/cloudevents-batch+avro"])
def test_it_answers_415_to_other_event_formats(aster: Online, content_type: str) -> None:
    assert send(aster, {}, content_type).status == 415


def test_it_answers_401_in_json(aster: Online) -> None:
    answer = aster.post("/v1/events", b"{}", STRUCTURED, key="nonsense")
    assert (answer.status, json.loads(answer.body)["code"]) == (401, 16)


def test_it_says_in_the_handshake_that_an_origin_may_deliver(aster: Online) -> None:
    answer = aster.ask("OPTIONS", "/v1/events", None, {"WebHook-Request-Origin": "eventemitter.example.com"})
    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert (answer.headers["webhook-allowed-rate"], answer.headers["allow"]) == ("*", "POST")


def test_it_allows_nothing_where_nobody_asks(aster: Online) -> None:
    answer = aster.ask("OPTIONS", "/v1/events")
    assert (answer.status, "webhook-allowed-origin" in answer.headers) == (204, False)


# One HTTP request of the bindings' own text, byte for byte ------------------------------------------------------------


def raw(to: Online, headers: dict[str, str | bytes], body: bytes) -> tuple[int, bytes]:
    """Send header values as the bytes they are, in chunks, as the JavaScript SDK does; status and body."""
    head = [b"POST /v1/events HTTP/1.1", b"Host: 127.0.0.1", b"Connection: close", b"Transfer-Encoding: chunked"]
    head.append(b"Authorization: Bearer " + to.key.encode())
    for name, value in headers.items():
        head.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()))
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    with socket.create_connection(("127.0.0.1", to.console.port), timeout=10) as connection:
        connection.sendall(b"\r\n".join(head) + b"\r\n\r\n" + chunk + b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


#: Set by `raw`, which sends in chunks to a host of its own.
_FRAME = ("Host", "Content-Length")


def data_of(event_id: str) -> object:
    """An event's data as the intake log has it."""
    kept = Event.objects.select_related("intake").get(event_id=event_id).intake
    return next(event.data for event in decode(payload_of(kept)).events if event.id == event_id)


def binary(event_id: str, **headers: str | bytes) -> dict[str, str | bytes]:
    required = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/plants/ulm", "ce-type": "order.released"}
    return {**required, "Content-Type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}


@pytest.mark.parametrize(
    ("number", "written", "read"),
    [
        (1, b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        (2, b"Pr\xc3\xbcfauftrag 4711 %", "Prüfauftrag 4711 %"),
        (3, b'"quoted \\"text\\" and \\\\"', 'quoted "text" and \\'),
        (4, b"%22not quoted%22", '"not quoted"'),
        (5, b"100%25", "100%"),
        (6, b"%2525", "%25"),
        (7, b"%zz and %", "%zz and %"),
        (8, b"Pr\xfcfung", "Prüfung"),
    ],
    ids=[
        "percent",
        "raw-utf8",
        "quoted-string",
        "quotes-inside",
        "percent-sign",
        "one-round",
        "bare-percent",
        "latin-1",
    ],
)
def test_it_reads_header_values_of_every_sender(aster: Online, number: int, written: bytes, read: str) -> None:
    status, _ = raw(aster, binary(f"h-{number}", ce_subject=written), b"{}")
    assert (status, [row[2] for row in stored(aster, f"h-{number}")]) == (200, [read])


@pytest.mark.parametrize(
    ("number", "content_type", "body", "data"),
    [
        (1, "application/json", b'{"a":1}', {"a": 1}),
        (2, "application/vnd.erp+json", b"[1]", [1]),
        (3, "text/plain; charset=iso-8859-1", b"Pr\xfcfung", "Prüfung"),
        (4, "", b'{"no":"type"}', {"no": "type"}),
        (5, "application/json", b"", None),
    ],
)
def test_it_reads_data_of_a_binary_event_by_its_content_type(
    aster: Online, number: int, content_type: str, body: bytes, data: object
) -> None:
    headers = binary(f"d-{number}", Content_Type=content_type)
    if not content_type:
        del headers["Content-Type"]
    assert raw(aster, headers, body)[0] == 200
    with aster.rows():
        assert data_of(f"d-{number}") == data


@pytest.mark.parametrize("mode", ["binary", "structured", "batch"])
def test_it_takes_an_event_of_64_kib_in_every_mode(aster: Online, mode: str) -> None:
    text, event_id = "x" * 65_536, f"64-{mode}"
    given = {**event("order.released"), "id": event_id, "data": text}
    if mode == "binary":
        status, _ = raw(aster, binary(event_id, Content_Type="text/plain"), text.encode())
    elif mode == "structured":
        status = send(aster, given, STRUCTURED).status
    else:
        status = send(aster, [given], BATCH).status
    assert status == 200
    with aster.rows():
        assert data_of(event_id) == text


def test_a_structured_event_is_known_by_its_type_in_any_case_and_with_parameters(aster: Online) -> None:
    for number, content_type in enumerate(
        ("Application/CloudEvents+JSON", "application/cloudevents+json; charset=UTF-8")
    ):
        given = {**event("order.released"), "id": f"case-{number}"}
        assert send(aster, given, content_type).status == 200
    assert len(stored(aster, "case-0", "case-1")) == 2


def test_a_batch_has_a_size_that_it_may_not_pass(aster: Online) -> None:
    given = {**event("order.released")}
    answer = send(aster, [given] * 10_001, BATCH)
    assert (answer.status, "10,000 events" in json.loads(answer.body)["message"]) == (413, True)
    answer = aster.post("/v1/events", b"[" + b" " * LIMIT + b"]", BATCH)
    assert answer.status == 413


def test_it_answers_200_and_never_a_redirect(aster: Online) -> None:
    for path in ("/v1/events", "/v1/events/"):
        answer = aster.post(path, json.dumps({**event("order.released"), "id": f"at {path}"}).encode(), STRUCTURED)
        assert answer.status == 200


def test_a_refusal_that_will_pass_says_when_to_come_back(aster: Online) -> None:
    """429 must carry Retry-After; 503 does likewise. Webhook senders and brokers go by it."""
    with unreachable(aster.console):
        answer = send(aster, {**event("order.released"), "id": "later"}, STRUCTURED)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    deadline = time.monotonic() + 10
    while send(aster, {**event("order.released"), "id": "later"}, STRUCTURED).status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(stored(aster, "later")) == 1


def test_it_passes_the_conformance_features_over_the_wire(aster: Online) -> None:
    text = recorded("cloudevents", "http-protocol-binding.feature").read_text(encoding="utf-8")
    passed = 0
    for scenario in text.split("Scenario Outline:")[1:]:
        request, examples = scenario.split('"""')[1], scenario.partition("Examples:")[2]
        for example in [line.strip(" |") for line in examples.splitlines()[2:] if line.strip()]:
            event_id = f"feature-{passed}"
            given = request.replace("<contentType>", example).replace("1234-1234-1234", event_id)
            head, _, body = "\n".join(line.strip() for line in given.strip().splitlines()).partition("\n\n")
            fields = (line.partition(": ")[::2] for line in head.splitlines()[1:])
            headers: dict[str, str | bytes] = {name: value for name, value in fields if name not in _FRAME}
            assert raw(aster, headers, body.encode())[0] == 200
            with aster.rows():
                found = Event.objects.values_list("type", "source", "time").get(event_id=event_id)
                assert found == (
                    "com.example.someevent",
                    "/mycontext/subcontext",
                    datetime(2018, 4, 5, 3, 56, 24, tzinfo=UTC),
                )
                assert data_of(event_id) == {"message": "Hello World!"}
            passed += 1
    assert passed == 4
