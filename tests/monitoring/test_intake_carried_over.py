"""An installation from before the partitions: what it kept stays readable, counted and known again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from console import roles
from console.embedded.home import PROJECT, secrets
from console.embedded.postgres import connection
from tests import servers

NOW = datetime.now(UTC)
_KEEP = "SELECT * FROM intake_keep(%s, %s, 'traces', 'x', '{}', %s, '', 'again', 1, 1, 0, '[]', 'tests')"
_OLD = """
INSERT INTO monitoring_intake
    (tenant_id, received_at, signal, encoding, headers, digest, compression, body, size, items, rejected, rejections,
     key_prefix)
VALUES (%s, %s, 'traces', 'application/json', '{}', %s, '', %s, 7, 2, 1, '[]', 'old') RETURNING id
"""


@pytest.fixture
def old(database_server: None) -> Iterator[str]:
    """A database as it was before the log had partitions; its name."""
    with database_before("0002_fence") as name:
        yield name


@contextmanager
def database_before(target: str) -> Iterator[str]:
    """A database that stands at this migration of monitoring; its name."""
    name = f"old_{servers.database_name()}"
    home = servers.run_home()
    admin = connection(home, "postgres", dbname="postgres")
    roles.ensure_embedded(admin, secrets(home), database=name)
    migrate(name, ["governance"], ["monitoring", target])
    yield name
    with roles.connect(admin) as server:
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(database: str, *targets: list[str]) -> None:
    """Migrate to these targets one after the other, as the owner."""
    program = "import django; django.setup(); from django.core.management import call_command as call\n"
    program += "".join(f"call('migrate', *{target}, database='owner', verbosity=0)\n" for target in targets)
    env = {**os.environ, **servers.urls(servers.run_home(), database), "DJANGO_SETTINGS_MODULE": "console.settings"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def opened(database: str, role: str, tenant: int) -> psycopg.Connection[Any]:
    """A transaction of this role in the tenant's scope."""
    made = psycopg.connect(make_conninfo(**connection(servers.run_home(), role, dbname=database)))
    made.execute("SET app.actor = 'system:tests'")
    made.execute(f"SET app.tenant_id = '{tenant}'")
    return made


def scalar(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]


def test_old_rows_keep_their_ids_and_are_read_counted_and_known_again(old: str) -> None:
    with opened(old, "andon_owner", 0) as owner:
        partner = scalar(
            owner.execute("INSERT INTO partners_partner (name, slug, created_at) VALUES ('P', 'p', now()) RETURNING id")
        )
        make_tenant = "INSERT INTO partners_tenant (partner_id, name, slug, created_at) VALUES (%s, 'T', 't', now())"
        tenant = scalar(owner.execute(f"{make_tenant} RETURNING id", [partner]))
    yesterday = NOW - timedelta(days=1)
    with opened(old, "andon_app", tenant) as app:
        ids = [
            scalar(app.execute(_OLD, [tenant, at, bytes([number]) * 32, b"payload"]))
            for number, at in enumerate([NOW - timedelta(days=9), yesterday, NOW])
        ]
    migrate(old, [])
    with opened(old, "andon_app", tenant) as app:
        found = app.execute("SELECT id, body FROM monitoring_intake WHERE id = ANY(%s) ORDER BY id", [ids]).fetchall()
        assert found == [(number, b"payload") for number in ids]
        assert scalar(app.execute("SELECT DISTINCT tableoid::regclass::text FROM monitoring_intake")) == (
            "monitoring_intake_before"
        )
        again = [app.execute(_KEEP, [tenant, NOW, bytes([number]) * 32]).fetchone() for number in range(4)]
        assert again[:3] == [(number, True) for number in ids]
        assert again[3] is not None
        assert again[3][1] is False
        newest = app.execute("SELECT tableoid::regclass::text FROM monitoring_intake ORDER BY id DESC LIMIT 1")
        assert scalar(newest) == f"monitoring_intake_{NOW:%Y%m%d}"
        counted = "SELECT day, requests, items, bytes, is_final FROM monitoring_intakeday ORDER BY day"
        days = app.execute(counted).fetchall()
        assert days == [
            ((NOW - timedelta(days=9)).date(), 1, 2, 7, True),
            (yesterday.date(), 1, 2, 7, True),
            (NOW.date(), 1, 2, 7, False),
        ]
    with opened(old, "andon_app", tenant + 1) as stranger:
        assert scalar(stranger.execute("SELECT count(*) FROM monitoring_intake")) == 0
