"""The servers of a test run: one PostgreSQL for the whole run, a migrated template, a copy of it for each worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from console import roles
from console.embedded.home import PROJECT, secrets
from console.embedded.postgres import Postgres, connection

TEMPLATE = "andon_template"
_HOME = "ANDON_TEST_HOME"
#: What a developer may have set for a console of their own never reaches a test.
_FOREIGN = ("DATABASE_URL", *roles.VARIABLES.values(), "CELERY_BROKER_URL", "ANDON_SECRET_KEY", "ANDON_SECURE", "ANDON_DATABASE_POOL", "SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT", "PORT")


class TestServers:
    """The database server of this test run, started on demand by the process that owns the run."""

    __test__ = False

    def __init__(self, home: Path) -> None:
        self.home = home
        self._postgres: Postgres | None = None

    def start(self) -> None:
        """Starts the server and migrates the template; once is enough."""
        if self._postgres is not None:
            return
        self._postgres = Postgres(self.home, durable=False)
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
            raise RuntimeError(f"The migrations failed on the test database:\n{migrated.stdout}{migrated.stderr}")

    def stop(self) -> None:
        """Stops the server and removes all it made."""
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None
        shutil.rmtree(self.home, ignore_errors=True)


def environment() -> dict[str, str]:
    """The environment of this test process; takes what a developer has set for another console out of it."""
    for name in _FOREIGN:
        os.environ.pop(name, None)
    home = os.environ.get(_HOME) or tempfile.mkdtemp(prefix="andon-test-")
    return {_HOME: home, "ANDON_HOME": home}


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
        for statement in roles.way_in(name):
            admin.execute(statement)


def urls(home: Path, database: str) -> dict[str, str]:
    """The variables that point a console at this database on the run's server."""
    return {
        variable: _url(home, role, database) for role, variable in roles.VARIABLES.items()
    }
