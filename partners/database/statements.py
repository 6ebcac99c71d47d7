"""Statements that travel together: what waits goes to the database in one piece, once an answer of it is needed.

Each wait for the database costs two changes of process, and on a busy machine each of them waits for a processor. So
within a scope (`partners/scope.py`) a statement is only noted down. It goes out with all that were noted before it when
somebody looks at an answer, when Django's own cursor has something to say, or with the COMMIT. Outside of a scope it
goes out at once.

What is said here stays the same from call to call but for its values: it is parsed and planned once for each
connection. Values travel as PostgreSQL's own text, so a statement says their types where they do not follow from it.
psycopg's own pipeline does the same at three times the cost for Python, most of a short request's.
"""

from __future__ import annotations

import itertools
import re
import select
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, DataError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq.abc import PGconn, PGresult

from partners.faults import TRANSIENT_CLASSES

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Sequence[Any] | Mapping[str, Any]

_IDLE = pq.TransactionStatus.IDLE
_FINE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_COMMIT = b"COMMIT"
_ABORTED, _SYNC = pq.ExecStatus.PIPELINE_ABORTED, pq.ExecStatus.PIPELINE_SYNC


class Asked:
    """What a statement answers."""

    __slots__ = ("_alias", "_rows", "query", "values")

    def __init__(self, query: _Query, values: tuple[bytes | None, ...], alias: str) -> None:
        self.query, self.values = query, values
        self._alias = alias
        self._rows: list[Row] | None = None

    def rows(self) -> list[Row]:
        """All rows; a statement that waits goes out now. Raises what Django raises for the first that fails."""
        if self._rows is None:
            send_waiting(self._alias)
        if self._rows is None:
            raise RuntimeError("This statement was given up, together with its transaction.")
        return self._rows

    def answer(self, rows: list[Row]) -> None:
        """Note what the database said."""
        self._rows = rows


class _Here(threading.local):
    """What waits in this thread, by connection; a connection that nobody gathers for is not there. And who is told when
    the thread begins to wait for the database, and when it has stopped."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Asked]] = {}
        self.told: tuple[Callable[[], None], Callable[[], None]] | None = None


_here = _Here()


def ask(statement: str, values: Values = (), using: str = DEFAULT_DB_ALIAS) -> Asked:
    """Note a statement down whose rows may be wanted later. `%s` and `%(name)s` stand for values.

    Texts, numbers, truths, instants, spans of time, bytes and None may be values, nothing else.
    """
    query = _query(statement)
    given = values if query.names is None else [values[name] for name in query.names]  # type: ignore[call-overload]
    asked = Asked(query, tuple([_written(value) for value in given]), using)
    _note(asked, using)
    return asked


def tell(statement: str, values: Values = (), using: str = DEFAULT_DB_ALIAS) -> None:
    """Note a statement down of which nothing is asked. It fails where its answer would have been looked at."""
    ask(statement, values, using)


def execute(statement: str, values: Values = (), using: str = DEFAULT_DB_ALIAS) -> list[Row]:
    """Execute a statement, and what waits before it, and return its rows."""
    return ask(statement, values, using).rows()


def tell_once(statement: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Note down a statement without values that is not worth remembering."""
    _note(Asked(_Query(statement.encode(), None, is_kept=False), (), using), using)


def _note(asked: Asked, using: str) -> None:
    waiting = _here.waiting.get(using)
    if waiting is None:
        _exchange(connections[using], [asked])
    else:
        waiting.append(asked)


@contextmanager
def gathering(using: str, *, commit: bool) -> Iterator[None]:
    """Let the statements of this block wait for each other. The outermost one sends what still waits at its end, and
    with `commit` ends the transaction along with that: Django then finds none to commit. What an error leaves waiting
    is given up."""
    is_outermost = using not in _here.waiting
    waiting = _here.waiting.setdefault(using, [])
    connection = connections[using]
    try:
        if is_outermost:
            with connection.execute_wrapper(_sent_before):
                yield
            if not connection.needs_rollback:
                send_waiting(using, commit=commit)
        else:
            yield
    except BaseException:
        waiting.clear()
        raise
    finally:
        if is_outermost:
            del _here.waiting[using]


