"""The scalar rules of OTLP/JSON: hex ids, 64-bit integers as text or number, enums as integers, AnyValue."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TypeAlias

from monitoring.records import Value

from .values import DEEPER, MAX_DEPTH, SHORT_TEXT, Poison, clean_bytes, clean_float, clean_text

JsonObject: TypeAlias = dict[str, object]

_MAX_INT64 = 2**63 - 1
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def text(parent: JsonObject, key: str) -> str:
    """The text under the key; absent and null read as empty."""
    found = parent.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Poison(f"{key} is not a string")
    return clean_text(found)


def listed(parent: JsonObject, key: str) -> list[object]:
    """The array under the key; absent and null read as empty."""
    found = parent.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Poison(f"{key} is not an array")
    return found


def identifier(parent: JsonObject, key: str) -> bytes:
    """The bytes of a hex id in either case; absent and null read as empty."""
    found = parent.get(key)
    if found is None:
        return b""
    try:
        if isinstance(found, str) and found.isalnum():
            return bytes.fromhex(found)
        if found == "":
            return b""
    except ValueError:
        pass
    raise Poison(f"{key} is not hexadecimal; OTLP/JSON writes ids in hex, not in base64")


def integer(parent: JsonObject, key: str) -> int:
    """The whole number under the key; absent and null read as 0."""
    found = parent.get(key)
    return 0 if found is None else _whole(found, key)


def enum(parent: JsonObject, key: str) -> int:
    """The number of an enum value; OTLP/JSON forbids the names."""
    found = parent.get(key)
    if found is None:
        return 0
    if isinstance(found, str):
        raise Poison(f"{key} is the text {clean_text(found, 200)!r}; OTLP/JSON writes enum values as integers")
    return _whole(found, key)


def floating(parent: JsonObject, key: str) -> float | None:
    """The number under the key, or None where it is absent or null."""
    found = parent.get(key)
    return None if found is None else _double(found, key)


def attributes(pairs: object) -> dict[str, Value]:
    """The key-value pairs as a mapping; of a key that is sent twice the last value counts."""
    if pairs is None:
        return {}
    if not isinstance(pairs, list):
        raise Poison("attributes is not an array")
    return _mapped(pairs, 0)


def value_of(found: object, depth: int = 0) -> Value:
    """The AnyValue as plain Python; None where it holds nothing that this version of OTLP knows."""
    if found is None:
        return None
    if not isinstance(found, dict):
        raise Poison("an attribute's value is not a JSON object")
    known = [(key, item) for key, item in found.items() if key in _READERS and item is not None]
    if not known:
        return None
    if len(known) > 1:
        raise Poison(f"an attribute's value is given twice, as {known[0][0]} and as {known[1][0]}")
    key, item = known[0]
    return _READERS[key](item, key, depth)


def _mapped(pairs: list[object], depth: int) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in pairs:
        if not isinstance(pair, dict):
            raise Poison("an attribute is not a JSON object")
        key, value = pair.get("key", ""), pair.get("value")
        if not isinstance(key, str):
            raise Poison("an attribute's key is not a string")
        if len(key) > SHORT_TEXT or "\x00" in key:
            key = clean_text(key)
        found[key] = value_of(value, depth)
    return found


def _whole(found: object, key: str) -> int:
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, str) and found.isascii() and found.removeprefix("-").isdigit() and len(found) <= 20:
        return int(found)
    raise Poison(f"{key} is {clean_text(str(found), 50)!r}, not a whole number of 64 bits")


def _int64(found: object, key: str, _depth: int) -> Value:
    number = _whole(found, key)
    if -_MAX_INT64 - 1 <= number <= _MAX_INT64:
        return number
    raise Poison(f"{key} is {number}, beyond 64 bits")


def _double(found: object, key: str) -> float:
    if isinstance(found, float):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if isinstance(found, str) and "_" not in found:
        try:
            return _SPECIAL[found] if found in _SPECIAL else float(found)
        except ValueError:
            pass
    raise Poison(f"{key} is {clean_text(str(found), 50)!r}, not a number")


def _text_value(found: object, key: str, _depth: int) -> Value:
    if isinstance(found, str):
        return clean_text(found)
    raise Poison(f"{key} is not a string")


def _bool_value(found: object, key: str, _depth: int) -> Value:
    if isinstance(found, bool):
        return found
    raise Poison(f"{key} is neither true nor false")


def _double_value(found: object, key: str, _depth: int) -> Value:
    return clean_float(_double(found, key))


def _bytes_value(found: object, key: str, _depth: int) -> Value:
    if isinstance(found, str):
        try:
            plain = found.encode("ascii").translate(_URL_SAFE).rstrip(b"=")
            return clean_bytes(base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True))
        except (UnicodeEncodeError, binascii.Error):
            pass
    raise Poison(f"{key} is not base64")


def _array_value(found: object, key: str, depth: int) -> Value:
    if depth >= MAX_DEPTH:
        return DEEPER
    if isinstance(found, dict):
        return [value_of(item, depth + 1) for item in listed(found, "values")]
    raise Poison(f"{key} is not a JSON object")


def _map_value(found: object, key: str, depth: int) -> Value:
    if depth >= MAX_DEPTH:
        return DEEPER
    if isinstance(found, dict):
        return _mapped(listed(found, "values"), depth + 1)
    raise Poison(f"{key} is not a JSON object")


_READERS: dict[str, Callable[[object, str, int], Value]] = {
    "stringValue": _text_value,
    "intValue": _int64,
    "boolValue": _bool_value,
    "doubleValue": _double_value,
    "bytesValue": _bytes_value,
    "arrayValue": _array_value,
    "kvlistValue": _map_value,
}
