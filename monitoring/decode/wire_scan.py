"""Counts what a protobuf body holds before protobuf allocates for it, and refuses what passes a limit.

protobuf spends about 150 bytes on a two-byte empty span, so a limit on bytes is not enough. Most bodies are cleared
without reading a field: each message costs its tag's first byte, so the number of such bytes in the body bounds the
number of messages from above. Only where that bound leaves a doubt are the fields walked, and the walk stops at the
first limit that is passed. It goes in three steps, each deeper than the one before: around the items, into them, into
the values of their attributes; so a flood is refused by the step that need not look inside of it.
"""

from __future__ import annotations

from typing import TypeAlias

from monitoring.records import PayloadTooLarge, Signal

from . import native
from .limits import LIMITS, Limits, refusal

# What is counted. Plain integers, because they index the budgets once for each field of a body.
ENVELOPES, ITEMS, ATTRIBUTES, EVENTS, LINKS, VALUES, FIELDS, STRAYS = range(8)
#: A packed list of numbers: each of its bytes may become an eight-byte number, so it costs VALUES by its size.
PACKED = 8
#: No message of OTLP has more fields than this that are not counted by themselves; what it holds beyond is a stray.
_PLAIN_FIELDS = 16
#: protobuf passes over strays at 10 ns each and keeps their bytes, so up to this size they need no count.
_SKIMMED = 8 << 20
#: What lies around the items is read again in Python whenever a person opens a run (`envelope.py`).
_MOST_AROUND = 250_000

#: A message's counted fields: wire tag -> (what it counts as, the fields of the message inside).
Shape: TypeAlias = "dict[int, tuple[int, Shape]]"

_LEAF: Shape = {}
_UNCOUNTED = (FIELDS, _LEAF)
_ANY: Shape = {}
_KEY_VALUE: Shape = {0x12: (FIELDS, _ANY)}
_ANY[0x2A] = (VALUES, {0x0A: (VALUES, _ANY)})
_ANY[0x32] = (VALUES, {0x0A: (VALUES, _KEY_VALUE)})
_ATTRIBUTE = (ATTRIBUTES, _KEY_VALUE)
_ENTITY: Shape = {0x1A: (VALUES, _LEAF), 0x22: (VALUES, _LEAF)}
_RESOURCE: Shape = {0x0A: _ATTRIBUTE, 0x1A: (VALUES, _ENTITY)}
_SCOPE: Shape = {0x1A: _ATTRIBUTE}

_SPAN: Shape = {
    0x4A: _ATTRIBUTE,
    0x5A: (EVENTS, {0x1A: _ATTRIBUTE}),
    0x6A: (LINKS, {0x22: _ATTRIBUTE}),
}
_LOG: Shape = {0x2A: (FIELDS, _ANY), 0x32: _ATTRIBUTE}

_EXEMPLAR = (VALUES, {0x3A: _ATTRIBUTE})
_BUCKETS: Shape = {0x12: (PACKED, _LEAF)}
_NUMBERS: Shape = {0x0A: (ITEMS, {0x3A: _ATTRIBUTE, 0x2A: _EXEMPLAR})}
_HISTOGRAM: Shape = {0x0A: (ITEMS, {0x4A: _ATTRIBUTE, 0x42: _EXEMPLAR})}
_EXPONENTIAL: Shape = {
    0x0A: (
        ITEMS,
        {0x0A: _ATTRIBUTE, 0x42: (FIELDS, _BUCKETS), 0x4A: (FIELDS, _BUCKETS), 0x5A: _EXEMPLAR},
    )
}
_SUMMARY: Shape = {0x0A: (ITEMS, {0x3A: _ATTRIBUTE, 0x32: (VALUES, _LEAF)})}
_METRIC: Shape = {
    0x2A: (VALUES, _NUMBERS),
    0x3A: (VALUES, _NUMBERS),
    0x4A: (VALUES, _HISTOGRAM),
    0x52: (VALUES, _EXPONENTIAL),
    0x5A: (VALUES, _SUMMARY),
    0x62: _ATTRIBUTE,
}


