"""OTLP's AnyValue and KeyValue messages as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from monitoring.records import Value

from .values import DEEPER, MAX_DEPTH, SHORT_TEXT, clean_bytes, clean_float, clean_text


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    """The pairs as a mapping; of a key that is sent twice the last value counts."""
    found: dict[str, Value] = {}
    for pair in pairs:
        value, key = pair.value, pair.key
        if len(key) > SHORT_TEXT or "\x00" in key:
            key = clean_text(key)
        text = value.string_value
        if not text:
            found[key] = value_of(value)
        elif len(text) <= SHORT_TEXT and "\x00" not in text:
            found[key] = text
        else:
            found[key] = clean_text(text)
    return found


def value_of(value: AnyValue, depth: int = 0) -> Value:
    """The AnyValue as plain Python; None where it holds nothing that this version of OTLP knows."""
    which = value.WhichOneof("value")
    if which in _NESTED:
        return DEEPER if depth >= MAX_DEPTH else _NESTED[which](value, depth + 1)
    read = _PLAIN.get(which)
    return read(value) if read else None


def _list(value: AnyValue, depth: int) -> Value:
    return [value_of(item, depth) for item in value.array_value.values]


def _map(value: AnyValue, depth: int) -> Value:
    return {clean_text(pair.key): value_of(pair.value, depth) for pair in value.kvlist_value.values}


_NESTED: dict[str | None, Callable[[AnyValue, int], Value]] = {"array_value": _list, "kvlist_value": _map}
_PLAIN: dict[str | None, Callable[[AnyValue], Value]] = {
    "string_value": lambda value: clean_text(value.string_value),
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: clean_float(value.double_value),
    "bytes_value": lambda value: clean_bytes(value.bytes_value),
}
