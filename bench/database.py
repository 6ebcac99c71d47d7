"""The one PostgreSQL server that all systems are measured on: durable, on disk, the same settings for everybody."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from console.embedded.home import PROJECT
from console.embedded.postgres import connection
from tests import servers

#: Where data and the peers' environments are kept; read before the test servers clear the environment.
BENCH_HOME = Path(os.environ.get("ANDON_BENCH_HOME") or PROJECT / ".andon-bench")

SETTINGS = {"shared_buffers": "512MB", "fsync": "on", "synchronous_commit": "on", "max_wal_size": "4GB"}
_SHOWN = (*SETTINGS, "full_page_writes", "wal_compression", "wal_level", "max_connections", "server_version")


class Database:
    """The server of one benchmark run, in a folder of its own that goes with it."""

    def __init__(self) -> None:
        BENCH_HOME.mkdir(exist_ok=True, parents=True)
        os.environ["ANDON_TEST_HOME"] = tempfile.mkdtemp(prefix="run-", dir=BENCH_HOME)
        servers.environment()
        self.home: Path = servers.run_home()
        self._servers = servers.TestServers(self.home, durable=True, settings=SETTINGS)

    def __enter__(self) -> Database:
        self._servers.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.stop()

    @property
    def pid(self) -> int:
        """The postmaster's process number."""
        return int((self.home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """A superuser's connection, which row-level security does not bind; each statement commits."""
        return psycopg.connect(**self.parameters(database), autocommit=True)

    def parameters(self, database: str) -> dict[str, Any]:
        """How the superuser connects, in libpq's words."""
        return connection(self.home, "postgres", dbname=database)

    def fresh(self, name: str) -> None:
        """Make an empty database in place of what was there."""
        with self.connect("postgres") as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def checkpoint(self) -> None:
        """Write everything down."""
        with self.connect("postgres") as admin:
            admin.execute("CHECKPOINT")

    def settings(self) -> dict[str, str]:
        """What the server says of its settings."""
        with self.connect("postgres") as admin:
            rows = admin.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [
                list(_SHOWN)
            ]).fetchall()  # fmt: skip
            return dict(rows)