@contextmanager
def waits_are_told(began: Callable[[], None], ended: Callable[[], None]) -> Iterator[None]:
    """Call these whenever this thread begins to wait for answers within the block, and when it has them."""
    _here.told = began, ended
    try:
        yield
    finally:
        _here.told = None


def send_waiting(using: str = DEFAULT_DB_ALIAS, *, commit: bool = False) -> None:
    """Send what waits, and with `commit` the end of the transaction; where nothing waits, nothing is sent."""
    waiting = _here.waiting.get(using)
    if waiting:
        going = waiting.copy()
        waiting.clear()
        _exchange(connections[using], going, commit=commit)


def _sent_before(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Keep the order of what is said here and by Django's cursors."""
    alias = context["connection"].alias
    if isinstance(sql, str) and sql.startswith("ROLLBACK"):
        _here.waiting[alias].clear()
    else:
        send_waiting(alias)
    return execute(sql, params, many, context)


class _Query:
    """A statement as the server takes it. `names` are those of its values, in their order, where they have names;
    `is_kept` says whether the connection remembers it."""

    __slots__ = ("is_kept", "names", "text")

    def __init__(self, text: bytes, names: tuple[str, ...] | None, *, is_kept: bool = True) -> None:
        self.text, self.names, self.is_kept = text, names, is_kept


_PLACE = re.compile(r"%(?:\((\w+)\))?([sb%])")


@lru_cache(maxsize=1000)
def _query(statement: str) -> _Query:
    numbers: dict[str, int] = {}
    count = 0

    def numbered(found: re.Match[str]) -> str:
        nonlocal count
        if found[2] == "%":
            return "%"
        if found[1]:
            return f"${numbers.setdefault(found[1], len(numbers) + 1)}"
        count += 1
        return f"${count}"

    text = _PLACE.sub(numbered, statement)
    return _Query(text.encode(), tuple(numbers) or None)


def _written(value: Any) -> bytes | None:
    """A value as PostgreSQL reads it; bytes as they are."""
    if value is None:
        return None
    writer = _WRITERS.get(type(value))
    if writer is None:
        writer = next((writer for kind, writer in _WRITERS.items() if isinstance(value, kind)), None)
    if writer is None:
        raise TypeError(f"A value of a statement may not be {type(value).__name__}.")
    return writer(value)


def _text(value: str) -> bytes:
    if "\0" in value:
        # Handed on, it would be cut off there and mean something else.
        raise DataError("PostgreSQL text can't hold a NUL character.")
    return value.encode()


def _span(value: timedelta) -> bytes:
    return b"%d days %d seconds %d microseconds" % (value.days, value.seconds, value.microseconds)


class _Bytes(bytes):
    """Tells what is bytes from what is text."""

    __slots__ = ()


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    float: lambda value: repr(value).encode(),
    Decimal: lambda value: str(value).encode(),
    datetime: lambda value: value.isoformat().encode(),
    timedelta: _span,
    bytes: _Bytes,
}


class _Known:
    """What one connection has parsed: names by text. It is stale where a failure may come from what is remembered, and
    once four times as much was sent as when the plans were made."""

    __slots__ = ("is_stale", "names", "planned_at", "sent")

    def __init__(self) -> None:
        self.names: dict[bytes, bytes] = {}
        self.is_stale = False
        self.sent = self.planned_at = 0

    def count(self, size: int) -> None:
        """Note that so many bytes of values were sent."""
        self.sent += size
        self.is_stale |= self.sent > max(_FIRST_PLANS, self.planned_at * _GROWN)

    def renew(self) -> None:
        """Begin again with nothing parsed."""
        self.names.clear()
        self.is_stale, self.planned_at = False, self.sent


#: A plan serves its connection for good. Made while a table is small, it may read all of it where it should look up a
#: row; how large a table is by now every new plan knows. What was sent tells how much larger it may have become.
_FIRST_PLANS, _GROWN = 65_536, 4
_known: WeakKeyDictionary[psycopg.Connection[Any], _Known] = WeakKeyDictionary()
_numbers = itertools.count()


