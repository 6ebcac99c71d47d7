"""Which database each alias reaches, for each environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.databases import databases, is_embedded
from console.embedded.home import StartError


def test_it_points_at_the_embedded_server_before_that_has_ever_started(tmp_path: Path) -> None:
    found = databases({"ANDON_HOME": str(tmp_path / "new")})
    assert {alias: entry["USER"] for alias, entry in found.items()} == {
        "default": "andon_app",
        "owner": "andon_owner",
        "fleet": "andon_fleet",
    }
    assert {(entry["HOST"], entry["NAME"]) for entry in found.values()} == {(str(tmp_path / "new" / "run"), "andon")}


def test_it_takes_the_passwords_out_of_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    found = databases({"ANDON_HOME": str(tmp_path)})
    file = tmp_path / "secrets.json"
    assert found["default"]["PASSWORD"] == json.loads(file.read_text())["andon_app"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert databases({"ANDON_HOME": str(tmp_path)}) == found


def test_it_keeps_connections_but_never_beside_a_pool(tmp_path: Path) -> None:
    single = databases({"ANDON_HOME": str(tmp_path)})["default"]
    pooled = databases({"ANDON_HOME": str(tmp_path), "ANDON_DATABASE_POOL": "16"})["default"]
    assert (single["CONN_MAX_AGE"], "pool" in single["OPTIONS"]) == (None, False)
    assert (pooled["CONN_MAX_AGE"], pooled["OPTIONS"]["pool"]["max_size"]) == (0, 16)


def test_it_derives_app_and_fleet_from_database_url(tmp_path: Path) -> None:
    environ = {
        "ANDON_HOME": str(tmp_path),
        "DATABASE_URL": "postgresql://boss:p%40ss@db.example:6432/plant?sslmode=require",
    }
    found = databases(environ)
    assert not is_embedded(environ)
    assert (found["owner"]["USER"], found["owner"]["PASSWORD"]) == ("boss", "p@ss")
    for alias, user in (("default", "andon_app"), ("fleet", "andon_fleet")):
        entry = found[alias]
        assert (entry["USER"], entry["HOST"], entry["PORT"], entry["NAME"]) == (user, "db.example", "6432", "plant")
        assert entry["OPTIONS"]["sslmode"] == "require"
        assert entry["PASSWORD"] == json.loads((tmp_path / "secrets.json").read_text())[user]


def test_it_needs_no_andon_home_when_all_three_are_named(tmp_path: Path) -> None:
    url = "postgresql://{}:secret@db.example/plant"
    environ = {
        "ANDON_HOME": str(tmp_path / "never"),
        "DATABASE_URL": url.format("boss"),
        "ANDON_APP_DATABASE_URL": url.format("app"),
        "ANDON_FLEET_DATABASE_URL": url.format("fleet"),
    }
    assert databases(environ)["default"]["USER"] == "app"
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("value", ["mysql://boss:secret@db/plant", "nonsense secret", "postgresql://db.example/plant"])
def test_it_says_what_an_address_looks_like_and_repeats_no_password(tmp_path: Path, value: str) -> None:
    with pytest.raises(StartError, match="DATABASE_URL is no PostgreSQL address") as told:
        databases({"ANDON_HOME": str(tmp_path), "DATABASE_URL": value})
    assert "secret" not in str(told.value)
