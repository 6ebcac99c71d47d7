"""Plain values, made safe to store: what a database would refuse is replaced, what is endless is cut."""

from __future__ import annotations

import math
import re

from monitoring.records import Value

#: The longest text or byte string that is kept, in UTF-8 bytes; the intake log keeps the whole of it.
MAX_TEXT = 32 * 1024
#: Text of at most this many characters can't pass MAX_TEXT, whatever its characters are.
SHORT_TEXT = MAX_TEXT // 4
#: How deep lists and maps may stand inside each other; what stands deeper is replaced by DEEPER.
MAX_DEPTH = 32
CUT = "…[truncated]"
DEEPER = f"…[nested deeper than {MAX_DEPTH}]"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Poison(ValueError):
    """One item can't be taken. The message is the reason that its Rejection carries; the others go on."""


def clean_text(text: str, most: int = MAX_TEXT) -> str:
    """The text without NUL and lone surrogates (each becomes U+FFFD), cut to `most` bytes of UTF-8."""
    if len(text) <= most // 4 and not _UNSTORABLE.search(text):
        return text
    text = _UNSTORABLE.sub("\ufffd", text[: most + 1])
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[: most - len(CUT.encode())].decode(errors="ignore") + CUT


def clean_bytes(data: bytes) -> bytes:
    """The byte string cut to MAX_TEXT."""
    return data if len(data) <= MAX_TEXT else data[: MAX_TEXT - len(CUT.encode())] + CUT.encode()


def clean_float(number: float) -> float | str:
    """The number, or its JSON name (`NaN`, `Infinity`, `-Infinity`) where neither JSON nor SQL can hold it."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def clean_value(value: object, most: int = MAX_TEXT, depth: int = 0) -> Value:
    """A decoded JSON value made safe to store."""
    if isinstance(value, str):
        return clean_text(value, most)
    if value is None or isinstance(value, int | bytes):
        return value
    if isinstance(value, float):
        return clean_float(value)
    if depth >= MAX_DEPTH:
        return DEEPER
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_value(item, most, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_value(item, most, depth + 1) for item in value]
    raise TypeError(f"{type(value).__name__} is no JSON value; pass what a JSON parser returned.")
