"""Trace bodies that no SDK writes: fields twice, out of order, of other wire types, spelled at length, cut, unknown."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.conformance.bodies import START, pb_span
from tests.monitoring.wire import SPAN, TRACE, length_delimited, varint, wire

#: Makes one field, or the content of a message.
Writer = Callable[[random.Random], bytes]

GOOD = wire(pb_span(TRACE))
WORDS = [
    b"",
    b"k",
    b"name",
    b"celery.state",
    b"\xc3\xbc",
    b"\xff",
    b"a\x00b",
    b"\xed\xa0\x80",
    b"x" * 200,
    b"y" * 9_000,
]
NUMBERS = [
    *(b"\x00", b"\x01", b"\x02", b"\x03", b"\x05", b"\x7f", b"\x81\x00", b"\xff\x01", b"\xff" * 9 + b"\x01"),
    *(b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01", b"\xff", b"\x80" * 9 + b"\x01", b"\x80" * 8 + b"\x7f"),
]
STRANGE = [
    *(b"\x78\x01", b"\x7b\x7c", b"\x7b", b"\x0f", b"\x00", b"\x82\x01\x01a", b"\x0a\xff\xff\xff\xff\x0f", b"\x85"),
    *(b"\x85\x01", b"\x85\x02\x01\x00\x00\x00", b"\x3d\x01\x02\x03\x04", b"\x4a", b"\x92\x80\x00\x00", b"\x08\x01"),
]
DOUBLES = [bytes(8), b"\x40" * 8, b"\x00" * 6 + b"\xf8\x7f", b"\x00" * 6 + b"\xf0\xff", b"\x00"]
INSTANTS = [START.to_bytes(8, "little"), (START + 5).to_bytes(8, "little"), bytes(8), b"\xff" * 8, b"\x01"]


def body(rng: random.Random) -> bytes:
    """A request: odd all over, or with odd spans in a usual frame."""
    if rng.random() < 0.5:
        spans = b"".join(length_delimited(2, rng.choice((GOOD, GOOD, span(rng)))) for _ in range(rng.randrange(5)))
        scope = length_delimited(1, length_delimited(1, b"plant")) + spans
        return length_delimited(1, length_delimited(1, shared(rng)) + length_delimited(2, scope))
    return _some(rng, 3, [_within(1, resource)])


def resource(rng: random.Random) -> bytes:
    return _some(rng, 4, [_within(1, shared), _within(2, scope), _within(2, scope), _within(3, word)])


def scope(rng: random.Random) -> bytes:
    usual = _within(2, lambda _: GOOD)
    return _some(rng, 6, [_within(1, shared), usual, usual, _within(2, span), _within(2, span), _within(3, word)])


def shared(rng: random.Random) -> bytes:
    """A resource, or a scope."""
    return _some(rng, 3, [_within(1, pair), _within(1, word), _within(2, word), _within(3, pair)])


def span(rng: random.Random) -> bytes:
    """A good span with more to it, or just some fields."""
    fields: list[Writer] = [
        _within(1, _one_of([TRACE, bytes(16), b"x" * 15])), _within(2, _one_of([SPAN, bytes(8), b""])),
        _within(4, _one_of([SPAN, bytes(8), b"x"])), _within(3, word), _within(5, word),
        _tagged(b"\x30", NUMBERS), _tagged(b"\x39", INSTANTS), _tagged(b"\x41", INSTANTS), _tagged(b"\x50", NUMBERS),
        *[_within(9, pair)] * 6, _within(11, event), _within(13, link), _within(15, status),
        _tagged(b"\x85\x01", [b"\x01\x00\x00\x00"]),
    ]  # fmt: skip
    begun = GOOD if rng.random() < 0.85 else b""
    return begun + _some(rng, 4, fields)


def status(rng: random.Random) -> bytes:
    return _some(rng, 2, [_within(2, word), _tagged(b"\x18", NUMBERS)])


def event(rng: random.Random) -> bytes:
    return _some(rng, 4, [_tagged(b"\x09", INSTANTS), _within(2, word), _within(3, pair), _tagged(b"\x20", NUMBERS)])


def link(rng: random.Random) -> bytes:
    named = [_within(1, _one_of([TRACE, TRACE, b"short"])), _within(2, _one_of([SPAN, SPAN, b""]))]
    return _some(rng, 5, [*named, *named, _within(3, word), _within(4, pair), _tagged(b"\x35", [b"\x01\x00\x00\x00"])])


def pair(rng: random.Random) -> bytes:
    if rng.random() < 0.7:
        return length_delimited(1, word(rng)) + length_delimited(2, value(rng))
    return _some(rng, 3, [_within(1, word), _within(2, value), _tagged(b"\x18", NUMBERS)])


def value(rng: random.Random) -> bytes:
    """An AnyValue: mostly one scalar, sometimes lists and maps, sometimes deep."""
    depth = rng.choice((0, 0, 0, 0, 1, 2, 5, 17, 33, 50)) if rng.random() < 0.3 else 0
    made = _some(rng, 2, _SCALARS) if rng.random() < 0.2 else rng.choice(_SCALARS)(rng)
    for _ in range(depth):
        if rng.random() < 0.5:
            made = length_delimited(5, length_delimited(1, made))
        else:
            made = length_delimited(6, length_delimited(1, length_delimited(1, b"k") + length_delimited(2, made)))
    return made


def word(rng: random.Random) -> bytes:
    return rng.choice(WORDS)


def _one_of(given: Sequence[bytes]) -> Writer:
    return lambda rng: rng.choice(given)


def _tagged(tag: bytes, given: Sequence[bytes]) -> Writer:
    return lambda rng: tag + rng.choice(given)


def _within(number: int, inside: Writer) -> Writer:
    """A field of bytes; now and then its tag or its length takes more bytes than it need, or says too much."""

    def written(rng: random.Random) -> bytes:
        data = inside(rng)
        if rng.random() < 0.97:
            return length_delimited(number, data)
        size = len(data) + rng.choice((0, 0, 0, 1, -1, 300))
        return _overlong(number << 3 | 2, rng) + _overlong(max(size, 0), rng) + data

    return written


def _overlong(number: int, rng: random.Random) -> bytes:
    plain, more = varint(number), rng.randrange(5)
    return plain[:-1] + bytes([plain[-1] | 0x80]) + b"\x80" * (more - 1) + b"\x00" if more else plain


def _some(rng: random.Random, most: int, fields: Sequence[Writer]) -> bytes:
    found = [rng.choice(fields)(rng) for _ in range(rng.randrange(most + 1))]
    if rng.random() < 0.03:
        found.insert(rng.randrange(len(found) + 1), rng.choice(STRANGE))
    return b"".join(found)


_SCALARS: list[Writer] = [
    *[_within(1, word)] * 4, _tagged(b"\x10", NUMBERS), _tagged(b"\x18", NUMBERS), _tagged(b"\x21", DOUBLES),
    _within(7, word), _within(5, word), _within(6, word), lambda _: b"",
]  # fmt: skip
