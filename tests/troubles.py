"""Trouble made on purpose with the database of a live console; each ends with its block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from console import roles
from console.embedded.postgres import connection
from tests import servers
from tests.live import LiveConsole


@contextmanager
def administrator() -> Iterator[psycopg.Connection[Any]]:
    """The superuser of the run's server."""
    with roles.connect(connection(servers.run_home(), "postgres", dbname="postgres")) as admin:
        yield admin


def cut_off(console: LiveConsole) -> None:
    """End every connection of the console, whatever it is doing."""
    with administrator() as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [_database(console)])


@contextmanager
def unreachable(console: LiveConsole) -> Iterator[None]:
    """The database lets nobody in and has thrown everybody out."""
    with _altered(console, "ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
        yield


@contextmanager
def read_only(console: LiveConsole) -> Iterator[None]:
    """The database takes no writes, as a replica after a failover."""
    with _altered(console, "SET default_transaction_read_only = on", "RESET default_transaction_read_only"):
        yield
    cut_off(console)


@contextmanager
def locked(console: LiveConsole) -> Iterator[None]:
    """Somebody holds the intake log: a migration, say."""
    with psycopg.connect(console.env["DATABASE_URL"]) as holder:
        holder.execute("LOCK TABLE monitoring_intake IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


@contextmanager
def _altered(console: LiveConsole, change: str, undo: str) -> Iterator[None]:
    statement = sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(_database(console)))
    with administrator() as admin:
        admin.execute(statement + sql.SQL(change))
        cut_off(console)
        try:
            yield
        finally:
            admin.execute(statement + sql.SQL(undo))


def _database(console: LiveConsole) -> str:
    return str(conninfo_to_dict(console.env["DATABASE_URL"])["dbname"])
