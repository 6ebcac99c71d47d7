"""A whole console for story tests: its own web processes, database and broker, a worker when asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from console.embedded.home import PROJECT, prepare
from console.embedded.valkey import Valkey
from console.runtime import children, processes, readiness
from tests import servers

_READY_LIMIT_S = 60.0
one_web_worker = partial(children.web, workers=1)


class LiveConsole:
    """A running console. `url` ends without a slash; `env` is the environment its commands run in."""

    def __init__(
        self,
        home: Path,
        database: str,
        *,
        web: Callable[[int], children.Child] = one_web_worker,
        server: Path | None = None,
    ) -> None:
        """`server` is the home of the database server, where it is not the run's own."""
        server = server or servers.run_home()
        self.home = prepare(home)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        servers.fresh_database(server, database)
        self.env = children.environment({**os.environ, **servers.urls(server, database)}, home, self.port)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._grpc_port = 0
        self._broker = Valkey(home)
        self._broker_process = self._broker.start()
        self._start(web(self.port))
        self._wait()

    def grpc(self) -> int:
        """Starts to take OTLP over gRPC, once, and returns its port when it listens."""
        if not self._grpc_port:
            self._grpc_port = free_port()
            self._start(children.grpc(self._grpc_port))
            deadline = time.monotonic() + _READY_LIMIT_S
            while not _listens(self._grpc_port):
                if time.monotonic() > deadline or self._running["grpc"].poll() is not None:
                    raise AssertionError(f"OTLP/gRPC under test did not get ready. It said:\n{self.log('grpc')}")
                time.sleep(0.05)
        return self._grpc_port

    def worker(self) -> None:
        """Starts the Celery worker, once."""
        self._start(children.worker())

    def beat(self) -> None:
        """Starts the worker and the clock that calls it, once."""
        self.worker()
        self._start(children.beat(self.home))

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a management command against this console; a failure is an error that shows its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done

    def pids(self) -> dict[str, int]:
        """The processes that it has started, by name; each may have children."""
        running = {name: process.pid for name, process in self._running.items()}
        return {**running, "broker": self._broker_process.pid}

    def log(self, name: str) -> str:
        """What a process of this console has said so far."""
        return "\n".join(processes.last_lines(self.home / "logs" / f"{name}.log", 200))

    def stop(self) -> None:
        """Stops all it started."""
        for process in self._running.values():
            processes.ask(process)
        for process in self._running.values():
            processes.finish(process, deadline=time.monotonic() + 6)
        self._running.clear()
        self._broker.stop()

    def _start(self, child: children.Child) -> None:
        if child.name not in self._running:
            log = self.home / "logs" / f"{child.name}.log"
            self._running[child.name] = processes.start(child.argv, log=log, cwd=PROJECT, env=self.env)

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_LIMIT_S
        while time.monotonic() < deadline and self._running["web"].poll() is None:
            if readiness.status(self.port) == 200:
                return
            time.sleep(0.05)
        said = self.log("web")
        self.stop()
        raise AssertionError(f"The console under test did not get ready. It said:\n{said}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
