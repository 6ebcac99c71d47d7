"""What this machine is given to do: web workers by its cores, and the database connections that all of it may open."""

from __future__ import annotations

import os
from collections.abc import Mapping

import psycopg

from console.roles import Parameters, connect

#: With more the database is the limit, not Python.
_MOST_WORKERS = 8
#: Intake asks whose a key is, writes down outcomes and works on large bodies over one connection each; a page's news
#: come over another.
_BESIDES = 4
#: The Celery worker's threads and main thread, beat, the plant, and somebody with psql.
_OTHERS = 8
POOL = 12


def web_workers(environ: Mapping[str, str]) -> int:
    """ANDON_WEB_WORKERS, or one for each core that this process may use, eight at the most."""
    return int(environ.get("ANDON_WEB_WORKERS") or min(_MOST_WORKERS, len(os.sched_getaffinity(0))))


def connections_needed(environ: Mapping[str, str], *, grpc: bool) -> int:
    """How many connections all processes of this console may hold at once: one for each thread of intake, a pool for
    the pages, and few besides, in every web worker; the same without pages where OTLP/gRPC is taken."""
    threads = int(environ.get("ANDON_INTAKE_THREADS") or 4)
    pool = int(environ.get("ANDON_DATABASE_POOL") or POOL)
    takes_grpc = threads + _BESIDES if grpc else 0
    return web_workers(environ) * (threads + pool + _BESIDES) + takes_grpc + _OTHERS


def shortage(server: Parameters, environ: Mapping[str, str], *, grpc: bool) -> str:
    """What to do about it where the server allows fewer connections than may be needed; else nothing."""
    try:
        with connect(server) as connection:
            row = connection.execute(
                "SELECT current_setting('max_connections')::int"
                " - current_setting('superuser_reserved_connections')::int"
            ).fetchone()
    except psycopg.Error:
        return ""
    needed = connections_needed(environ, grpc=grpc)
    if row is None or row[0] >= needed:
        return ""
    return (
        f"may open {needed} connections where the server allows {row[0]}: under load some requests are asked to come "
        "back. Raise max_connections, or lower ANDON_WEB_WORKERS or ANDON_DATABASE_POOL"
    )
