"""Money at stake, as its column holds it."""

from __future__ import annotations

_MOST = 1e12


def money(value: float | None) -> float | None:
    """The amount to the cent; None beyond a million million, which is a fault of its sender."""
    cents = None if value is None else round(value, 2)
    return cents if cents is not None and abs(cents) < _MOST else None
