"""Long lists, a page at a time: by number where the order is our own, by place in time where the list never ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

SIZE = 50
#: The furthest numbered page. Nobody leafs this far, and finding it would cost as much as reading all before it.
LAST = 200
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[_Row]):
    """Rows of one page, and what names its neighbours in the address: "" where there is none."""

    rows: tuple[_Row, ...]
    newer: str = ""
    older: str = ""
    first: int = 1

    @property
    def last(self) -> int:
        """The number of its last row."""
        return self.first + len(self.rows) - 1


def numbered_page(rows: QuerySet[_Row], asked: str, *, size: int = SIZE) -> Page[_Row]:
    """Return page 1, 2, ...; anything that is no number is the first."""
    number = min(max(int(asked), 1), LAST) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1
    start = (number - 1) * size
    found = tuple(rows[start : start + size + 1])
    return Page(
        rows=found[:size],
        newer=str(number - 1) if number > 1 else "",
        older=str(number + 1) if len(found) > size and number < LAST else "",
        first=start + 1,
    )


def newest_page(rows: QuerySet[_Row], field: str, before: str, *, size: int = SIZE) -> Page[_Row]:
    """Return the rows after a place in the order (`field` and id, both falling). New rows never move what follows."""
    place = _place(before)
    if place is not None:
        at, pk = place
        rows = rows.filter(Q(**{f"{field}__lt": at}) | Q(**{field: at, "pk__lt": pk}))
    found = tuple(rows.order_by(f"-{field}", "-pk")[: size + 1])
    return Page(
        rows=found[:size],
        newer="first" if place is not None else "",
        older=_written(found[size - 1], field) if len(found) > size else "",
    )


def _place(before: str) -> tuple[datetime, int] | None:
    text, _, pk = before.partition("~")
    try:
        at = datetime.fromisoformat(text)
        return (at, int(pk)) if at.tzinfo is not None and 0 <= int(pk) < 2**63 else None
    except ValueError:
        return None


def _written(row: Any, field: str) -> str:
    return f"{getattr(row, field).isoformat()}~{row.pk}"
