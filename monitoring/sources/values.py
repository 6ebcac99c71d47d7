"""Plain values out of attributes that senders spell as text, numbers or lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitoring.records import Attributes, Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRUE_WORDS = frozenset({"true", "1", "yes"})
#: Above these magnitudes an epoch number can't be seconds, milliseconds or microseconds any more (year 5138).
_EPOCH_SCALES = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000))


def text(value: Value) -> str:
    """The value as stripped text; a list gives its first item (captured headers are lists), anything else ``""``."""
    if type(value) is str:
        return value.strip()
    if isinstance(value, bool) or value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").replace("\x00", "").strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return text(value[0]) if value else ""
    return str(value)


def whole(value: Value) -> int | None:
    """The value as a whole number, or None; Kafka writes counters as big-endian bytes of a fixed width."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, bytes) and len(value) in {4, 8}:
        return int.from_bytes(value, "big", signed=True)
    found = number(value)
    return int(found) if found is not None else None


def number(value: Value) -> float | None:
    """The value as a number of a size that people mean, or None: neither NaN nor infinite nor above 10^15."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value) if isinstance(value, int | float) else float(text(value))
    except (ValueError, OverflowError):
        return None
    return found if abs(found) <= 1e15 else None


def flag(value: Value) -> bool:
    """Whether the value says yes."""
    return value is True or text(value).lower() in _TRUE_WORDS


def instant(value: Value) -> datetime | None:
    """An aware UTC time from RFC 3339 text (UTC where no offset is given) or an epoch number in s, ms or µs."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        for limit, scale in _EPOCH_SCALES:
            if 0 < value < limit:
                return _EPOCH + timedelta(seconds=value / scale)
        return None
    try:
        found = datetime.fromisoformat(text(value))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment(time_ns: int) -> datetime | None:
    """The aware UTC time of OTLP nanoseconds, or None where the sender left them out."""
    if time_ns <= 0:
        return None
    # Seconds and the rest of one, because a timedelta of that many microseconds takes twice as long to make.
    return _EPOCH + timedelta(0, time_ns // 1_000_000_000, time_ns % 1_000_000_000 // 1_000)


def first_text(attributes: Attributes, names: Iterable[str]) -> str:
    """The text of the first of these attributes that says something, else ``""``."""
    for name in names:
        value = attributes.get(name)
        if type(value) is str:
            if value:
                return value.strip()
        elif value is not None:
            return text(value)
    return ""


def first(attributes: Attributes, names: Iterable[str]) -> Value:
    """The first of these attributes that says something, or None."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None
