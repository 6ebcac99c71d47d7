"""The compiled walk of traces makes what Python makes, of every body there is; and is told when it does not."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.payloads import requests
from monitoring.decode import LIMITS, Limits, native
from monitoring.records import Encoding, Payload, Signal
from tests.conformance import poison
from tests.conformance.bodies import pb_span, text_attribute
from tests.conformance.both_ways import agree, compiled, in_python
from tests.conformance.corpus import SIZES, body_of
from tests.conformance.corpus import TRACES as TRACES_PATH

from .test_decode_any import as_protobuf, attribute_maps, spans, texts
from .test_wire_scan import FLOODS
from .wire import SPAN, START, TRACE, in_scope, in_span, length_delimited, payload, recorded, request_of, varint, wire

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


@pytest.mark.parametrize("name", [name for name, one in poison.VALUES.items() if one.encoding == poison.PROTOBUF])
def test_it_reads_poison_alike(name: str) -> None:
    agree(traces(poison.VALUES[name].body(TRACE)))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, one in SIZES.items()
        if one.content_type == poison.PROTOBUF and one.path == TRACES_PATH and not one.packing
    ],
)
def test_it_answers_hostile_sizes_alike(name: str) -> None:
    agree(traces(body_of(name)))


@pytest.mark.parametrize("name", FLOODS)
def test_it_refuses_floods_alike(name: str) -> None:
    agree(traces(FLOODS[name][0]))


@settings(max_examples=200, deadline=None)
@given(texts, attribute_maps, st.lists(spans, max_size=4))
def test_it_reads_any_request_alike(scope: str, resource: dict[str, Any], found: list[dict[str, Any]]) -> None:
    agree(traces(as_protobuf(scope, resource, found)))


# Bodies that no SDK writes: fields twice, out of order, of other wire types, spelled at length, cut off, unknown.
def _overlong(number: int, most: int = 2) -> st.SearchStrategy[bytes]:
    plain = varint(number)
    return st.integers(0, most).map(
        lambda more: plain[:-1] + bytes([plain[-1] | 0x80]) + b"\x80" * (more - 1) + b"\x00" if more else plain
    )


def _delimited(number: int, inside: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    tag = number << 3 | 2
    return inside.flatmap(
        lambda data: st.one_of(
            st.just(length_delimited(number, data)),
            st.tuples(_overlong(tag, 1), _overlong(len(data)), st.just(data)).map(b"".join),
        )
    )


def _message(*fields: st.SearchStrategy[bytes], most: int = 6) -> st.SearchStrategy[bytes]:
    return st.lists(st.one_of(*fields), max_size=most).map(b"".join)


words = st.sampled_from([b"", b"k", b"celery.state", b"\xc3\xbc", b"\xff", b"a\x00b", b"\xed\xa0\x80", b"x" * 200])
numbers = st.sampled_from(
    [
        *(b"\x00", b"\x01", b"\x02", b"\x05", b"\x7f", b"\x81\x00", b"\xff\x01", b"\xff" * 9 + b"\x01"),
        *(b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01", b"\xff", b"\x80" * 9 + b"\x01"),
    ]
)
strange = st.sampled_from(
    [b"", b"\x78\x01", b"\x7b\x7c", b"\x7b", b"\x0f", b"\x00", b"\x82\x01\x01a", b"\x0a\xff\xff\xff\xff\x0f", b"\x85"]
)
leaf = _message(
    *(_delimited(number, words) for number in (1, 7, 5)),
    *(numbers.map(lambda data, tag=tag: tag + data) for tag in (b"\x10", b"\x18")),
    st.sampled_from([b"\x21" + bytes(8), b"\x21\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x21\x00", b"\x21" + b"\x40" * 8]),
    most=2,
)
any_value = st.recursive(
    leaf,
    lambda inner: st.one_of(
        _delimited(5, _message(_delimited(1, inner), most=3)),
        _delimited(6, _message(_delimited(1, _message(_delimited(1, words), _delimited(2, inner), most=3)), most=3)),
    ),
    max_leaves=4,
)
pair = st.one_of(
    st.tuples(_delimited(1, words), _delimited(2, any_value)).map(b"".join),
    _message(_delimited(1, words), _delimited(2, any_value), strange, most=3),
)
times = st.sampled_from(
    [START.to_bytes(8, "little"), (START + 5).to_bytes(8, "little"), bytes(8), b"\xff" * 8, b"\x01"]
)
event = _message(times.map(lambda at: b"\x09" + at), _delimited(2, words), _delimited(3, pair), strange)
link = _message(
    _delimited(1, st.sampled_from([TRACE, b"short"])), _delimited(2, st.just(SPAN)), _delimited(3, words),
    _delimited(4, pair), st.just(b"\x35\x01\x00\x00\x00"), strange,
)  # fmt: skip
good_span = wire(pb_span(TRACE))
odd_span = _message(
    st.just(good_span), st.just(good_span), _delimited(1, st.sampled_from([TRACE, bytes(16), b"x" * 15])),
    _delimited(2, st.sampled_from([SPAN, bytes(8), b""])), _delimited(4, st.sampled_from([SPAN, bytes(8), b"x"])),
    _delimited(3, words), _delimited(5, words), numbers.map(lambda data: b"\x30" + data),
    times.map(lambda at: b"\x39" + at), times.map(lambda at: b"\x41" + at), _delimited(9, pair), _delimited(9, pair),
    _delimited(11, event), _delimited(13, link), _delimited(15, _message(_delimited(2, words), strange)),
    numbers.map(lambda data: b"\x7a\x02\x18" + data), st.just(b"\x85\x01\x01\x00\x00\x00"),
    numbers.map(lambda data: b"\x50" + data), strange, most=8,
)  # fmt: skip
shared_parts = _message(_delimited(1, pair), _delimited(1, words), _delimited(2, words), _delimited(3, pair), strange)
odd_scope = _message(
    _delimited(1, shared_parts),
    _delimited(2, st.just(good_span)),
    _delimited(2, odd_span),
    _delimited(3, words),
    strange,
)
odd_resource = _message(_delimited(1, shared_parts), _delimited(2, odd_scope), _delimited(3, words), strange)


@settings(max_examples=1_000, deadline=None)
@given(odd_span)
def test_it_reads_odd_spans_between_good_ones_alike(odd: bytes) -> None:
    agree(traces(in_scope(b"".join(length_delimited(2, one) for one in (good_span, odd, good_span)))))


@settings(max_examples=500, deadline=None)
@given(_message(_delimited(1, odd_resource), _delimited(1, odd_resource), strange))
def test_it_reads_odd_frames_alike(body: bytes) -> None:
    agree(traces(body))


def test_it_answers_every_prefix_of_a_body_alike() -> None:
    body = gzip.decompress(requests(1)[0])[-3_000:]
    whole = in_span(wire(pb_span(TRACE)) + length_delimited(11, length_delimited(2, b"e")) + text_attribute(3)) + body
    for length in range(400):
        agree(traces(whole[:length]))


limited = st.sampled_from(["items", "envelopes", "attributes", "events", "links", "values", "strays", "fields"])


@settings(max_examples=200, deadline=None)
@given(st.lists(spans, max_size=4), limited, st.integers(0, 40))
def test_it_holds_every_limit_alike(found: list[dict[str, Any]], limit: str, most: int) -> None:
    agree(traces(as_protobuf("plant", {"a": 1}, found)), replace(LIMITS, **{limit: most}))


@settings(max_examples=300, deadline=None)
@given(odd_resource, limited, st.integers(0, 30))
def test_it_holds_every_limit_of_odd_bodies_alike(odd: bytes, limit: str, most: int) -> None:
    agree(traces(length_delimited(1, odd)), replace(LIMITS, **{limit: most}))


def test_it_hands_a_single_odd_span_to_python_and_reads_the_others() -> None:
    good, odd = wire(pb_span(TRACE)), wire(pb_span(TRACE, 2, name="a\x00b"))
    body = in_scope(b"".join(length_delimited(2, span) for span in (good, odd, good)))
    assert is_walked(body)
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
    changed = [span._replace(kind=int(span.kind)) for span in found[0]]
    monkeypatch.setattr(native.trace_walk, "spans_in", lambda *_: (changed, []))
    with pytest.raises(AssertionError):
        agree(traces(body))


def test_python_reads_where_nothing_is_compiled() -> None:
    with in_python():
        assert native.decoded(wire(request_of(1)), LIMITS) is None
        agree(traces(wire(request_of(1))))
