"""Counts what a protobuf body holds before protobuf allocates for it, and refuses what passes a limit.

protobuf spends about 150 bytes on a two-byte empty span, so a limit on bytes is not enough. Most bodies are cleared
without reading a field: each message costs its tag's first byte, so the number of such bytes in the body bounds the
number of messages from above. Only where that bound leaves a doubt are the fields walked, and the walk stops at the
first limit that is passed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from monitoring.records import PayloadTooLarge, Signal

from .limits import LIMITS, Limits, refusal


class Count(IntEnum):
    """What is counted; the order is that of the budgets."""

    ENVELOPES = 0
    ITEMS = 1
    ATTRIBUTES = 2
    EVENTS = 3
    LINKS = 4
    VALUES = 5
    FIELDS = 6
    #: A packed list of numbers: each of its bytes may become an eight-byte number, so it costs VALUES by its size.
    PACKED = 7


#: A message's counted fields: wire tag -> (what it counts as, the fields of the message inside).
Shape: TypeAlias = "dict[int, tuple[Count, Shape]]"

_LEAF: Shape = {}
_ANY: Shape = {}
_KEY_VALUE: Shape = {0x12: (Count.FIELDS, _ANY)}
_ANY[0x2A] = (Count.VALUES, {0x0A: (Count.VALUES, _ANY)})
_ANY[0x32] = (Count.VALUES, {0x0A: (Count.VALUES, _KEY_VALUE)})
_ATTRIBUTE = (Count.ATTRIBUTES, _KEY_VALUE)
_ENTITY: Shape = {0x1A: (Count.VALUES, _LEAF), 0x22: (Count.VALUES, _LEAF)}
_RESOURCE: Shape = {0x0A: _ATTRIBUTE, 0x1A: (Count.VALUES, _ENTITY)}
_SCOPE: Shape = {0x1A: _ATTRIBUTE}

_SPAN: Shape = {
    0x4A: _ATTRIBUTE,
    0x5A: (Count.EVENTS, {0x1A: _ATTRIBUTE}),
    0x6A: (Count.LINKS, {0x22: _ATTRIBUTE}),
}
_LOG: Shape = {0x2A: (Count.FIELDS, _ANY), 0x32: _ATTRIBUTE}

_EXEMPLAR = (Count.VALUES, {0x3A: _ATTRIBUTE})
_BUCKETS: Shape = {0x12: (Count.PACKED, _LEAF)}
_NUMBERS: Shape = {0x0A: (Count.ITEMS, {0x3A: _ATTRIBUTE, 0x2A: _EXEMPLAR})}
_HISTOGRAM: Shape = {0x0A: (Count.ITEMS, {0x4A: _ATTRIBUTE, 0x42: _EXEMPLAR})}
_EXPONENTIAL: Shape = {
    0x0A: (
        Count.ITEMS,
        {0x0A: _ATTRIBUTE, 0x42: (Count.FIELDS, _BUCKETS), 0x4A: (Count.FIELDS, _BUCKETS), 0x5A: _EXEMPLAR},
    )
}
_SUMMARY: Shape = {0x0A: (Count.ITEMS, {0x3A: _ATTRIBUTE, 0x32: (Count.VALUES, _LEAF)})}
_METRIC: Shape = {
    0x2A: (Count.VALUES, _NUMBERS),
    0x3A: (Count.VALUES, _NUMBERS),
    0x4A: (Count.VALUES, _HISTOGRAM),
    0x52: (Count.VALUES, _EXPONENTIAL),
    0x5A: (Count.VALUES, _SUMMARY),
    0x62: _ATTRIBUTE,
}


def _request(item: Shape, counted: Count, *, whole: bool) -> Shape:
    scope: Shape = {0x0A: (Count.FIELDS, _SCOPE if whole else _LEAF), 0x12: (counted, item)}
    group: Shape = {0x0A: (Count.FIELDS, _RESOURCE if whole else _LEAF), 0x12: (Count.ENVELOPES, scope)}
    return {0x0A: (Count.ENVELOPES, group)}


_WHOLE: dict[Signal, Shape] = {
    Signal.TRACES: _request(_SPAN, Count.ITEMS, whole=True),
    Signal.LOGS: _request(_LOG, Count.ITEMS, whole=True),
    Signal.METRICS: _request(_METRIC, Count.ENVELOPES, whole=True),
}
_ENVELOPE: dict[Signal, Shape] = {
    Signal.TRACES: _request(_LEAF, Count.ITEMS, whole=False),
    Signal.LOGS: _request(_LEAF, Count.ITEMS, whole=False),
}
_AROUND = (Count.ENVELOPES, Count.ITEMS)
_INSIDE = (Count.ATTRIBUTES, Count.EVENTS, Count.LINKS, Count.VALUES)
_NOUNS = {Signal.TRACES: "spans", Signal.LOGS: "log records", Signal.METRICS: "data points"}

#: protobuf itself gives up at 100 levels, so nothing deeper is ever built; the slack covers items parsed singly.
_DEEPEST = 110


def _first_bytes(shape: Shape) -> dict[Count, bytes]:
    """For each count the bytes with which a field that adds to it can begin, overlong spellings of a tag included."""
    found: dict[Count, set[int]] = {}
    waiting: list[Shape] = [shape]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for tag, (count, inner) in current.items():
            found.setdefault(count, set()).update((tag, tag | 0x80))
            waiting.append(inner)
    return {count: bytes(sorted(tags)) for count, tags in found.items()}


_FIRST_BYTES = {signal: _first_bytes(shape) for signal, shape in _WHOLE.items()}


def check(signal: Signal, body: bytes, limits: Limits = LIMITS) -> None:
    """Raise PayloadTooLarge, naming the limit, if the body holds more than `limits` allow; cheap if it can't."""
    budgets = [
        limits.envelopes,
        limits.items,
        limits.attributes,
        limits.events,
        limits.links,
        limits.values,
        limits.fields,
    ]
    if len(body) // 2 <= min(budgets):
        return
    # What lies around the items comes first: the flood of empty spans is then refused after 20,000 of them.
    if signal in _ENVELOPE and _in_doubt(signal, body, budgets, _AROUND):
        _walk(_ENVELOPE[signal], body, budgets, _NOUNS[signal])
    if _in_doubt(signal, body, budgets, _INSIDE if signal in _ENVELOPE else _INSIDE + _AROUND):
        _walk(_WHOLE[signal], body, budgets, _NOUNS[signal])


