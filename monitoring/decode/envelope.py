"""Cuts an OTLP protobuf body at its resource and scope groups without reading the items inside.

All three signals share these field numbers, so one reader serves them; nothing is copied but resource and scope.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitoring.records import MalformedPayload

#: Fields that are looked at in all: as many as `wire_scan` lets in, so that what was accepted can be read again.
_MOST_FIELDS = 400_000
_FIRST = 1 << 3 | 2
_SECOND = 2 << 3 | 2
#: The wire type that begins a group; the one that ends it is one more.
_GROUP = 3


@dataclass(frozen=True, slots=True)
class Group:
    """The items of one scope: where each begins and ends in the body, and the messages that they share."""

    resource: bytes
    scope: bytes
    items: tuple[tuple[int, int], ...]


def groups(body: bytes) -> Iterator[Group]:
    """The body's scope groups in their order; raises MalformedPayload where the frame itself is broken."""
    budget = [_MOST_FIELDS]
    for start, end in _submessages(body, 0, len(body), budget).get(_FIRST, ()):
        envelope = _submessages(body, start, end, budget)
        resource = _joined(body, envelope.get(_FIRST, []))
        for scope_start, scope_end in envelope.get(_SECOND, ()):
            inner = _submessages(body, scope_start, scope_end, budget)
            yield Group(resource, _joined(body, inner.get(_FIRST, [])), tuple(inner.get(_SECOND, ())))


def _joined(body: bytes, places: list[tuple[int, int]]) -> bytes:
    # Protobuf merges a message that is sent twice, and merging is what parsing the joined bytes does.
    return b"".join(body[start:end] for start, end in places)


def _submessages(body: bytes, pos: int, end: int, budget: list[int]) -> dict[int, list[tuple[int, int]]]:
    """Where the length-delimited fields one and two of the message in body[pos:end] stand."""
    found: dict[int, list[tuple[int, int]]] = {}
    while pos < end:
        tag, pos = _tag(body, pos, end, budget)
        if tag < 8:
            raise MalformedPayload(f"The protobuf body has a field without a number at byte {pos}; send OTLP 1.x.")
        if tag & 7 == 2:
            size, pos = _varint(body, pos, end)
            if tag in (_FIRST, _SECOND):
                found.setdefault(tag, []).append((pos, pos + size))
            pos += size
        elif tag & 7 == _GROUP:
            pos = _past_group(body, pos, end, tag, budget)
        else:
            pos = _past(body, pos, end, tag)
    if pos > end:
        raise MalformedPayload(f"The protobuf body breaks off: a field reaches to byte {pos}, past {end}.")
    return found


def _tag(body: bytes, pos: int, end: int, budget: list[int]) -> tuple[int, int]:
    budget[0] -= 1
    if budget[0] < 0:
        raise MalformedPayload(
            f"The protobuf body is broken somewhere and holds more than {_MOST_FIELDS} fields around its items, "
            f"too many to look for it; the search ended at byte {pos}."
        )
    return _varint(body, pos, end)


def _past(body: bytes, pos: int, end: int, tag: int) -> int:
    """The place after a field that is neither a message nor a group."""
    wire = tag & 7
    if wire == 0:
        return _varint(body, pos, end)[1]
    if wire == 2:
        size, pos = _varint(body, pos, end)
        return pos + size
    if wire in (1, 5):
        return pos + (8 if wire == 1 else 4)
    raise MalformedPayload(f"The protobuf body has a field of wire type {wire} at byte {pos}; send OTLP 1.x.")


def _past_group(body: bytes, pos: int, end: int, tag: int, budget: list[int]) -> int:
    """The place after a group and the groups inside of it, whose fields need no numbers.

    OTLP has no groups, and protobuf passes over them like this.
    """
    opened = [tag + 1]
    while opened:
        inner, pos = _tag(body, pos, end, budget)
        if inner & 7 == _GROUP:
            opened.append(inner + 1)
        elif inner == opened[-1]:
            opened.pop()
        else:
            pos = _past(body, pos, end, inner)
    return pos


def _varint(body: bytes, pos: int, end: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(pos, min(end, pos + 10)):
        byte = body[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    raise MalformedPayload(f"The protobuf body has a number without an end at byte {pos}; send the body whole.")