def _request(item: Shape, counted: int, resource: Shape, scope: Shape) -> Shape:
    scoped: Shape = {0x0A: (FIELDS, scope), 0x12: (counted, item)}
    group: Shape = {0x0A: (FIELDS, resource), 0x12: (ENVELOPES, scoped)}
    return {0x0A: (ENVELOPES, group)}


def _closed(shape: Shape) -> Shape:
    """The same shape with attributes that are counted and not looked into."""
    return {
        tag: (count, _LEAF if inner is _KEY_VALUE or inner is _ANY else _closed(inner))
        for tag, (count, inner) in shape.items()
    }


class _Walk:
    """A walk through the counted fields of a body of one shape: compiled, or else in Python, with one outcome."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._compiled = native.counter(shape)

    def spent(self, body: bytes, budgets: list[int], least: int) -> int | None:
        """The count that passes its budget; messages of at most `least` bytes are counted and not looked into."""
        if self._compiled is not None and not native.ABSENT:
            return self._compiled.passed(body, budgets, least)
        try:
            _message(self.shape, body, 0, len(body), list(budgets), least)
        except _SpentError as spent:
            return spent.count
        return None


_WHOLE = {
    Signal.TRACES: _Walk(_request(_SPAN, ITEMS, _RESOURCE, _SCOPE)),
    Signal.LOGS: _Walk(_request(_LOG, ITEMS, _RESOURCE, _SCOPE)),
    Signal.METRICS: _Walk(_request(_METRIC, ENVELOPES, _RESOURCE, _SCOPE)),
}
_CLOSED = {signal: _Walk(_closed(walk.shape)) for signal, walk in _WHOLE.items()}
_BARE = _Walk(_request(_LEAF, ITEMS, _LEAF, _LEAF))
_ENVELOPE = {Signal.TRACES: _BARE, Signal.LOGS: _BARE}
_AROUND = (ENVELOPES, ITEMS)
_INSIDE = (ATTRIBUTES, EVENTS, LINKS, VALUES)
_NOUNS = {Signal.TRACES: "spans", Signal.LOGS: "log records", Signal.METRICS: "data points"}

#: protobuf itself gives up at 100 levels, so nothing deeper is ever built; the slack covers items parsed singly.
_DEEPEST = 110
_CHUNK = 1 << 20


def _first_bytes(shape: Shape) -> dict[int, bytes]:
    """For each count the bytes with which a field that adds to it can begin, overlong spellings of a tag included."""
    found: dict[int, set[int]] = {}
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


_FIRST_BYTES = {signal: _first_bytes(walk.shape) for signal, walk in _WHOLE.items()}
_OTHER_BYTES = {
    signal: bytes(set(range(256)) - {byte for counted in _INSIDE + _AROUND for byte in firsts.get(counted, b"")})
    for signal, firsts in _FIRST_BYTES.items()
}


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
        limits.strays,
        len(body),
    ]
    most = len(body) // 2
    if most <= min(budgets):
        return
    noun = _NOUNS[signal]
    around = [*budgets[:FIELDS], min(limits.fields, _MOST_AROUND), *budgets[STRAYS:]]
    is_long = signal in _ENVELOPE and most > _MOST_AROUND
    # What lies around the items comes first: a flood of empty spans is then refused after 20,000 of them.
    if is_long:
        _insist(_ENVELOPE[signal], body, around, noun)
    doubts = _doubts(signal, body, budgets)
    if signal in _ENVELOPE and doubts.intersection(_AROUND):
        if not is_long:
            _insist(_ENVELOPE[signal], body, around, noun)
        doubts.difference_update(_AROUND)
    if doubts.difference((VALUES,)):
        _insist(_CLOSED[signal], body, budgets, noun)
    if VALUES in doubts:
        _insist(_WHOLE[signal], body, budgets, noun)
    elif len(body) > _SKIMMED:
        # A message of so few bytes has no room for strays.
        _insist(_WHOLE[signal], body, budgets, noun, least=2 * _PLAIN_FIELDS)


def _doubts(signal: Signal, body: bytes, budgets: list[int]) -> set[int]:
    """The counts whose upper bound passes their budget."""
    first_bytes = _FIRST_BYTES[signal]
    if PACKED in first_bytes and len(body) > budgets[VALUES]:
        return {VALUES}
    candidates = b"".join(
        body[start : start + _CHUNK].translate(None, _OTHER_BYTES[signal]) for start in range(0, len(body), _CHUNK)
    )
    if len(candidates) > sum(budgets[:FIELDS]):
        # So many can't all be within their budgets; the walk stops sooner than counting them would.
        return set(_AROUND + _INSIDE)
    return {
        count
        for count in _AROUND + _INSIDE
        if len(candidates) > budgets[count] and sum(map(candidates.count, first_bytes.get(count, b""))) > budgets[count]
    }


class _SpentError(Exception):
    """One budget is used up; carries which."""

    def __init__(self, count: int) -> None:
        self.count = count


def _insist(walk: _Walk, body: bytes, budgets: list[int], noun: str, least: int = 0) -> None:
    """Refuse the body if the walk passes a budget."""
    spent = walk.spent(body, budgets, least)
    if spent is None:
        return
    inside = (
        "attributes",
        "span events",
        "span links",
        "nested values",
        "fields",
        "fields that OTLP has no use for",
    )
    names = ("resource and scope groups", noun, *inside)
    raise PayloadTooLarge(refusal(names[spent], budgets[spent]))


# One loop without calls and with positional arguments: a call for each field would double the time of a flood.
def _message(  # noqa: C901, PLR0912, PLR0917
    shape: Shape, body: bytes, pos: int, end: int, left: list[int], least: int, depth: int = 0
) -> None:
    """Count the fields of the message in body[pos:end] against the budgets `left`.

    A message that breaks the wire format is left at the break: protobuf stops there too, and names the fault.
    """
    plain = _PLAIN_FIELDS
    while pos < end:
        tag = body[pos]
        pos += 1
        if tag >= 0x80:
            tag, pos = _varint(body, pos - 1, end)
        if pos >= end:
            return
        count, inner = shape.get(tag, _UNCOUNTED)
        left[count] -= 1
        if left[count] < 0:
            raise _SpentError(count)
        if count == FIELDS:
            plain -= 1
            if plain < 0:
                left[STRAYS] -= 1
                if left[STRAYS] < 0:
                    raise _SpentError(STRAYS)
        wire = tag & 7
        if wire == 2:
            size = body[pos]
            pos += 1
            if size >= 0x80:
                size, pos = _varint(body, pos - 1, end)
            stop = pos + size
            if stop > end:
                return
            if count == PACKED:
                left[VALUES] -= size
                if left[VALUES] < 0:
                    raise _SpentError(VALUES)
            elif (
                inner and size > least and depth < _DEEPEST and (count != ATTRIBUTES or not _is_plain(body, pos, stop))
            ):
                _message(inner, body, pos, stop, left, least, depth + 1)
            pos = stop
        elif wire == 0:
            pos = pos + 1 if body[pos] < 0x80 else _varint(body, pos, end)[1]
        elif wire == 1:
            pos += 8
        elif wire == 5:
            pos += 4
        elif wire > 5:
            return


def _is_plain(body: bytes, pos: int, stop: int) -> bool:
    """Whether the KeyValue in body[pos:stop] is a short key and a short text and nothing else, as most are."""
    if stop - pos < 6:
        return False
    value = pos + 2 + body[pos + 1]
    return (
        value + 4 <= stop < value + 0x80
        and body[pos] == 0x0A
        and body[value] == 0x12
        and body[value + 2] == 0x0A
        and body[value + 1] == stop - value - 2
        and body[value + 3] == stop - value - 4
    )


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
