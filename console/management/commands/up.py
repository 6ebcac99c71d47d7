"""`manage.py up`: everything a console needs, started in order, watched, and stopped together."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from console import databases, roles
from console.embedded.home import StartError, held, home, prepare, require_room, secrets
from console.embedded.postgres import Postgres
from console.embedded.valkey import Valkey
from console.runtime import capacity, children, static_files
from console.runtime.supervisor import Stopped, StopRequest, Supervisor, require_free_port, stopped_by_signals
from console.runtime.welcome import sign_ins, welcome
from monitoring.receive.tally import process_mark
from partners.checks import fence_faults

#: With less than this on the disk the database would stop within minutes.
_ROOM = 50_000_000
#: OTLP's own port for gRPC.
_GRPC_PORT = 4317


class Command(BaseCommand):
    """Starts database, broker, web, worker, beat and the demo, and stays until it is told to stop."""

    help = __doc__ or ""
    #: The checks run in `make check`; here they would cost a second of every start.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="without the demo tenants and the reference plant")
        parser.add_argument("--port", type=int, default=settings.PORT, help="where the console listens (PORT, 8000)")

        parser.add_argument(
            "--grpc",
            type=int,
            nargs="?",
            const=_GRPC_PORT,
            default=settings.GRPC_PORT,
            metavar="PORT",
            help=f"take OTLP over gRPC as well (ANDON_GRPC_PORT; {_GRPC_PORT} where none is named)",
        )

    def handle(self, *_: Any, no_demo: bool, port: int, grpc: int, **__: Any) -> None:
        """Runs until a signal; any other end is an error and exits with 1."""
        try:
            folder = prepare(home(os.environ))
            require_room(folder, _ROOM)
            with stopped_by_signals() as request, held(folder, f"http://127.0.0.1:{port}/") as after_a_kill:
                require_free_port(port, patience_s=8.0 if after_a_kill else 0.0)
                if grpc:
                    require_free_port(grpc, name="ANDON_GRPC_PORT", patience_s=8.0 if after_a_kill else 0.0)
                self._run(folder, port, grpc, request, demo=not no_demo)
        except Stopped:
            self._say("Andon has stopped.")
            # All is stopped and written; to take the modules of a large program down would cost half a second more,
            # and whoever asked for the stop may be counting.
            os._exit(0)
        except StartError as error:
            self.stderr.write(str(error))
            sys.exit(1)

    def _run(self, folder: Path, port: int, grpc: int, request: StopRequest, *, demo: bool) -> None:
        # All that take requests add up their counts under the name of this run.
        environment = {**os.environ, "ANDON_RUN": process_mark(os.getpid())}
        supervisor = Supervisor(folder, children.environment(environment, folder, port), request, self._say)
        steps: list[tuple[str, Callable[[], str]]] = [
            ("database", lambda: _database(supervisor, folder) + _connections(grpc)),
            ("broker", lambda: _broker(supervisor, folder)),
            ("schema", lambda: self._schema() + _fence()),
            ("static files", _static),
            *([("demo tenants", _demo)] if demo else []),
            ("console", lambda: _console(supervisor, folder, port, grpc, demo=demo)),
        ]
        try:
            for number, (name, act) in enumerate(steps, 1):
                began = time.monotonic()
                said = act()
                supervisor.check()
                self._say(f"[{number}/{len(steps)}] {name}: {said} ({time.monotonic() - began:.1f} s)")
            self._say(welcome(f"http://127.0.0.1:{port}/", sign_ins(folder) if demo else []))
            supervisor.watch()
        finally:
            supervisor.stop()

    def _schema(self) -> str:
        try:
            executor = MigrationExecutor(connections["owner"])
            pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
            if not pending:
                return "up to date"
            self._say(f"      schema: applying {pending} migrations")
            call_command("migrate", database="owner", interactive=False, verbosity=0)
        except OperationalError as error:
            raise StartError(f"The schema could not be prepared: {' '.join(str(error).split())}") from error
        finally:
            connections["owner"].close()
        return f"{pending} migrations applied"

    def _say(self, line: str) -> None:
        # A reader that has gone (`make run | head`) is no reason to stop.
        with contextlib.suppress(BrokenPipeError):
            self.stdout.write(line)
            self.stdout.flush()


def _database(supervisor: Supervisor, folder: Path) -> str:
    if not databases.is_embedded(os.environ):
        roles.ensure_external(databases.connections(os.environ))
        return "DATABASE_URL answers"
    server = Postgres(folder)
    supervisor.adopt("database", server.start(), server.log, server.stop, server.start)
    roles.ensure_embedded(server.admin(), secrets(folder))
    return "started"


def _connections(grpc: int) -> str:
    """Says so where the server allows fewer connections than the console may need."""
    short = capacity.shortage(databases.connections(os.environ)[roles.OWNER], os.environ, grpc=bool(grpc))
    return f"; {short}" if short else ""


def _broker(supervisor: Supervisor, folder: Path) -> str:
    if os.environ.get("CELERY_BROKER_URL"):
        return "CELERY_BROKER_URL is used"
    server = Valkey(folder)
    supervisor.adopt("broker", server.start(), server.log, server.stop, server.start)
    return "started"


def _fence() -> str:
    """Refuses to go on, with every reason, where the app's role could see past the fence between tenants."""
    faults = fence_faults()
    connections["default"].close()
    if faults:
        raise StartError(f"Andon does not start: {'; '.join(faults)}.")
    return ""


def _static() -> str:
    return "collected" if static_files.collect(Path(settings.STATIC_ROOT)) else "up to date"


def _demo() -> str:
    call_command("demo")
    connections.close_all()
    return "ready"


def _console(supervisor: Supervisor, folder: Path, port: int, grpc: int, *, demo: bool) -> str:
    supervisor.start(children.web(port, workers=capacity.web_workers(os.environ)))
    if grpc:
        supervisor.start(children.grpc(grpc))
    supervisor.start(children.worker())
    supervisor.start(children.beat(folder))
    supervisor.wait_until_ready(port)
    if demo:
        supervisor.start(children.plant())
    return f"started, OTLP/gRPC on port {grpc}" if grpc else "started"