def _in_doubt(signal: Signal, body: bytes, budgets: list[int], counts: tuple[Count, ...]) -> bool:
    first_bytes = _FIRST_BYTES[signal]
    if Count.PACKED in first_bytes and len(body) > budgets[Count.VALUES]:
        return True
    return any(sum(map(body.count, first_bytes.get(count, b""))) > budgets[count] for count in counts)


class _SpentError(Exception):
    """One budget is used up; carries which."""

    def __init__(self, count: Count) -> None:
        self.count = count


def _walk(shape: Shape, body: bytes, budgets: list[int], noun: str) -> None:
    try:
        _message(shape, body, 0, len(body), list(budgets), 0)
    except _SpentError as spent:
        names = ("resource and scope groups", noun, "attributes", "span events", "span links", "nested values", "fields")
        raise PayloadTooLarge(refusal(names[spent.count], budgets[spent.count])) from None


def _message(shape: Shape, body: bytes, pos: int, end: int, left: list[int], depth: int) -> None:
    """Count the fields of the message in body[pos:end] against the budgets `left`.

    A message that breaks the wire format is left at the break: protobuf stops there too, and names the fault.
    """
    while pos < end:
        tag = body[pos]
        pos += 1
        if tag >= 0x80:
            tag, pos = _varint(body, pos - 1, end)
        wire = tag & 7
        if wire == 2:
            if pos >= end:
                return
            size = body[pos]
            pos += 1
            if size >= 0x80:
                size, pos = _varint(body, pos - 1, end)
            stop = pos + size
            if stop > end:
                return
            rule = shape.get(tag)
            if rule is None:
                _spend(left, Count.FIELDS, 1)
            else:
                count, inner = rule
                if count is Count.PACKED:
                    _spend(left, Count.VALUES, size)
                else:
                    left[count] -= 1
                    if left[count] < 0:
                        raise _SpentError(count)
                if inner and size and depth < _DEEPEST:
                    _message(inner, body, pos, stop, left, depth + 1)
            pos = stop
            continue
        _spend(left, Count.FIELDS, 1)
        if wire == 0:
            pos = _varint(body, pos, end)[1]
        elif wire == 1:
            pos += 8
        elif wire == 5:
            pos += 4
        elif wire > 5:
            return


def _spend(left: list[int], count: Count, much: int) -> None:
    left[count] -= much
    if left[count] < 0:
        raise _SpentError(count)


def _varint(body: bytes, pos: int, end: int) -> tuple[int, int]:
    """The number at `pos` and where it ends; one that never ends reads as reaching past the message."""
    value = shift = 0
    for place in range(pos, min(end, pos + 10)):
        byte = body[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    return value, end + 1
