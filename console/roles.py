"""The three database roles: made where they are missing, never more than they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from console.embedded.home import StartError

#: A connection in libpq's words: host, port, user, password, dbname, sslmode, ...
Parameters: TypeAlias = Mapping[str, str]

OWNER, APP, FLEET = "andon_owner", "andon_app", "andon_fleet"
#: Where each role's connection can be named by hand.
VARIABLES = {OWNER: "DATABASE_URL", APP: "ANDON_APP_DATABASE_URL", FLEET: "ANDON_FLEET_DATABASE_URL"}

_LIMITS = sql.SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION")


def ensure_embedded(admin: Parameters, passwords: Mapping[str, str], *, database: str = "andon") -> None:
    """On the embedded server: all three roles with these passwords, and the database that andon_owner owns.

    `admin` is the superuser's connection. Doing it again changes nothing.
    """
    with _opened(admin) as connection:
        for role in (OWNER, APP, FLEET):
            if not _exists(connection, role):
                connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), _LIMITS))
                _allow_login(connection, role, passwords[role])
            elif not logs_in({**admin, "user": role, "password": passwords[role]}):
                _allow_login(connection, role, passwords[role])
        ensure_database(connection, database)
    with connect({**admin, "dbname": database}) as connection:
        if not _granted(connection):
            name = sql.Identifier(database)
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER)))
            for statement in _grants(database):
                connection.execute(statement)


def ensure_database(connection: psycopg.Connection[Any], name: str, *, template: str | None = None) -> None:
    """The database, owned by andon_owner, copied from `template` where one is named; left alone where it exists."""
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
        return
    # Copying files beats logging every page of a template by far; only tests copy one.
    copied = sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template)) if template else sql.SQL("")
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {}{}").format(sql.Identifier(name), sql.Identifier(OWNER), copied)
    )


def ensure_external(connections: Mapping[str, Parameters]) -> None:
    """On a database of the user's own: andon_app and andon_fleet, made by the owner's connection.

    `connections` holds all three under the role names. A connection whose user has another name is made a member of
    the role, because the schema's grants and policies name the roles. Raises StartError with the SQL for an
    administrator where the owner may not do it.
    """
    try:
        with connect(connections[OWNER]) as connection:
            wanted = {
                role: parameters
                for role in (APP, FLEET)
                if not _stands(connection, role, (parameters := connections[role])["user"])
            }
            if wanted or not _granted(connection):
                _make(connection, wanted)
    except psycopg.OperationalError as error:
        raise StartError(f"DATABASE_URL: {_plain(error)}. Check its host, database, user and password.") from error
    for role in (APP, FLEET):
        if not logs_in(connections[role]):
            raise StartError(
                f"{connections[role]['user']} can't log in to {connections[role]['dbname']}. Name a connection that "
                f"works in {VARIABLES[role]}, or give the role the password that secrets.json holds for it. (It is "
                "never changed from here: another installation on the same server may be using it.)"
            )


def connect(parameters: Parameters) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that commits each statement."""
    return psycopg.connect(psycopg.conninfo.make_conninfo(**parameters), autocommit=True)


def _opened(admin: Parameters) -> psycopg.Connection[tuple[Any, ...]]:
    try:
        return connect(admin)
    except psycopg.OperationalError as error:
        raise StartError(
            f"The embedded database refuses its own password ({_plain(error)}). secrets.json and the data beside it "
            "belong together: put back the secrets.json they were made with, or set ANDON_HOME to a new folder."
        ) from error


def logs_in(parameters: Parameters) -> bool:
    """Whether the server takes this user and password."""
    try:
        connect(parameters).close()
    except psycopg.OperationalError:
        return False
    return True


def _make(connection: psycopg.Connection[Any], wanted: Mapping[str, Parameters]) -> None:
    database = connection.info.dbname
    statements = [statement for role, who in wanted.items() for statement in _role(connection, role, who["user"])]
    statements += _grants(database)
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
            for role, who in wanted.items():
                if who["user"] == role:
                    _allow_login(connection, role, who["password"])
            if not _granted(connection):
                # GRANT by somebody who may not is a warning to PostgreSQL, not an error.
                raise psycopg.errors.InsufficientPrivilege("the grants had no effect")
    except psycopg.errors.InsufficientPrivilege as error:
        logins = [
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD 'the value of {} in secrets.json'").format(
                sql.Identifier(role), sql.SQL(role)
            )
            for role, who in wanted.items()
            if who["user"] == role
        ]
        script = "".join(f"\n    {line.as_string(connection)};" for line in (*statements, *logins))
        raise StartError(
            f"{connection.info.user} may not prepare the roles of {database} ({_plain(error)}). Let an administrator "
            f"run this on {database}, then start again:{script}"
        ) from error


def _role(connection: psycopg.Connection[Any], role: str, user: str) -> Iterator[sql.Composed]:
    if not _exists(connection, role):
        yield sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), _LIMITS)
    if user != role:
        yield sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(user))


def _grants(database: str) -> list[sql.Composed]:
    """The way in. Tables are granted by the migrations that make them."""
    readers = sql.SQL(", ").join([sql.Identifier(APP), sql.Identifier(FLEET)])
    return [
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), readers),
        sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(readers),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(readers),
    ]


def _granted(connection: psycopg.Connection[Any]) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM pg_roles r WHERE r.rolname IN (%s, %s)"
        " AND has_schema_privilege(r.oid, 'public', 'USAGE') AND NOT has_schema_privilege(r.oid, 'public', 'CREATE')"
        " AND has_database_privilege(r.oid, current_database(), 'CONNECT')"
        " AND EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a"
        "             WHERE n.nspname = 'public' AND a.grantee = r.oid)",
        [APP, FLEET],
    ).fetchone()
    return found == (2,)


def _exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _stands(connection: psycopg.Connection[Any], role: str, user: str) -> bool:
    """Whether the role exists and the user is it or a member of it."""
    found = connection.execute(
        "SELECT FROM pg_roles u, pg_roles r WHERE r.rolname = %s AND u.rolname = %s"
        " AND pg_has_role(u.oid, r.oid, 'MEMBER')",
        [role, user],
    ).fetchone()
    return found is not None


def _allow_login(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Only the salted hash travels, so that no server log ever shows the password."""
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(hashed)))


def _plain(error: psycopg.Error) -> str:
    return " ".join(str(error).split()).rstrip(".")
