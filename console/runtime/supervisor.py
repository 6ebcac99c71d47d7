"""Starts the console's processes, watches them, starts anew what has ended by itself, and leaves none behind."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from console.embedded.home import PROJECT, StartError
from console.runtime import processes, readiness
from console.runtime.children import GRACE_S, Child

_WATCH_EVERY_S = 0.2
#: A process that ends so soon after it was started, so often in a row, would do so for ever: then all are stopped.
_SOON_S, _MOST_IN_A_ROW = 15.0, 4
#: Before it is started anew; twice as long each time that it ended soon.
_PAUSE_S = 0.25
#: Logs are looked at once a minute.
_TRIM_EVERY = 300
_READY_LIMIT_S = 120.0
#: The children of the web server end after GRACE_S; what is left of anything then is killed.
_STOP_LIMIT_S = GRACE_S + 2.0
#: Before the console is ready nobody is served, and a process that still loads its code hears no signal.
_EARLY_STOP_LIMIT_S = 0.5


class Stopped(BaseException):
    """SIGTERM, SIGHUP or Ctrl-C: raised wherever the main thread stands, so that every step can be left."""


@dataclass(slots=True)
class StopRequest:
    """Remembers a signal: Python swallows an exception that a handler raises inside a finalizer."""

    made: bool = False

    def check(self) -> None:
        """Raises Stopped where a signal has arrived."""
        if self.made:
            raise Stopped


@dataclass(slots=True)
class _Running:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    #: Starts it anew; it is over where nobody knows how.
    again: Callable[[], subprocess.Popen[bytes]] | None = None
    patience_s: float = 0.0
    since: float = field(default_factory=time.monotonic)
    ended_soon: int = 0

    def has_ended(self) -> int | None:
        """Its exit code, None while it runs. Counts how often in a row it ended soon."""
        code = self.process.poll()
        if code is not None:
            self.ended_soon = self.ended_soon + 1 if time.monotonic() - self.since < _SOON_S else 0
        return code

    def start_anew(self, again: Callable[[], subprocess.Popen[bytes]]) -> None:
        """Start it once more; what its process has left behind goes first."""
        processes.finish(self.process, deadline=0.0)
        time.sleep(_PAUSE_S * 2**self.ended_soon)
        self.process = again()
        self.since = time.monotonic()


class Supervisor:
    """The processes of one console. Servers that the others need are adopted; children are started here."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        request: StopRequest,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`say` is told of what was started anew."""
        self._request = request
        self._say = say
        self._grace_s = _EARLY_STOP_LIMIT_S
        self._logs = home / "logs"
        self._environment = dict(environment)
        self._children: list[_Running] = []
        self._servers: list[tuple[_Running, Callable[[], None]]] = []

    def adopt(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        log: Path,
        stop: Callable[[], None],
        again: Callable[[], subprocess.Popen[bytes]] | None = None,
    ) -> None:
        """Watches a server that runs already; `stop` is called after all children have ended, last adopted first.
        `again` starts it anew where it ends by itself."""
        self._servers.append((_Running(name, process, log, again), stop))

    def start(self, child: Child) -> None:
        """Starts a child with its output in logs/<name>.log."""
        log = self._logs / f"{child.name}.log"

        def begin() -> subprocess.Popen[bytes]:
            return processes.start(child.argv, log=log, cwd=PROJECT, env=self._environment)

        self._children.append(_Running(child.name, begin(), log, begin, child.patience_s))

    def wait_until_ready(self, port: int) -> None:
        """Returns when the console answers /readyz with 200; raises StartError when a process dies or time is up."""
        deadline = time.monotonic() + _READY_LIMIT_S
        while (status := readiness.status(port)) != 200:
            self.check()
            if time.monotonic() > deadline:
                answer = "not at all" if status is None else f"with {status}"
                raise StartError(
                    f"The console answers /readyz {answer} after {_READY_LIMIT_S:.0f} s. Its logs: {self._logs}"
                )
            time.sleep(0.05)
        self._grace_s = _STOP_LIMIT_S

    def watch(self) -> None:
        """Stays, and starts anew what ends by itself. A signal raises Stopped, what can't be kept up StartError."""
        while True:
            for running in self._all():
                processes.trim(running.log)
            for _ in range(_TRIM_EVERY):
                self._request.check()
                for running in self._all():
                    self._keep_up(running)
                time.sleep(_WATCH_EVERY_S)

    def _keep_up(self, running: _Running) -> None:
        code = running.has_ended()
        if code is None:
            return
        if running.again is None or running.ended_soon >= _MOST_IN_A_ROW:
            raise _all_stopped(running, code)
        try:
            running.start_anew(running.again)
        except StartError as fault:
            # As one that ended at once: what kept it from starting may pass, or is seen to last.
            running.since = time.monotonic()
            self._say(f"{running.name} ended with {_exit(code)} and could not be started anew yet. {fault}")
        else:
            self._say(f"{running.name} ended with {_exit(code)} and was started anew. Its log: {running.log}")

    def check(self) -> None:
        """Raises StartError that names a process which has ended, its exit code, log and last words; or Stopped."""
        self._request.check()
        for running in self._all():
            code = running.process.poll()
            if code is not None:
                raise _all_stopped(running, code)

    def _all(self) -> list[_Running]:
        # A server that dies takes its clients down: it is named first.
        return [*(server for server, _ in self._servers), *self._children]

    def stop(self) -> None:
        """Stops the children together, then the servers. Signals that arrive meanwhile change nothing."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        asked = time.monotonic()
        for running in self._children:
            processes.ask_all(running.process)
        for running in sorted(self._children, key=lambda child: child.patience_s):
            processes.finish(running.process, deadline=asked + min(running.patience_s, self._grace_s))
        for _, stop in reversed(self._servers):
            stop()
        self._children.clear()
        self._servers.clear()


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stopped_by_signals() -> Iterator[StopRequest]:
    """Turns SIGTERM, SIGHUP and Ctrl-C into Stopped while the block runs."""
    request = StopRequest()

    def stop(_number: int, _frame: FrameType | None) -> None:
        request.made = True
        raise Stopped

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require_free_port(port: int, *, name: str = "PORT", patience_s: float = 0.0) -> None:
    """Raises StartError where the console could not listen on the port, after `patience_s` at the latest."""
    deadline = time.monotonic() + patience_s
    while (reason := _refusal(port, name)) is not None:
        if time.monotonic() >= deadline:
            raise StartError(reason)
        time.sleep(0.1)


def _refusal(port: int, name: str) -> str | None:
    if not 0 < port < 65536:
        return f"{name}={port} is no port: they go from 1 to 65535."
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = port % 65535 + 1
                return f"Port {port} is taken by another program. Choose another, e.g. `make run {name}={other}`."
            return f"Port {port} can't be used ({error.strerror}). Choose another, e.g. `make run PORT=8000`."
    return None


def _all_stopped(running: _Running, code: int) -> StartError:
    lines = "".join(f"\n    {line}" for line in processes.last_lines(running.log))
    return StartError(f"{running.name} ended with {_exit(code)}; all stopped. Its log: {running.log}{lines}")


def _exit(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
