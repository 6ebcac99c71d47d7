"""The compiled walk of traces makes what Python makes, of every body there is; and is told when it does not."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.payloads import requests
from monitoring.decode import LIMITS, Limits, decode, native
from monitoring.decode.values import MAX_TEXT
from monitoring.records import Encoding, Payload, PayloadTooLarge, Signal
from tests.conformance import odd_traces, poison
from tests.conformance.bodies import PROTOBUF, pb_span, text_attribute
from tests.conformance.both_ways import agree, compiled, in_python
from tests.conformance.corpus import SIZES, body_of
from tests.conformance.corpus import TRACES as TRACES_PATH

from .test_decode_any import as_protobuf, attribute_maps, spans, texts
from .test_wire_scan import FLOODS
from .wire import TRACE, in_scope, in_span, length_delimited, payload, recorded, request_of, wire

pytestmark = compiled


def traces(body: bytes) -> Payload:
    return payload(Signal.TRACES, Encoding.PROTOBUF, body)


def is_walked(body: bytes) -> bool:
    """Whether the compiled walk read the body itself."""
    return native.decoded(body, LIMITS) is not None


@pytest.mark.parametrize("packed", requests(3), ids=["first", "second", "third"])
def test_it_reads_usual_requests_by_itself_and_alike(packed: bytes) -> None:
    body = gzip.decompress(packed)
    assert is_walked(body)
    agree(traces(body))


def test_it_reads_the_recorded_celery_spans_alike() -> None:
    for path in recorded("captured", "celery-otlp").glob("*.bin"):
        body = path.read_bytes()
        assert is_walked(body)
        agree(traces(body))


@pytest.mark.parametrize("name", [name for name, one in poison.VALUES.items() if one.encoding == PROTOBUF])
def test_it_reads_poison_alike(name: str) -> None:
    agree(traces(poison.VALUES[name].body(TRACE)))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, one in SIZES.items()
        if one.content_type == PROTOBUF and one.path == TRACES_PATH and not one.packing
    ],
)
def test_it_answers_hostile_sizes_alike(name: str) -> None:
    agree(traces(body_of(name)))


@pytest.mark.parametrize("name", FLOODS)
def test_it_refuses_floods_alike(name: str) -> None:
    agree(traces(FLOODS[name][0]))


@settings(max_examples=100, deadline=None)
@given(texts, attribute_maps, st.lists(spans, max_size=4))
def test_it_reads_any_request_alike(scope: str, resource: dict[str, Any], found: list[dict[str, Any]]) -> None:
    agree(traces(as_protobuf(scope, resource, found)))


@pytest.mark.parametrize("seed", range(4))
def test_it_reads_odd_bodies_alike(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  Repeatable.
    walked = 0
    for _ in range(1_500):
        body = odd_traces.body(rng)
        walked += is_walked(body)
        agree(traces(body))
    # Were all of them left to Python, the comparison would prove nothing.
    assert 300 < walked < 1_400


@pytest.mark.parametrize("limit", ["items", "envelopes", "attributes", "events", "links", "values", "strays", "fields"])
def test_it_holds_every_limit_of_odd_bodies_alike(limit: str) -> None:
    rng = random.Random(limit)  # noqa: S311  Repeatable.
    for _ in range(300):
        agree(traces(odd_traces.body(rng)), replace(LIMITS, **{limit: rng.randrange(30)}))


def test_it_answers_every_prefix_of_a_body_alike() -> None:
    body = gzip.decompress(requests(1)[0])[-3_000:]
    whole = in_span(wire(pb_span(TRACE)) + length_delimited(11, length_delimited(2, b"e")) + text_attribute(3)) + body
    for length in range(400):
        agree(traces(whole[:length]))


@pytest.mark.parametrize("extra", ["", "\x00", "\u00e9", "\U0001f600"], ids=["plain", "nul", "two bytes", "four bytes"])
@pytest.mark.parametrize("length", [MAX_TEXT // 4, MAX_TEXT // 4 + 1, MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1, 1 << 20])
def test_it_cuts_long_text_alike_wherever_it_stands(length: int, extra: str) -> None:
    for said in (extra + "x" * length, "x" * length + extra, "x" * 9_000 + extra + "x" * (length - 9_000)):
        text = said.encode()
        value = length_delimited(1, text)
        inside = {
            "value": length_delimited(9, length_delimited(1, b"k") + length_delimited(2, value)),
            "key": length_delimited(9, length_delimited(1, text) + length_delimited(2, b"\x18\x01")),
            "listed": length_delimited(
                9, length_delimited(1, b"k") + length_delimited(2, length_delimited(5, length_delimited(1, value)))
            ),
            "event": length_delimited(11, length_delimited(2, text)),
            "status": length_delimited(15, length_delimited(2, text)),
        }
        for field in inside.values():
            agree(traces(in_span(_GOOD + field)))
        agree(traces(in_span(wire(pb_span(TRACE, name=said)))))


def test_it_hands_a_single_odd_span_to_python_and_reads_the_others() -> None:
    good, odd = wire(pb_span(TRACE)), wire(pb_span(TRACE, 2, name="a\x00b"))
    body = in_scope(b"".join(length_delimited(2, span) for span in (good, odd, good)))
    assert is_walked(body)
    agree(traces(body))


_STRAYS, _LONG = 60_000, text_attribute(9 << 20)
_GOOD = wire(pb_span(TRACE))
STRAYS = {
    "span": in_span(_GOOD + b"\x50\x01" * _STRAYS + _LONG),
    "event": in_span(_GOOD + length_delimited(11, b"\x20\x01" * _STRAYS) + _LONG),
    "link": in_span(_GOOD + length_delimited(13, b"\x28\x01" * _STRAYS) + _LONG),
    "resource": length_delimited(1, length_delimited(1, b"\x10\x01" * _STRAYS)) + in_span(_GOOD + _LONG),
    "group": length_delimited(1, b"\x1a\x00" * _STRAYS) + in_span(_GOOD + _LONG),
    "scope": length_delimited(1, length_delimited(2, b"\x1a\x00" * _STRAYS)) + in_span(_GOOD + _LONG),
    "value": in_span(_GOOD + length_delimited(9, length_delimited(2, b"\x18\x01" * _STRAYS)) + _LONG),
}


@pytest.mark.parametrize("name", STRAYS)
def test_it_refuses_what_repeats_in_a_large_body_alike(name: str) -> None:
    assert not is_walked(STRAYS[name])
    agree(traces(STRAYS[name]))
    with pytest.raises(PayloadTooLarge, match="no use for"):
        decode(traces(STRAYS[name]))


@pytest.mark.parametrize(
    ("field", "inside"), [(15, 2), (11, 2), (13, 3), (5, 0)], ids=["status", "event", "link", "name"]
)
@pytest.mark.parametrize("first", [b"\xff", b"fine"])
def test_it_reads_text_that_is_sent_twice_alike(field: int, inside: int, first: bytes) -> None:
    """protobuf refuses a text that is not UTF-8 even where another follows; a span's name is looked at by us."""
    texts_twice = [length_delimited(inside, text) if inside else text for text in (first, b"last")]
    fields = (
        [length_delimited(field, b"".join(texts_twice))] if inside else [length_delimited(5, t) for t in texts_twice]
    )
    agree(traces(in_span(wire(pb_span(TRACE)) + b"".join(fields))))


