"""Bulk writes in the fewest round trips: columns of values become one statement over unnest(...).

The arrays travel as PostgreSQL's own array text, written here column by column: psycopg adapts a list value by value
in Python, which costs ten times as much. Statements are prepared once for each connection, so that the server parses
and plans them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection

from monitoring.native.turn import give_way

Row = tuple[Any, ...]


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


@contextmanager
def at_once() -> Iterator[None]:
    """Send the statements of this block without waiting for one before the next goes out; it ends when all are done.

    Each wait costs two changes of process, and on a busy machine each of them waits for a processor. Within the block
    statements are told or asked, and what was asked can be had afterwards. The first that fails ends it with its error.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class Asked:
    """What a statement answers."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: psycopg.Cursor[Row]) -> None:
        self._cursor = cursor

    def rows(self) -> list[Row]:
        """All rows; of a statement of an `at_once` block, once that has ended."""
        return self._cursor.fetchall()


def ask(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> Asked:
    """Execute a statement that stays the same from call to call, prepared, whose rows are wanted later."""
    connection.ensure_connection()
    raw = connection.connection
    # Django turns preparing off, because its own cursors write values into the statement.
    raw.prepare_threshold = 0
    with connection.wrap_database_errors:
        return Asked(psycopg.Cursor(raw).execute(statement, parameters))


def tell(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> None:
    """Execute such a statement and ask for nothing."""
    ask(statement, parameters)


def execute(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Row]:
    """Execute such a statement and return its rows."""
    return ask(statement, parameters).rows()


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
