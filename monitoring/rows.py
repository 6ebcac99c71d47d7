"""Bulk writes in the fewest round trips: columns of values become one statement over unnest(...).

The arrays travel as PostgreSQL's own array text, written here column by column: psycopg adapts a list value by value
in Python, which costs ten times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from monitoring.native.turn import give_way
from partners.database.statements import Asked, Row, ask


def insert_rows(table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Row], tail: str) -> list[Row]:
    """Insert rows and return what `tail`, the ON CONFLICT and RETURNING part, asks for; `columns` are (name, type).

    Names, types and tail are constants of this package; only values come from outside, and they go as parameters.
    """
    asked = ask_to_insert(table, columns, rows, tail)
    return asked.rows() if asked is not None and "RETURNING" in tail else []


def ask_to_insert(table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Row], tail: str) -> Asked | None:
    """Do the same; the rows may be had later. None where there is nothing to insert."""
    if not rows:
        return None
    names = ", ".join(name for name, _ in columns)
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM {unnested(columns)} {tail}"  # noqa: S608  See above.
    return ask(statement, arrays([kind for _, kind in columns], zip(*rows, strict=True)))


def unnested(columns: Iterable[tuple[str, str]]) -> str:
    """`unnest(%s::int[], ...)` over columns of (name, type), for `arrays` to fill."""
    return f"unnest({', '.join(f'%s::{kind}[]' for _, kind in columns)})"


def arrays(kinds: Sequence[str], columns: Iterable[Iterable[Any]]) -> list[str]:
    """Each column as the text of a PostgreSQL array of its type; None is NULL."""
    return [_array(kind, column) for kind, column in zip(kinds, columns, strict=True)]


def _array(kind: str, column: Iterable[Any]) -> str:
    give_way()
    return "{" + (_numbers(column) if kind in _WHOLE else ",".join(map(_WRITERS[kind], column))) + "}"


def _numbers(column: Iterable[int | None]) -> str:
    """A list of whole numbers is written by Python at once, as PostgreSQL reads it but for the brackets."""
    return str(list(column))[1:-1].replace("None", "NULL")


def _plain(value: object) -> str:
    return "NULL" if value is None else str(value)


def _truth(value: bool | None) -> str:
    return "NULL" if value is None else "t" if value else "f"


def _instant(value: datetime | None) -> str:
    return "NULL" if value is None else value.isoformat()


def _bytes(value: bytes | None) -> str:
    return "NULL" if value is None else f'"\\\\x{value.hex()}"'


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    return _short_text(value) if len(value) < 200 else _quoted(value)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_short_text = lru_cache(maxsize=4096)(_quoted)

_WHOLE = frozenset({"smallint", "int", "bigint"})
_WRITERS: dict[str, Callable[[Any], str]] = {
    "numeric": _plain,
    "boolean": _truth,
    "timestamptz": _instant,
    "bytea": _bytes,
    **dict.fromkeys(("text", "jsonb"), _text),
}
