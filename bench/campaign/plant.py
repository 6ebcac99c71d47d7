"""The console under test: its database on disk, broker, web, worker and beat, each of which can be killed and started
again as a supervisor would."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import psycopg

from console import roles
from console.embedded import postgres
from console.embedded.home import PROJECT, StartError, prepare, secrets
from console.embedded.postgres import Postgres
from console.embedded.valkey import Valkey
from console.runtime import children, processes, readiness
from tests.live import free_port

_READY_S = 180.0
#: As long as the database may take to come back from a crash.
_RECOVERY_S = 60.0
_ENTRY = "bench.campaign.entry:application"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the campaign and its secrets."""

    id: int
    name: str
    key: str
    token: str


class Plant:
    """Everything that runs. Start and kill from one thread that lives to the end: the children die with it."""

    def __init__(self, home: Path, *, control: str = "") -> None:
        self.home = prepare(home)
        self.control = control
        self.port = free_port()
        self.database = Postgres(home)
        self.broker = Valkey(home)
        self.deaths: list[str] = []  # processes that ended without the nemesis, with their last words
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._failpoints: dict[str, str] = {}
        # Nothing of a developer's own console reaches this one.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ANDON_", "DATABASE_URL"))}
        allowed = {"ANDON_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8", "ANDON_CAMPAIGN_CONTROL": control}
        self.env = children.environment({**own, **allowed}, home, self.port)

    def start(self) -> None:
        """Start everything, migrated and ready."""
        self.start_database()
        roles.ensure_embedded(self.database.admin(), secrets(self.home))
        self.manage("migrate", "--database", "owner", "--verbosity", "0")
        self.start_broker()
        for name in ("web", "worker", "beat"):
            self.start_child(name)
        self.wait_ready()

    def stop(self) -> None:
        """Stop everything and remove all it made."""
        for process in self._running.values():
            processes.ask(process)
        for process in self._running.values():
            processes.finish(process, deadline=time.monotonic() + 6)
        self.broker.stop()
        self.database.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def tenants(self, names: list[str]) -> list[Tenant]:
        """Make the tenants, each with an ingest key and a token that reads everything of it."""
        made = []
        for name in names:
            told = json.loads(self.manage("provision", "--partner", "Campaign", "--tenant", name, "--json"))
            found = self.rows("SELECT id FROM partners_tenant WHERE name = %s", [name])
            made.append(Tenant(found[0][0], name, told["ingest_key"], told["api_token"]))
        return made

    def rows(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser, whom row-level security does not bind."""
        parameters = postgres.connection(self.home, postgres.ADMIN)
        deadline = time.monotonic() + _RECOVERY_S
        while True:
            try:
                with roles.connect(parameters) as connection:
                    cursor = connection.execute(statement, values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                # A backend was killed a moment ago, and all others with it.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def start_child(self, name: str, failpoint: str = "", more: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start web, worker or beat, with a fail point armed where one is named, and with more in its environment."""
        made = {"web": lambda: children.web(self.port), "worker": children.worker, "beat": self._beat}
        child: children.Child = made[name]()
        env = {**self.env, **more, **({"ANDON_FAILPOINT": failpoint} if failpoint else {})}
        argv = child.argv
        if self.control:
            argv = tuple(_ENTRY if part == "console.asgi:application" else part for part in argv)
        self._failpoints[name] = failpoint
        log = self.home / "logs" / f"{name}.log"
        self._running[name] = processes.start(argv, log=log, cwd=PROJECT, env=env)

    def _beat(self) -> children.Child:
        return children.beat(self.home)

    def start_database(self) -> None:
        """Start PostgreSQL; after a kill it recovers first."""
        self._servers["database"] = self.database.start()

    def start_broker(self) -> None:
        """Start Valkey."""
        self._servers["broker"] = self.broker.start()

    def kill(self, name: str) -> None:
        """kill -9 for a child with everything in its process group, or for a server."""
        process = self._running[name] if name in self._running else self._servers[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def signal_database(self, number: signal.Signals) -> None:
        """Signal PostgreSQL and all its backends: SIGSTOP, SIGCONT."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._servers["database"].pid, number)

    def read_only(self, *, is_on: bool) -> None:
        """Let every new transaction be read-only, as on a server that has just become a standby; or no longer."""
        self.rows(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_on else 'off'}")
        self.rows("SELECT pg_reload_conf()")

    def web_workers(self) -> list[psutil.Process]:
        """The processes that serve requests."""
        return _children(self._running["web"].pid, "spawn_main")

    def backends(self) -> list[psutil.Process]:
        """The database's processes that work for the console."""
        return _children(self._servers["database"].pid, "andon_app")

    def revive(self) -> list[str]:
        """Start what has ended by itself, as a supervisor does; return its names."""
        for name, start in (("database", self.start_database), ("broker", self.start_broker)):
            if self._servers[name].poll() is not None:
                # Where it can't start yet, a later call finds it ended again.
                with contextlib.suppress(StartError):
                    start()
        ended = [name for name, process in self._running.items() if process.poll() is not None]
        for name in ended:
            code = processes.finish(self._running[name], deadline=time.monotonic())
            self.deaths.append(f"{name} ended with {code}: {' | '.join(self.said(name)[-3:])}")
            self.start_child(name, self._failpoints[name])
        return ended

    def has_ended(self, name: str) -> bool:
        """Whether a child is gone."""
        return self._running[name].poll() is not None

    def wait_ready(self) -> None:
        """Return once /readyz answers 200."""
        deadline, died_before = time.monotonic() + _READY_S, len(self.deaths)
        while readiness.status(self.port) != 200:
            self.revive()
            # One that dies again and again is not slow but broken.
            if time.monotonic() > deadline or len(self.deaths) > died_before + 5:
                raise RuntimeError("The console did not get ready:\n" + "\n".join(self.said("web")))
            time.sleep(0.05)

    def said(self, name: str) -> list[str]:
        """The end of a log."""
        return processes.last_lines(self.home / "logs" / f"{name}.log", 20)

    def count_said(self, name: str, word: str) -> int:
        """How many lines of a log hold the word."""
        with contextlib.suppress(FileNotFoundError), (self.home / "logs" / f"{name}.log").open("rb") as log:
            return sum(word.encode() in line for line in log)
        return 0


def _children(pid: int, word: str) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if word in " ".join(child.cmdline()):
                    found.append(child)
    return found
