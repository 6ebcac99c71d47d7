"""Which databases this process talks to: the environment turned into Django's DATABASES."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from console.embedded import postgres
from console.embedded.home import StartError, home, secrets
from console.roles import APP, FLEET, OWNER, VARIABLES, Parameters

#: Django's alias for each role. Everything runs on `default`; `owner` migrates; `fleet` reads rollups over tenants.
ALIASES = {"default": APP, "owner": OWNER, "fleet": FLEET}


def databases(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Django's DATABASES. It connects to nothing: a server that is not up yet may stand in it."""
    parameters = connections(environ)
    pool = int(environ.get("ANDON_DATABASE_POOL") or 0)
    return {alias: _django(parameters[role], pool=pool) for alias, role in ALIASES.items()}


def is_embedded(environ: Mapping[str, str]) -> bool:
    """Whether the server that Andon brings along is the one in use."""
    return not environ.get(VARIABLES[OWNER], "").strip()


def connections(environ: Mapping[str, str]) -> dict[str, Parameters]:
    """How each of the three roles connects, under the role's name, in libpq's words."""
    folder = home(environ)
    if is_embedded(environ):
        return {role: postgres.connection(folder, role) for role in ALIASES.values()}
    owner = _parsed(environ, OWNER)
    return {OWNER: owner, APP: _reader(environ, APP, owner, folder), FLEET: _reader(environ, FLEET, owner, folder)}


def _reader(environ: Mapping[str, str], role: str, owner: Parameters, folder: Path) -> Parameters:
    if environ.get(VARIABLES[role], "").strip():
        return _parsed(environ, role)
    return {**owner, "user": role, "password": secrets(folder)[role]}


def _parsed(environ: Mapping[str, str], role: str) -> Parameters:
    variable = VARIABLES[role]
    try:
        found = conninfo_to_dict(environ[variable].strip())
    except psycopg.ProgrammingError:
        # libpq's own message may repeat the password.
        found = {}
    missing = [name for name in ("user", "dbname") if not found.get(name)]
    if missing:
        raise StartError(
            f"{variable} is no PostgreSQL address with a user and a database. "
            "It looks like postgresql://user:password@host:5432/database"
        )
    return {name: str(value) for name, value in found.items() if value is not None}


def _django(parameters: Parameters, *, pool: int) -> dict[str, Any]:
    """One entry of DATABASES. With a pool (web processes) Django hands connections round between its threads."""
    rest = {name: value for name, value in parameters.items() if name not in _DJANGO_NAMES}
    # The threshold lets intake prepare its statements; Django's own cursors write values into theirs and prepare none.
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "application_name": _application(),
        "prepare_threshold": 5,
        **rest,
    }
    if pool:
        # A pool that gives up soon asks anew with the next request. Left to itself it waits ever longer between tries:
        # a database that is back after a minute would be found after two.
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 3, "max_idle": 300, "reconnect_timeout": 1}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{django: parameters.get(libpq, "") for libpq, django in _DJANGO_NAMES.items()},
        # Django refuses the two together: a pool keeps connections itself.
        "CONN_MAX_AGE": 0 if pool else None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def _application() -> str:
    """What pg_stat_activity shows: `andon` and the program's name."""
    return f"andon {Path(sys.argv[0] or 'python').name}"[:63]


_DJANGO_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
