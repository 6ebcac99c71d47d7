"""The roles on a PostgreSQL that is not ours: made where the owner may, explained where not."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from console import roles
from console.databases import connections
from console.embedded.home import StartError, secrets
from console.embedded.postgres import Postgres, connection
from console.roles import APP, FLEET, OWNER, Parameters


@pytest.fixture(scope="module")
def foreign() -> Iterator[Postgres]:
    """A server without any role of ours, standing for one that somebody else runs."""
    with tempfile.TemporaryDirectory(prefix="andon-") as name:
        server = Postgres(Path(name) / "home", durable=False)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def plant(foreign: Postgres, request: pytest.FixtureRequest) -> Iterator[dict[str, Parameters]]:
    """The three connections of a console whose DATABASE_URL names `boss`, who owns the database and may do no more."""
    rights = getattr(request, "param", "")
    with roles.connect(foreign.admin()) as admin:
        admin.execute(f"CREATE ROLE boss LOGIN PASSWORD 'boss' {rights}")
        admin.execute("CREATE DATABASE plant OWNER boss")
        host = connection(foreign.home, "postgres")["host"]
        url = f"host={host} user=boss password=boss dbname=plant"
        with tempfile.TemporaryDirectory(prefix="andon-") as home:
            yield connections({"ANDON_HOME": home, "DATABASE_URL": url})
        admin.execute("DROP DATABASE plant WITH (FORCE)")
        for role in (APP, FLEET, "boss"):
            admin.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.mark.parametrize("plant", ["CREATEROLE"], indirect=True)
def test_an_owner_who_may_make_roles_gets_both_and_a_second_time_nothing_changes(plant: dict[str, Parameters]) -> None:
    for _ in range(2):
        roles.ensure_external(plant)
    with roles.connect(plant[APP]) as app:
        found = app.execute(
            "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb,"
            " has_schema_privilege('public', 'USAGE'), has_schema_privilege('public', 'CREATE')"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert found == (False, True, False)


def test_an_owner_who_may_not_is_given_the_sql_that_an_administrator_runs(
    foreign: Postgres, plant: dict[str, Parameters]
) -> None:
    with pytest.raises(StartError, match="boss may not prepare the roles of plant") as told:
        roles.ensure_external(plant)
    script = str(told.value).partition("start again:")[2]
    for role in (APP, FLEET):
        assert plant[role]["password"] not in script
        script = script.replace(f"the value of {role} in secrets.json", plant[role]["password"])
    with roles.connect({**foreign.admin(), "dbname": "plant"}) as admin:
        admin.execute(script)
    roles.ensure_external(plant)


@pytest.mark.parametrize("plant", ["SUPERUSER"], indirect=True)
def test_a_password_that_another_installation_may_use_is_never_changed(plant: dict[str, Parameters]) -> None:
    roles.ensure_external(plant)
    other = {**plant, APP: {**plant[APP], "password": "of another installation"}}
    with pytest.raises(StartError, match=r"andon_app can't log in to plant.*ANDON_APP_DATABASE_URL"):
        roles.ensure_external(other)
    assert roles.logs_in(plant[APP])


@pytest.mark.parametrize("plant", ["SUPERUSER"], indirect=True)
def test_a_user_of_another_name_becomes_a_member_of_the_role(plant: dict[str, Parameters]) -> None:
    with roles.connect(plant[OWNER]) as boss:
        boss.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    roles.ensure_external({**plant, APP: {**plant[OWNER], "user": "reader", "password": "reader"}})
    with roles.connect(plant[OWNER]) as boss:
        assert boss.execute("SELECT pg_has_role('reader', 'andon_app', 'MEMBER')").fetchone() == (True,)
        boss.execute("DROP ROLE reader")


def test_a_server_that_is_not_there_is_named_without_the_password(plant: dict[str, Parameters]) -> None:
    gone = {**plant, OWNER: {**plant[OWNER], "host": "/nowhere", "password": "hidden"}}
    with pytest.raises(StartError, match=r"DATABASE_URL: .*/nowhere") as told:
        roles.ensure_external(gone)
    assert "hidden" not in str(told.value)


def test_passwords_do_not_reach_the_server_s_log(foreign: Postgres) -> None:
    made = secrets(foreign.home)
    roles.ensure_embedded({**foreign.admin(), "options": "-c log_statement=all"}, made, database="logged")
    written = foreign.log.read_text()
    assert re.search(r"ALTER ROLE .andon_app. LOGIN PASSWORD 'SCRAM-SHA-256", written)
    assert not [role for role in (OWNER, APP, FLEET) if made[role] in written]
    with roles.connect(foreign.admin()) as admin:
        admin.execute("DROP DATABASE logged WITH (FORCE)")
        for role in (OWNER, APP, FLEET):
            admin.execute(f"DROP ROLE {role}")
