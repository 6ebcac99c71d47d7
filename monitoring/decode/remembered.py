"""What bytes on the wire mean, remembered: a plant says the same attributes over and over.

Three in four attributes of a span were met before, byte for byte (method, route, queue, host), and looking bytes up
costs a tenth of reading them. What is remembered is bounded in number and size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from monitoring.records import Attributes, StatusCode, Value

from .any_values import attributes_of, value_of
from .values import Poison, clean_text

Pair: TypeAlias = tuple[str, Value]
Meaning = TypeVar("Meaning")

UNREADABLE = "the item can't be parsed: text that is not UTF-8, nesting beyond 100 levels or a broken field"
_MOST_ENTRIES = 8192
LONGEST_REMEMBERED = 256
_KEY, _VALUE, _TEXT, _NUMBER, _TRUTH = 0x0A, 0x12, 0x0A, 0x18, 0x10
_STATUSES = tuple(StatusCode)


class _Remembered(dict[bytes, Meaning]):
    """Meanings by their bytes, in two generations: what is met again moves on, what is not is forgotten.

    Several threads write to it at once: each step is one operation on a dict, and what is lost is read again.
    """

    def __init__(self, read: Callable[[bytes], Meaning]) -> None:
        super().__init__()
        self._read = read
        self._older: dict[bytes, Meaning] = {}

    def __missing__(self, raw: bytes) -> Meaning:
        meaning = self._older.get(raw)
        if meaning is None:
            meaning = self._read(raw)
            if len(raw) > LONGEST_REMEMBERED:
                return meaning
        if len(self) >= _MOST_ENTRIES:
            self._older = dict(self)
            self.clear()
        self[raw] = meaning
        return meaning


def pair_of(raw: bytes) -> Pair:
    """What a KeyValue message says; raises Poison where it can't be parsed."""
    return _short_pair(raw) or _any_pair(raw)


def _text(raw: bytes) -> str:
    try:
        return clean_text(raw.decode())
    except UnicodeDecodeError:
        raise Poison(UNREADABLE) from None


def _status(raw: bytes) -> tuple[StatusCode, str]:
    try:
        said = Status.FromString(raw)
    except DecodeError:
        raise Poison(UNREADABLE) from None
    code = _STATUSES[said.code] if 0 < said.code < len(_STATUSES) else StatusCode.UNSET
    return code, clean_text(said.message)


_shared: dict[tuple[bytes, bytes], tuple[Attributes, str]] = {}
_MOST_SHARED = 1024
_MOST_SHARED_BYTES = 4096


def shared(resource: bytes, scope: bytes) -> tuple[Attributes | None, str]:
    """The resource's attributes and the scope's name; the attributes are None if either can't be parsed."""
    known = _shared.get((resource, scope))
    if known is not None:
        return known
    try:
        pairs = Resource.FromString(resource).attributes
        name = InstrumentationScope.FromString(scope).name
    except DecodeError:
        return None, ""
    said: tuple[Attributes, str] = attributes_of(pairs), clean_text(name)
    if len(resource) + len(scope) <= _MOST_SHARED_BYTES:
        if len(_shared) >= _MOST_SHARED:
            _shared.clear()
        _shared[resource, scope] = said
    return said


def _short_pair(raw: bytes) -> Pair | None:
    """Read the usual layout by hand: a short key, then a short text, a small number or a truth; None for others."""
    size = len(raw)
    if size < 6 or size > 127 or raw[0] != _KEY:
        return None
    after = 2 + raw[1]
    # Each length is checked against the end, so nothing else can stand in these bytes.
    if after + 4 > size or raw[after] != _VALUE or after + 2 + raw[after + 1] != size:
        return None
    kind, start = raw[after + 2], after + 3
    value: Value
    if kind == _TEXT:
        if start + 1 + raw[start] != size:
            return None
        try:
            value = raw[start + 1 :].decode()
        except UnicodeDecodeError:
            raise Poison(UNREADABLE) from None
        if "\x00" in value:
            return None
    elif kind == _NUMBER:
        value = shift = 0
        for byte in raw[start : size - 1]:
            if byte < 0x80 or shift > 42:
                return None
            value |= (byte & 0x7F) << shift
            shift += 7
        last = raw[size - 1]
        if last > 0x7F:
            return None
        value |= last << shift
    elif kind == _TRUTH and start + 1 == size and raw[start] < 2:
        value = bool(raw[start])
    else:
        return None
    name = TEXTS[raw[2:after]]
    return name, value


def _any_pair(raw: bytes) -> Pair:
    try:
        pair = KeyValue.FromString(raw)
    except DecodeError:
        raise Poison(UNREADABLE) from None
    return clean_text(pair.key), value_of(pair.value)


#: KeyValue messages, texts and status messages (code and text) by their bytes.
PAIRS = _Remembered(pair_of)
TEXTS = _Remembered(_text)
STATUSES = _Remembered(_status)
