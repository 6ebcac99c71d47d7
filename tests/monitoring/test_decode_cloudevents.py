"""CloudEvents 1.0 over HTTP in all three modes, with what real SDKs send and what must be refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from monitoring.decode import Limits, decode
from monitoring.decode.values import DEEPER
from monitoring.receive.body import negotiate
from monitoring.records import Decoded, Encoding, EventRecord, MalformedPayload, PayloadTooLarge, Signal

from .wire import RECEIVED, payload, recorded

HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "4711",
    "ce-source": "/plants/ulm/mes",
    "ce-type": "dev.andon.mfg.order.released.v1",
}
EVENT: dict[str, object] = {header.removeprefix("ce-"): value for header, value in HEADERS.items()}


def binary(body: bytes = b"", content_type: str = "", **headers: str) -> EventRecord:
    """The event of a binary request; `ce_x` sets a header ce-x, and an empty value leaves it out."""
    changes = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in (HEADERS | changes).items() if value}
    if content_type:
        sent["content-type"] = content_type
    return only(decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_BINARY, body, sent)))


def structured(**changes: object) -> EventRecord:
    """The event of a structured request; a change to ... leaves the member out."""
    event = {key: value for key, value in (EVENT | changes).items() if value is not ...}
    return only(decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_STRUCTURED, json.dumps(event).encode())))


def batch(*items: object) -> Decoded:
    return decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_BATCH, json.dumps(items).encode()))


def only(decoded: Decoded) -> EventRecord:
    (event,) = decoded.events
    return event


def test_it_reads_a_binary_event() -> None:
    event = binary(b'{"qty":12}', "application/json; charset=utf-8", ce_subject="order/4711", ce_sequence="00042")
    assert (event.id, event.source, event.type) == ("4711", "/plants/ulm/mes", "dev.andon.mfg.order.released.v1")
    assert (event.subject, event.datacontenttype) == ("order/4711", "application/json; charset=utf-8")
    assert (event.data, event.extensions, event.time) == ({"qty": 12}, {"sequence": "00042"}, RECEIVED)


def test_it_reads_a_structured_event() -> None:
    event = structured(data={"qty": 12}, dataschema="urn:s", hot=True, level=3, nothing=None)
    assert (event.data, event.dataschema) == ({"qty": 12}, "urn:s")
    assert event.extensions == {"hot": True, "level": 3}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Pr%C3%BCfauftrag%204711%20%25", "Prüfauftrag 4711 %"),
        ("Prüfauftrag 4711 %".encode(), "Prüfauftrag 4711 %"),
        (b"Pr\xfcfauftrag", "Prüfauftrag"),
        (b"100%", "100%"),
        (b"50%zz%4", "50%zz%4"),
        (b"%2541", "%41"),
        (b"%F0%9F%98%80", "😀"),
        (b'"quoted \\"text\\" %20"', 'quoted "text"  '),
        (b'say "hi"', 'say "hi"'),
        (b"a%00b", "a\ufffdb"),
    ],
)
def test_it_reads_header_values_of_every_sdk(raw: bytes, text: str) -> None:
    assert binary(ce_subject=raw.decode("latin-1")).subject == text


@pytest.mark.parametrize("raw", ["%C0%A0", "%ED%A0%80", "%FF", "%C3"], ids=["overlong", "surrogate", "ff", "cut"])
def test_it_refuses_percent_encoded_bytes_that_are_not_utf8(raw: str) -> None:
    with pytest.raises(MalformedPayload, match=r"the header ce-subject: .*shortest form"):
        binary(ce_subject=raw)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"ce_id": ""}, "the required attribute id is missing"),
        ({"ce_source": ""}, "the required attribute source is missing"),
        ({"ce_type": ""}, "the required attribute type is missing"),
        ({"ce_specversion": ""}, "specversion is missing"),
        ({"ce_specversion": "0.3"}, "specversion is '0.3'"),
        ({"ce_datacontenttype": "text/plain"}, "ce-datacontenttype is present"),
        ({"ce_id": "x" * 4096}, "id is longer than 1024 bytes"),
        ({"ce_id": "a%00b"}, "id holds a control character"),
        ({"ce_time": "yesterday"}, "is not an RFC 3339 time"),
        ({"ce_my_name": "x"}, "'my-name' is not lower-case letters and digits"),
        ({"ce_data": "x"}, "'data' is not lower-case letters and digits"),
    ],
)
def test_it_refuses_a_bad_binary_event(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(MalformedPayload, match=re.escape(reason)):
        binary(b"", "", **headers)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": ...}, "the required attribute id is missing"),
        ({"id": ""}, "id is not a non-empty string"),
        ({"id": 4711}, "id is not a non-empty string"),
        ({"source": None}, "the required attribute source is missing"),
        ({"type": "a\nb"}, "type holds a control character"),
        ({"specversion": 1.0}, "specversion is '1.0'; it must be the text '1.0'"),
        ({"specversion": "0.3"}, "specversion is '0.3'"),
        ({"subject": {"a": 1}}, "subject is not a string"),
        ({"extra": {"a": 1}}, "the extension extra is neither"),
        ({"extra": [1]}, "the extension extra is neither"),
        ({"x" * 5_000: [1]}, f"the extension {'x' * 60} is neither"),
        ({"extra": 1.5}, "the extension extra is neither"),
        ({"Extra": "x"}, "'Extra' is not lower-case letters and digits"),
        ({"data": 1, "data_base64": "AQID"}, "both data and data_base64"),
        ({"data_base64": "?"}, "data_base64 is not base64"),
        ({"data_base64": 5}, "data_base64 is not base64"),
        ({"datacontenttype": "application/json", "data_base64": "AQID"}, "the data is declared as application/json"),
        ({"time": "2026-02-30T00:00:00Z"}, "names no real instant"),
    ],
)
def test_it_refuses_a_bad_structured_event(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(MalformedPayload, match=re.escape(reason)):
        structured(**changes)


def test_it_takes_a_relative_source_and_a_long_extension_name() -> None:
    event = structured(source="x", averyveryverylongextensionname="y")
    assert (event.source, dict(event.extensions)) == ("x", {"averyveryverylongextensionname": "y"})


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-21T08:54:20.309Z", datetime(2026, 11, 21, 8, 54, 20, 309_000, UTC)),
        ("2026-11-21t08:54:20z", datetime(2026, 11, 21, 8, 54, 20, 0, UTC)),
        ("2026-11-21T10:54:20.123456789+02:00", datetime(2026, 11, 21, 8, 54, 20, 123_456, UTC)),
        ("2026-11-21T00:00:00-05:30", datetime(2026, 11, 21, 5, 30, 0, 0, UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, 0, 0, 0, 0, UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_it_reads_rfc_3339_times(text: str, instant: datetime) -> None:
    assert structured(time=text).time == instant


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21",
        "2026-11-21T08:54:20",
        "2026-11-21 08:54:20Z",
        "2026-11-21T08:54:20.Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T08:54:20+24:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        "2262-04-11T23:47:16Z",
        "٢٠٢٦-11-21T08:54:20Z",
    ],
)
def test_it_refuses_other_times(text: str) -> None:
    with pytest.raises(MalformedPayload, match="time: "):
        structured(time=text)


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        (b'{"a":1}', "", {"a": 1}),
        (b"hold released", "", "hold released"),
        (b"\xff\x00", "", b"\xff\x00"),
        (b"", "application/json", None),
        (b"[1]", "application/vnd.acme+json", [1]),
        (b"hold", "text/plain", "hold"),
        (b"Pr\xfcfung", "text/plain; charset=iso-8859-1", "Prüfung"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"\x01\x02", "application/octet-stream", b"\x01\x02"),
    ],
)
def test_it_reads_binary_data_by_its_media_type(body: bytes, content_type: str, data: object) -> None:
    assert binary(body, content_type).data == data


def test_it_refuses_binary_data_that_is_not_what_it_says() -> None:
    with pytest.raises(MalformedPayload, match="the data is declared as application/json: The body is not JSON"):
        binary(b"{", "application/json")


def test_it_reads_base64_data_by_its_media_type() -> None:
    assert structured(data_base64="AQID", datacontenttype="application/octet-stream").data == b"\x01\x02\x03"
    encoded = base64.b64encode(b'{"a":1}').decode()
    assert structured(data_base64=encoded, datacontenttype="application/json").data == {"a": 1}


def test_it_makes_data_safe_to_store() -> None:
    deep: object = "x"
    for _ in range(100):
        deep = [deep]
    data = structured(data={"n\x00": float("nan"), "s": "a\ud800", "deep": deep}).data
    assert isinstance(data, dict)
    assert (data["n\ufffd"], data["s"]) == ("NaN", "a\ufffd")
    assert DEEPER in json.dumps(data["deep"], ensure_ascii=False)


def test_it_keeps_text_data_of_64_kib() -> None:
    text = "x" * 65_536
    assert binary(text.encode(), "text/plain").data == text


def test_it_says_how_to_send_an_event_where_no_headers_came() -> None:
    with pytest.raises(MalformedPayload, match="there are no ce- headers; send ce-id"):
        decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_BINARY, b"{}", {"content-type": "application/json"}))


def test_it_refuses_only_the_bad_events_of_a_batch() -> None:
    bad: list[object] = [EVENT | {"id": ""}, 5, EVENT | {"id": "9", "specversion": "0.3"}]
    decoded = batch(EVENT, *bad, EVENT | {"id": "last"})
    assert [event.id for event in decoded.events] == ["4711", "last"]
    assert [(one.index, one.item_id) for one in decoded.rejections] == [(1, ""), (2, ""), (3, "9")]
    assert decoded.rejections[1].reason == "the event is not a JSON object"


@pytest.mark.parametrize(
    "media",
    [
        "text/plain; charset*=a\x00b'en'x",
        f"text/plain; charset*{'9' * 5_000}*=x",
        "text/plain; charset*0=a; charset*1*=b; charset*=c''d",
        "application/a\x00+json",
        "application/\ud800+json",
    ],
    ids=["nul in a charset's charset", "digits", "pieces", "nul", "surrogate"],
)
def test_a_media_type_however_odd_costs_nobody_but_its_event(media: str) -> None:
    odd = EVENT | {"id": "odd\x00", "datacontenttype": media, "data_base64": base64.b64encode(b"x{").decode()}
    decoded = batch(EVENT | {"id": "1"}, odd, EVENT | {"id": "2"})
    assert {"1", "2"} <= {event.id for event in decoded.events}
    # What was refused is written down, and jsonb takes neither of these.
    assert not re.search("[\x00\ud800-\udfff]", "".join(f"{one.reason}{one.item_id}" for one in decoded.rejections))


def test_an_id_with_half_a_surrogate_pair_is_no_other_id() -> None:
    """Read as U+FFFD, such ids would be one event, and a good one's whose id holds that character."""
    decoded = batch(*(EVENT | {"id": f"x{end}"} for end in ("\ud800", "\udfff", "\ufffd", "\U0001f600")))
    assert [event.id for event in decoded.events] == ["x\ufffd", "x\U0001f600"]
    assert [one.index for one in decoded.rejections] == [0, 1]
    alone = json.dumps(EVENT | {"id": "x\ud800"}).encode()
    with pytest.raises(MalformedPayload, match="id holds a control character or half a surrogate pair"):
        decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_STRUCTURED, alone))


