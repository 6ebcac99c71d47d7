"""Reads durations as people write them: `4 h`, `1h 30min`, `90 s`, `2 d`."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)")


def read_duration(text: str) -> int:
    """Return whole seconds; raises ValueError with what to write instead."""
    rest = text.strip().lower()
    parts = _PART.findall(rest)
    known = all(unit in _UNITS for _, unit in parts)
    if not parts or not known or _PART.sub("", rest).strip():
        raise ValueError(f"'{text}' is no duration; write one such as 90 s, 15 min, 4 h or 1 h 30 min.")
    return round(sum(float(amount.replace(",", ".")) * _UNITS[unit] for amount, unit in parts))
