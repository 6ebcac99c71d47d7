"""The processes of a running console and their command lines; the server programs are libraries' own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from console.embedded.home import PROJECT
from console.runtime.capacity import POOL

#: Longer than it takes to answer a request, shorter than a person waits; open event streams are cut after it.
GRACE_S = 3
#: What a web process starts beside itself when it first meets a large body.
LARGE_BODIES = (sys.executable, str(PROJECT / "manage.py"), "large_bodies")


@dataclass(frozen=True, slots=True)
class Child:
    """A process to start: its name, which is also its log's, its command line, and how long it may take to stop.

    What `patience_s` cuts short is taken up again: tasks are acknowledged late, and the plant knows where it was.
    """

    name: str
    argv: tuple[str, ...]
    patience_s: float = 0.8


def web(port: int, *, workers: int = 2) -> Child:
    """The pages, the API and intake."""
    child = _python(
        "web",
        *("-m", "uvicorn", "console.asgi:application", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers), "--loop", "console.runtime.even_loop:EvenLoop"),
        *("--http", "console.runtime.http_protocol:HttpProtocol", "--ws", "none"),
        *("--timeout-graceful-shutdown", str(GRACE_S), "--timeout-worker-healthcheck", "30"),
        *("--no-access-log", "--no-server-header", "--log-level", "warning", "--lifespan", "on"),
        # Until Django is set up, and in the parent of the workers, uvicorn has only this to go by.
        *("--log-config", str(PROJECT / "console" / "runtime" / "uvicorn_logging.json")),
    )
    return replace(child, patience_s=GRACE_S + 2)


def grpc(port: int) -> Child:
    """OTLP over gRPC, beside the web processes."""
    child = _python("grpc", str(PROJECT / "manage.py"), "grpc", "--port", str(port))
    return replace(child, patience_s=GRACE_S + 2)


def worker() -> Child:
    """Sends notifications, settles runs, watches the clock.

    Threads, because most tasks wait for a network or the database: a third of the memory of processes, and it stops
    in half a second instead of two and a half.
    """
    child = _python(
        "worker",
        *("-m", "celery", "-A", "console", "--quiet", "worker", "--pool", "threads", "--concurrency", "4"),
        *("--prefetch-multiplier", "1", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
    )
    # Asked to stop, Celery says so in plain words on standard output, past all logging. Log lines go to standard error.
    return replace(child, argv=("/bin/sh", "-c", 'exec "$0" "$@" >/dev/null', *child.argv))


def beat(home: Path) -> Child:
    """Calls the worker to what is due."""
    return _python(
        "beat",
        *("-m", "celery", "-A", "console", "--quiet", "beat"),
        *("--schedule", str(home / "beat"), "--loglevel", "WARNING"),
        *("--max-interval", "1"),  # It hears a signal to stop only when it wakes.
    )


def plant() -> Child:
    """The reference plant of the demo tenants."""
    return _python("plant", str(PROJECT / "manage.py"), "plant")


def environment(environ: Mapping[str, str], home: Path, port: int) -> dict[str, str]:
    """What the children are told: the caller's environment, and where this console lives."""
    # Each request has a thread of its own under ASGI; without a pool it would open a connection of its own, too.
    environ = {"ANDON_DATABASE_POOL": str(POOL), **environ}
    return {**environ, "ANDON_HOME": str(home), "PORT": str(port), "DJANGO_SETTINGS_MODULE": "console.settings"}


def _python(name: str, *arguments: str) -> Child:
    return Child(name, (sys.executable, *arguments))
