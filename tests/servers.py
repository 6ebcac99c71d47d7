"""The servers of a test run: one PostgreSQL for the whole run, a migrated template, a copy of it for each worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from console import roles
from console.embedded.home import PROJECT, secrets
from console.embedded.postgres import Postgres, connection

TEMPLATE = "andon_template"
_HOME = "ANDON_TEST_HOME"
_ROOM = 2_000_000_000
#: Besides everything that starts with ANDON_.
_FOREIGN = ("DATABASE_URL", "CELERY_BROKER_URL", "SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT", "PORT")


class TestServers:
    """The database server of this test run, started on demand by the process that owns the run."""

    __test__ = False

    def __init__(self, home: Path, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._durable = durable
        self._settings = settings or {}
        self._postgres: Postgres | None = None

    def start(self) -> None:
        """Starts the server and migrates the template; once is enough."""
        if self._postgres is not None:
            return
        self._postgres = Postgres(self.home, durable=self._durable, settings=self._settings)
        self._postgres.start()
        roles.ensure_embedded(self._postgres.admin(), secrets(self.home), database=TEMPLATE)
        migrated = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"],
            cwd=PROJECT,
            env={**os.environ, **urls(self.home, TEMPLATE), "DJANGO_SETTINGS_MODULE": "console.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        if migrated.returncode != 0:
            pytest.exit(
                f"The migrations failed on the test database:\n{migrated.stdout}{migrated.stderr}", returncode=1
            )

    def stop(self) -> None:
        """Stops the server and removes all it made."""
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None
        shutil.rmtree(self.home, ignore_errors=True)


def environment() -> dict[str, str]:
    """What this test process sets; what a developer has set for a console of their own is taken out first."""
    for name in [name for name in os.environ if name in _FOREIGN or (name.startswith("ANDON_") and name != _HOME)]:
        del os.environ[name]
    home = os.environ.get(_HOME) or tempfile.mkdtemp(prefix="andon-test-", dir=_in_memory())
    return {_HOME: home, "ANDON_HOME": home}


def _in_memory() -> str | None:
    """A folder in memory where there is room: copying the template takes 15 ms there, 400 ms on a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - tempfile makes a folder of our own in it
    roomy = os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > _ROOM
    return str(memory) if roomy else None


def run_home() -> Path:
    """The folder of this test run, shared by its workers."""
    return Path(os.environ[_HOME])


def database_name() -> str:
    """This worker's own database."""
    return f"andon_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


def fresh_database(home: Path, name: str) -> None:
    """A new copy of the template under this name, in place of what was there."""
    with roles.connect(connection(home, "postgres", dbname="postgres")) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        roles.ensure_database(admin, name, template=TEMPLATE)


def urls(home: Path, database: str) -> dict[str, str]:
    """The variables that point a console at this database on the run's server."""
    return {
        variable: make_conninfo(**connection(home, role, dbname=database)) for role, variable in roles.VARIABLES.items()
    }
