"""Reads what an address asks for. What makes no sense asks for nothing: a page never fails over its own filters."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils.http import urlencode

_LARGEST_ID = 2**63 - 1

#: Short names of time ranges, as they stand in addresses.
RANGES: dict[str, tuple[str, timedelta]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter."""

    value: str
    label: str


def one_of(query: QueryDict, name: str, known: Container[str], default: str = "") -> str:
    """Return a parameter if it is one of the known values."""
    value = query.get(name, "")
    return value if value in known else default


def number(query: QueryDict, name: str) -> int | None:
    """Return a parameter as an id, or None."""
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    return value if (value := int(text)) <= _LARGEST_ID else None


def text(query: QueryDict, name: str, longest: int = 300) -> str:
    """Return a parameter as one line of text; the database takes no null character."""
    return query.get(name, "").replace("\x00", "").strip()[:longest]


def since(query: QueryDict, now: datetime) -> datetime | None:
    """Return where the asked time range begins, or None for any time."""
    known = RANGES.get(query.get("range", ""))
    return now - known[1] if known else None


def address(parameters: Mapping[str, str | int | None]) -> str:
    """Write a query string without what is empty: `?status=firing`, or nothing."""
    filled = {name: value for name, value in parameters.items() if value is not None and value != ""}
    return f"?{urlencode(filled)}" if filled else ""


def exact(parameters: Mapping[str, str | int | None]) -> str:
    """Write a query string that keeps empty text, where being empty says something; None alone is left out."""
    return f"?{urlencode({name: value for name, value in parameters.items() if value is not None})}"