def test_what_nobody_foresaw_costs_nobody_but_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> datetime:
        raise LookupError(text)

    monkeypatch.setattr("monitoring.decode.cloudevents.parse_rfc3339", fail)
    decoded = batch(EVENT | {"id": "1"}, EVENT | {"id": "odd", "time": "2026-11-20T09:00:00Z"}, EVENT | {"id": "2"})
    assert [event.id for event in decoded.events] == ["1", "2"]
    assert [(one.index, one.item_id, one.reason) for one in decoded.rejections] == [
        (1, "odd", "the event can't be read")
    ]


def test_it_takes_an_empty_batch() -> None:
    assert batch() == Decoded()


@pytest.mark.parametrize("body", [b"{}", b"null", b"", b"[{}"])
def test_it_calls_a_batch_that_is_no_array_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_BATCH, body))


@pytest.mark.parametrize("body", [b"[]", b"null", b"", b"5", b"[" * 100_000])
def test_it_calls_a_structured_event_that_is_no_object_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        decode(payload(Signal.EVENTS, Encoding.CLOUDEVENT_STRUCTURED, body))


def test_it_refuses_a_batch_of_100k_tiny_events() -> None:
    with pytest.raises(PayloadTooLarge, match="10,000 events"):
        batch(*[{}] * 100_000)


