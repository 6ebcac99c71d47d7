"""Thresholds: each detector's defaults with their units, and a tenant's own values laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar


class Thresholds(Protocol):
    """A frozen dataclass whose fields are all numbers made by `limit`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


_T = TypeVar("_T", bound=Thresholds)


def limit(default: float, unit: str) -> Any:
    """A threshold's field: its default value and the unit that people read beside it."""
    return field(default=default, metadata={"unit": unit})


def overlaid(defaults: _T, overrides: Mapping[str, float]) -> _T:
    """The defaults with the tenant's values; a name that the detector does not know, or no number, is left out."""
    known = {threshold.name for threshold in fields(defaults)}
    ours = {name: value for name, value in overrides.items() if name in known and isinstance(value, int | float)}
    return replace(defaults, **ours) if ours else defaults


def described(defaults: Thresholds) -> tuple[tuple[str, float, str], ...]:
    """Name, default and unit of each threshold, for the page that edits them."""
    return tuple(
        (threshold.name, float(getattr(defaults, threshold.name)), str(threshold.metadata["unit"]))
        for threshold in fields(defaults)
    )