def _exchange(connection: BaseDatabaseWrapper, going: Sequence[Asked], *, commit: bool = False) -> None:
    """Send these statements in one piece and note their answers; raise the first failure, after which none was done."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    with connection.wrap_database_errors, raw.lock:
        try:
            failure = _sent_and_heard(raw, going, commit=commit)
        except BaseException:
            # What was asked and not heard would be taken for the answer to what is asked next.
            raw.close()
            raise
        if failure is not None:
            raise failure


def _sent_and_heard(raw: psycopg.Connection[Any], going: Sequence[Asked], *, commit: bool) -> Exception | None:
    server, known = raw.pgconn, _known.get(raw) or _known.setdefault(raw, _Known())
    server.enter_pipeline_mode()
    #: What each answer to come is for: a statement, or a text that is sent beside them.
    coming: list[Asked | bytes] = []
    if server.transaction_status == _IDLE and not raw.autocommit:
        # First of all: what a piece says before it begins is a transaction of its own, which ends with the piece.
        _send_plain(server, b"BEGIN", coming)
    if known.is_stale:
        known.renew()
        _send_plain(server, b"DEALLOCATE ALL", coming)
    made: dict[bytes, bytes] = {}
    for asked in going:
        text = asked.query.text
        if not asked.query.is_kept:
            _send_plain(server, text, coming)
            continue
        name = known.names.get(text) or made.get(text)
        if name is None:
            name = made[text] = b"andon_%d" % next(_numbers)
            server.send_prepare(name, text)
            coming.append(text)
        server.send_query_prepared(name, asked.values, [type(value) is _Bytes for value in asked.values])
        coming.append(asked)
        known.count(sum([len(value) for value in asked.values if value]))
    if commit:
        _send_plain(server, _COMMIT, coming)
    server.pipeline_sync()
    began, ended = _here.told or (None, None)
    if began:
        began()
    try:
        failure = _heard(raw, coming, known, made)
    finally:
        if ended:
            ended()
    server.exit_pipeline_mode()
    return failure


def _send_plain(server: PGconn, text: bytes, coming: list[Asked | bytes]) -> None:
    server.send_query_params(text, None)
    coming.append(text)


def _heard(
    raw: psycopg.Connection[Any], coming: Sequence[Asked | bytes], known: _Known, made: Mapping[bytes, bytes]
) -> Exception | None:
    """Note the answers; return the first failure, after which nothing was done."""
    server, transformer = raw.pgconn, Transformer(raw)
    line = _flushed(server)
    failure: psycopg.Error | None = None
    for what in coming:
        result = _next(server, line)
        if result is not None:
            _next(server, line)
        if result is None or result.status not in _FINE:
            if result is not None and result.status != _ABORTED:
                failure = failure or error_from_result(result, raw.info.encoding)
        elif isinstance(what, Asked):
            transformer.set_pgresult(result)
            what.answer(transformer.load_rows(0, result.ntuples, tuple) if result.ntuples else [])
        elif what in made:
            known.names[what] = made[what]
        elif what is _COMMIT and result.command_status != _COMMIT:
            failure = psycopg.errors.InFailedSqlTransaction("An earlier statement had failed: nothing was committed.")
    end = _next(server, line)
    if end is None or end.status != _SYNC:
        raise failure or psycopg.OperationalError("The connection to the database was lost.")
    if failure is not None and not (failure.sqlstate or "").startswith(TRANSIENT_CLASSES):
        known.is_stale = True
    return failure


def _flushed(server: PGconn) -> select.poll:
    """Hand everything over. Meanwhile the server may already answer, and waits until that is read."""
    line = select.poll()
    line.register(server.socket, select.POLLIN | select.POLLOUT)
    while server.flush():
        for _, what in line.poll():
            if what & ~select.POLLOUT:
                server.consume_input()
    line.modify(server.socket, select.POLLIN)
    return line


def _next(server: PGconn, line: select.poll) -> PGresult | None:
    while server.is_busy():
        line.poll()
        server.consume_input()
    return server.get_result()