def test_a_span_that_only_names_a_trace_is_not_read_back_with_it() -> None:
    other = bytes(15) + b"\x01"
    linking = pb_span(other, 2, links=[{"trace_id": TRACE, "span_id": b"12345678"}])
    body = in_scope(b"".join(length_delimited(2, wire(span)) for span in (pb_span(TRACE), linking)))
    found = native.spans_of(body, TRACE)
    assert found is not None
    assert [span.trace_id for span in found] == [TRACE]
    agree(traces(body))


def test_spans_of_one_trace_share_its_id() -> None:
    found = native.decoded(wire(request_of(2)), Limits())
    assert found is not None
    assert found.spans[0].trace_id is found.spans[1].trace_id


def test_a_walk_that_says_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a compiled walk with a fault."""
    body = wire(request_of(2))
    found = native.trace_walk.spans_in(body)
    assert found is not None
    changed = [span._replace(end_ns=float(span.end_ns)) for span in found[0]]  # type: ignore[arg-type]
    monkeypatch.setattr(native.trace_walk, "spans_in", lambda *_: (changed, []))
    with pytest.raises(AssertionError):
        agree(traces(body))


def test_python_reads_where_nothing_is_compiled() -> None:
    with in_python():
        assert native.decoded(wire(request_of(1)), LIMITS) is None
        agree(traces(wire(request_of(1))))
