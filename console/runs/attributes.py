"""Telemetry's attributes as rows a page can show: in order, as text, long ones folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from monitoring.records import Attributes, Value

#: Longer values open folded; past the second limit the page keeps a part and says so.
FOLD_AT = 160
CUT_AT = 20_000


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One attribute. `text` is plain text for the template to escape; `cut` counts what the page leaves out."""

    name: str
    text: str
    type: str
    cut: int = 0

    @property
    def folded(self) -> bool:
        """Whether the value opens on demand."""
        return len(self.text) > FOLD_AT or self.text.count("\n") > 3

    @property
    def teaser(self) -> str:
        """What a folded value shows."""
        return " ".join(self.text[:FOLD_AT].split())


def attribute_rows(attributes: Attributes) -> tuple[AttributeRow, ...]:
    """Return the attributes by name; what is not text is written as JSON, bytes as hexadecimal."""
    return tuple(attribute_row(name, attributes[name]) for name in sorted(attributes))


def attribute_row(name: str, value: Value) -> AttributeRow:
    """Write one attribute."""
    text, kind = _written(value)
    return AttributeRow(name, text[:CUT_AT], kind, max(len(text) - CUT_AT, 0))


def _written(value: Value) -> tuple[str, str]:
    match value:
        case None:
            return "", "empty"
        case bool():
            return ("true" if value else "false"), "yes or no"
        case str():
            return value, "text"
        case int() | float():
            return str(value), "number"
        case bytes():
            return value.hex(), f"{len(value)} bytes"
        case _:
            return _json(value), "list" if isinstance(value, list) else "map"


def _json(value: Value) -> str:
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        return str(value)  # Nested too deep or with numbers past 64 bits: still shown.


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
