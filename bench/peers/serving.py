"""A console of somebody else's: installed into an environment of its own, started on a fresh database, fed the same."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.database import BENCH_HOME, Database
from bench.generator import Generator
from bench.system import Load, Taken
from console.runtime import processes
from tests.live import free_port

_START_LIMIT_S, _VISIBLE_LIMIT_S = 180.0, 300.0


class Unavailable(RuntimeError):
    """The peer can't be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a peer is had. In `command` and `environment`, {port}, {other_port}, {database} and {folder} are filled in.

    `count` tells by SQL how many spans can be read, `health` is a path that answers 200 once it is ready.
    """

    name: str
    packages: Sequence[str]
    program: str
    command: Sequence[str]
    health: str
    count: str
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Peer:
    """A running peer. Raises Unavailable where it can't be installed or does not start."""

    def __init__(self, recipe: Recipe, database: Database, *, connections: int) -> None:
        self.name, self._recipe, self._database, self._connections = recipe.name, recipe, database, connections
        self.database_name = recipe.name.lower()
        place = installed(recipe)
        database.fresh(self.database_name)
        folder = database.home / self.database_name
        folder.mkdir()
        self._port, self._log = free_port(), folder / "log"
        told = database.parameters(self.database_name)
        known = {
            "port": str(self._port),
            "other_port": str(free_port()),
            "folder": str(folder),
            "database": f"postgresql://{told['user']}:{told['password']}@/{told['dbname']}?host={told['host']}",
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._process = processes.start(
            [str(place / "bin" / recipe.program), *(part.format(**known) for part in recipe.command)],
            log=self._log,
            cwd=folder,
            env={**kept, **{name: value.format(**known) for name, value in recipe.environment.items()}},
        )
        self._wait()

    def pids(self) -> Mapping[str, int]:
        return {"server": self._process.pid}

    def take(self, load: Load) -> Taken:
        generator = Generator(f"127.0.0.1:{self._port}", load.file, self._recipe.headers, connections=self._connections)
        with self._database.connect(self.database_name) as connection:
            before = self._count(connection.execute(self._recipe.count).fetchone())
            generator.start()
            sent = generator.result()
            deadline = time.monotonic() + _VISIBLE_LIMIT_S
            while (seen := self._count(connection.execute(self._recipe.count).fetchone()) - before) < load.spans:
                if time.monotonic() > deadline:
                    raise SystemExit(f"Of {load.spans} spans that {self.name} acknowledged, {seen} can be read.")
                time.sleep(0.02)
            return Taken(time.monotonic() - sent.begun, sent)

    def stop(self) -> None:
        processes.stop(self._process)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
                connection.request("GET", self._recipe.health)
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        said = "\n".join(processes.last_lines(self._log, 12))
        self.stop()
        raise Unavailable(f"{self.name} did not start. It said:\n{said}")

    @staticmethod
    def _count(row: tuple[int] | None) -> int:
        assert row is not None
        return row[0]


def installed(recipe: Recipe) -> Path:
    """The environment that holds the peer; made on first use and kept. Raises Unavailable."""
    place = BENCH_HOME / "peers" / recipe.packages[0].replace("==", "-")
    if (place / "complete").exists():
        return place
    print(f"installing {', '.join(recipe.packages)} (once)", flush=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", *recipe.packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{recipe.name} could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    (place / "complete").touch()
    return place
