"""Fields are counted by compiled code or by Python: both pass the same budget first, whatever the bytes are."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.decode import Limits
from monitoring.decode.wire_scan import check
from monitoring.records import PayloadTooLarge, Signal
from tests.conformance.both_ways import compiled, in_python

from .wire import from_protobuf, in_scope, in_span, length_delimited, varint

#: Every field that some shape counts, some that none does, and other wire types of the same numbers.
TAGS = [0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42, 0x4A, 0x52, 0x5A, 0x62, 0x6A, 0x7A]
ODD = [b"\x78\x01", b"\x7b", b"\x7c", b"\x0f", b"\x09", b"\x0d\x01", b"\x92\x80\x00\x00", b"\x8a" * 11]
ODD += [b"\x0a" + b"\xff" * 9 + end for end in (b"\x01", b"\x02", b"\x7f")]
ODD += [b"\x8a" + b"\x80" * 8 + end + b"\x01a" for end in (b"\x01", b"\x02", b"\x04")]


def one_field(tag: int, content: bytes, is_spelled_long: bool) -> bytes:
    if is_spelled_long:
        return bytes([tag | 0x80, 0]) + varint(len(content)) + content
    return bytes([tag]) + varint(len(content)) + content


leaves = st.one_of(st.binary(max_size=12), st.sampled_from(ODD), st.just(b"\x0a\x01k\x12\x03\x0a\x01v"))
bodies = st.recursive(
    leaves,
    lambda inner: st.lists(st.builds(one_field, st.sampled_from(TAGS), inner, st.booleans()), max_size=6).map(b"".join),
    max_leaves=40,
)
limits = st.builds(Limits, **{field.name: st.sampled_from([0, 1, 3, 10, 1_000_000]) for field in fields(Limits)})


def refusal(signal: Signal, body: bytes, within: Limits) -> str:
    try:
        check(signal, body, within)
    except PayloadTooLarge as refused:
        return str(refused)
    return ""


@compiled
@settings(max_examples=1_500, deadline=None)
@given(st.sampled_from([Signal.TRACES, Signal.LOGS, Signal.METRICS]), bodies, limits)
def test_both_pass_the_same_budget_first(signal: Signal, body: bytes, within: Limits) -> None:
    found = refusal(signal, body, within)
    with in_python():
        assert refusal(signal, body, within) == found


@compiled
@pytest.mark.parametrize("depth", [108, 109, 110, 111, 200])
def test_both_go_as_deep(depth: int) -> None:
    body = b""
    for level in range(depth):
        body = length_delimited(1 if level % 2 else 5, body)
    body = in_span(length_delimited(9, length_delimited(2, body)))
    for most in range(90, 116):
        found = refusal(Signal.TRACES, body, Limits(values=most))
        with in_python():
            assert refusal(Signal.TRACES, body, Limits(values=most)) == found


@pytest.mark.parametrize("last", [b"\x0a", b"\x0a\x00", b"\x0a\x01a\x12", b"\x0a\xff", b"\x0a\x01a\x12\x02\x0a"])
def test_a_body_that_ends_within_an_attribute_is_counted_to_its_end(last: bytes) -> None:
    """A span's last attribute is too short for what it says; what lies behind it is no part of the body."""
    body = in_span(length_delimited(9, last))
    check(Signal.TRACES, body, Limits(values=0))
    with in_python():
        check(Signal.TRACES, body, Limits(values=0))
    assert "more than 0 attributes" in refusal(Signal.TRACES, body, Limits(attributes=0))


def test_a_long_log_that_ends_within_an_attribute_is_rejected_by_itself() -> None:
    text = length_delimited(5, length_delimited(1, b"\n" * 150_000))
    found = from_protobuf(in_scope(length_delimited(2, text + length_delimited(6, b"\x0a"))), Signal.LOGS)
    assert [rejection.index for rejection in found.rejections] == [0]