def test_it_holds_the_limit_of_a_batch_exactly() -> None:
    asked = payload(Signal.EVENTS, Encoding.CLOUDEVENT_BATCH, json.dumps([EVENT, EVENT]).encode())
    assert len(decode(asked, Limits(batch=2)).events) == 2
    with pytest.raises(PayloadTooLarge, match="more than 1 events"):
        decode(asked, Limits(batch=1))


def test_it_reads_what_the_javascript_sdk_sends() -> None:
    lines = recorded("captured", "cloudevents-js-http.jsonl").read_text().splitlines()
    decoded = [_captured(json.loads(line)) for line in lines]
    assert not any(one.rejections for one in decoded)
    first, same, blob, note = (only(one) for one in decoded[:4])
    assert (first.id, first.source, first.data, first.extensions) == (same.id, same.source, same.data, same.extensions)
    assert first.data == {"order": "4711", "qty": 12, "ü": "é"}
    assert first.extensions["traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (blob.data, note.data) == (b"\x01\x02\x03", "hold released")
    assert [event.id for event in decoded[4].events] == [first.id, note.id]


def _captured(request: dict[str, object]) -> Decoded:
    sent, body = request["headers"], request["body"]
    assert isinstance(sent, dict)
    assert isinstance(body, str)
    headers = {name.lower(): value for name, value in sent.items()}
    encoding = negotiate(Signal.EVENTS, headers["content-type"])
    return decode(payload(Signal.EVENTS, encoding, body.encode(), headers))


def test_it_passes_the_conformance_features() -> None:
    feature = recorded("cloudevents", "http-protocol-binding.feature").read_text()
    outlines = [_outline(text) for text in feature.split("Scenario Outline:")[1:]]
    assert len(outlines) == 2
    for request, wanted, examples in outlines:
        for example in examples:
            event = _requested(request.replace("<contentType>", example))
            for key, value in wanted.items():
                expected = value.replace("<contentType>", example)
                found = "1.0" if key == "specversion" else getattr(event, key)
                assert found == (datetime.fromisoformat(expected) if key == "time" else expected)
            assert event.data == {"message": "Hello World!"}


def _outline(text: str) -> tuple[str, dict[str, str], list[str]]:
    request = text.split('"""')[1]
    table, examples = text.split("Examples:")
    rows = (row.strip(" |").split("|") for row in table.splitlines() if row.strip().startswith("|"))
    wanted = {key.strip(): value.strip() for key, value in rows}
    del wanted["key"]
    return request, wanted, [row.strip(" |") for row in examples.splitlines()[2:] if row.strip()]


def _requested(text: str) -> EventRecord:
    lines = (line.strip() for line in text.strip().splitlines())
    next(lines)
    headers = dict(_headers(lines))
    encoding = negotiate(Signal.EVENTS, headers["content-type"])
    return only(decode(payload(Signal.EVENTS, encoding, "".join(lines).encode(), headers)))


def _headers(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if not line:
            return
        name, _, value = line.partition(": ")
        yield name.lower(), value
