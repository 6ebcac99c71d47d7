"""Closed sets of words as the schema shows them."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


def choices_of(words: type[StrEnum], *, without: Collection[StrEnum] = ()) -> list[tuple[str, str]]:
    """Return an enumeration's words as a choice field's choices; the schema names the set by exactly these pairs."""
    return [(word.value, word.name) for word in words if word not in without]
