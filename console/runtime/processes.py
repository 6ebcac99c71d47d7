"""Child processes that end with their parent: start one with its output in a log, stop it with all it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from console.embedded import privileges
from console.embedded.account import Account
from console.embedded.home import StartError, hand_over

Process: TypeAlias = "subprocess.Popen[bytes]"

_LOG_LIMIT = 8_000_000
_PREDECESSOR_LIMIT_S = 20.0


def start(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    account: Account | None = None,
    capability: int = privileges.NO_CAPABILITY,
    last_signal: signal.Signals = signal.SIGTERM,
) -> Process:
    """Starts the program in a process group of its own, output appended to the log; `last_signal` if we die first."""
    account = account or Account()
    command = privileges.wrap(
        list(argv), uid=account.uid, gid=account.gid, capability=capability, last_signal=last_signal
    )
    descriptor = _open_log(log)
    try:
        return subprocess.Popen(  # noqa: S603 - the callers' own programs
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    finally:
        os.close(descriptor)


def stop(process: Process, *, polite: signal.Signals = signal.SIGTERM, timeout_s: float = 5.0) -> int:
    """Asks the process to stop and waits; what is left of its group after that is killed. Returns its exit code."""
    ask(process, polite)
    return finish(process, deadline=time.monotonic() + timeout_s)


def ask(process: Process, polite: signal.Signals = signal.SIGTERM) -> None:
    """Sends the signal to the process itself: it knows best how to stop its own children."""
    if process.poll() is None:
        process.send_signal(polite)


def ask_all(process: Process) -> None:
    """Asks the process and its own children at once: a web server's parent looks up only twice a second."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def finish(process: Process, *, deadline: float) -> int:
    """Waits until `deadline` (monotonic clock), then kills what is left of the process group. Returns the exit code."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _wait_for_group(process.pid)
    return process.wait()


def wait_for_predecessor(pid_file: Path, folder: Path) -> None:
    """After a kill -9: waits for the server named in `pid_file` that still shuts down over `folder`.

    Other programs may have been given its number since, so only a process that stands in the folder counts.
    """
    deadline = time.monotonic() + _PREDECESSOR_LIMIT_S
    while (pid := _standing_in(folder, pid_file)) is not None:
        if time.monotonic() > deadline:
            raise StartError(f"Process {pid} still works on {folder} and does not stop. End it, then start again.")
        time.sleep(0.05)


def wait_for_kin(name: str, folder: Path) -> None:
    """After a kill -9: waits for what the server has left, processes of this name that stand in its folder. They go by
    themselves; a loaded machine gives them no time to. Whoever is left after a while is somebody else's to explain."""
    deadline = time.monotonic() + _PREDECESSOR_LIMIT_S
    while time.monotonic() < deadline and any(
        _is_kin(process, name, folder) for process in Path("/proc").glob("[0-9]*")
    ):
        time.sleep(0.05)


def _is_kin(process: Path, name: str, folder: Path) -> bool:
    try:
        is_named = (process / "comm").read_text(encoding="utf-8", errors="replace").strip() == name
        return is_named and (process / "cwd").samefile(folder)
    except OSError:
        return False


def last_lines(log: Path, count: int = 6) -> list[str]:
    """The end of a log, for the message about the process that wrote it; nothing where there is no log."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 16_000))
            text = handle.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]


def _wait_for_group(group: int) -> None:
    """Until the kernel has taken the killed group down. Orphans that nobody reaps are dead all the same."""
    for _ in range(100):
        if not _group_lives(group):
            return
        time.sleep(0.01)


def _group_lives(group: int) -> bool:
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The program's name stands in brackets and may hold anything; state, parent and group follow it.
            state, _, found = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if int(found) == group and state not in "ZX":
                return True
    return False


def _standing_in(folder: Path, pid_file: Path) -> int | None:
    try:
        pid = int(pid_file.read_text(encoding="ascii").split("\n", 1)[0])
        standing = Path(f"/proc/{pid}/cwd").samefile(folder)
    except (OSError, ValueError):
        return None
    return pid if standing else None


def trim(log: Path) -> None:
    """Moves a log that has grown large into <name>.1.log. Its writers append, so they go on at its new beginning."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT:
            shutil.copy2(log, log.with_suffix(".1.log"))
            os.truncate(log, 0)


def _open_log(log: Path) -> int:
    """Opens for appending, readable by its owner only."""
    trim(log)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    hand_over(log)
    return descriptor
