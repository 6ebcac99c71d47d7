"""Bulk writes in the fewest round trips: lists of values become one INSERT ... SELECT FROM unnest(...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

Row = tuple[Any, ...]


def insert_rows(table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Row], tail: str) -> list[Row]:
    """Insert rows and return what `tail`, the ON CONFLICT and RETURNING part, asks for; `columns` are (name, type).

    Names, types and tail are constants of this package; only values come from outside, and they go as parameters.
    """
    if not rows:
        return []
    names = ", ".join(name for name, _ in columns)
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in columns)
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {tail}"  # noqa: S608  See above.
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(values) for values in zip(*rows, strict=True)])
        return cursor.fetchall() if cursor.description else []
