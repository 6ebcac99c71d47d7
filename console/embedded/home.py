"""ANDON_HOME: where this installation keeps its data, sockets, logs and secrets, and who may run on it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import secrets as randomness
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

PROJECT = Path(__file__).resolve().parents[2]

#: What secrets.json holds: the session key and one password for each role and for the broker.
SECRET_NAMES = ("secret_key", "postgres", "andon_owner", "andon_app", "andon_fleet", "valkey")

#: sun_path holds 108 bytes with its closing NUL; the longest name in a socket folder is `.s.PGSQL.5432.lock`.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432")


class StartError(RuntimeError):
    """One line for the person at the terminal: what is wrong, where, and what to do next."""


def home(environ: Mapping[str, str]) -> Path:
    """The folder that ANDON_HOME names, `.andon` in the project folder without it; it need not exist yet."""
    named = environ.get("ANDON_HOME", "").strip()
    return Path(named).expanduser().absolute() if named else PROJECT / ".andon"


def folder(path: Path, *, mode: int = 0o700, uid: int = -1, gid: int = -1) -> Path:
    """Makes the folder where it is missing, and gives it this mode and (-1 leaves it) owner, each time."""
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            hand_over(path)
        found = path.stat()
        if (uid not in (-1, found.st_uid)) or (gid not in (-1, found.st_gid)):
            os.chown(path, uid, gid)
        if stat.S_IMODE(found.st_mode) != mode:
            path.chmod(mode)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def prepare(path: Path) -> Path:
    """Makes ANDON_HOME with its logs folder, closed to everyone else, and returns it."""
    if not path.exists():
        folder(path)
        # Only what is inside follows ANDON_HOME's owner; a new ANDON_HOME is the starter's own.
        os.chown(path, os.geteuid(), os.getegid())
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(path, PermissionError(errno.EACCES, "it belongs to another user"))
    folder(path / "logs")
    return path


def require_room(path: Path, size: int) -> None:
    """Raises StartError where the disk that holds `path` has fewer bytes left than `size`."""
    left = shutil.disk_usage(path).free
    if left < size:
        raise StartError(
            f"The disk that holds {path} has {left // 1_000_000} MB left, {size // 1_000_000} MB are needed. "
            "Free some space, or set ANDON_HOME to a folder on another disk."
        )


def hand_over(path: Path) -> None:
    """What root makes in somebody's ANDON_HOME belongs to that person, who may start Andon without root next time."""
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid)


def secrets(path: Path) -> dict[str, str]:
    """The passwords and the session key of this installation: made once, mode 0600, completed when names are new."""
    file = path / "secrets.json"
    try:
        known = _read(file)
        if missing := [name for name in SECRET_NAMES if name not in known]:
            prepare(path)
            with _exclusive(path / "secrets.lock"):
                known = _read(file)
                known |= {name: randomness.token_urlsafe(48) for name in missing if name not in known}
                _replace(file, json.dumps(known, indent=2) + "\n")
    except OSError as error:
        raise _unusable(file, error) from error
    return known


def sockets(path: Path) -> Path:
    """The folder of the sockets, written so that it fits into a socket address from this process.

    A path that is too long is reached through a descriptor of the deepest folder that exists: nothing is put anywhere
    else, and nothing is left behind.
    """
    direct = path / "run"
    if len(os.fsencode(direct)) <= LONGEST_SOCKET_FOLDER:
        return direct
    anchor = next(parent for parent in (direct, *direct.parents) if parent.is_dir())
    short = Path(f"/proc/self/fd/{_descriptor(anchor)}") / direct.relative_to(anchor)
    if not Path("/proc/self/fd").is_dir() or len(os.fsencode(short)) > LONGEST_SOCKET_FOLDER:
        raise StartError(
            f"ANDON_HOME is too deep for a Unix socket ({len(os.fsencode(direct))} bytes, "
            f"{LONGEST_SOCKET_FOLDER} fit): {path}. Set ANDON_HOME to a shorter path."
        )
    return short


@contextlib.contextmanager
def held(path: Path, what: str) -> Iterator[bool]:
    """Holds ANDON_HOME for this process; a second one is told who runs. `what` says so, e.g. the console's address.

    Yields whether the last holder was killed, so that processes of its own may still be ending.
    """
    file = path / "running"
    try:
        handle = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
        hand_over(file)
    except OSError as error:
        raise _unusable(file, error) from error
    with handle:
        running = handle.read().strip()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"Andon already runs on {path}: {running}. "
                "Stop that one, or start this one with another ANDON_HOME and PORT."
            ) from None
        _overwrite(handle, f"{what}, process {os.getpid()}\n")
        try:
            yield bool(running)
        finally:
            _overwrite(handle, "")


@functools.cache
def _descriptor(path: Path) -> int:
    """An open descriptor of the folder for the life of this process (forks share it, a new program makes its own)."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def _read(file: Path) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StartError(
            f"{file} is damaged ({error}). Put back a copy of it; it holds the passwords of the data beside it."
        ) from error
    return content


def _replace(file: Path, text: str) -> None:
    """Writes the file in one step, readable by its owner alone; a reader sees the old text or the new one."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    hand_over(Path(name))
    Path(name).replace(file)


def _overwrite(handle: TextIO, text: str) -> None:
    handle.seek(0)
    handle.truncate()
    handle.write(text)
    handle.flush()


@contextlib.contextmanager
def _exclusive(file: Path) -> Iterator[None]:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
        hand_over(file)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _unusable(path: Path, error: OSError) -> StartError:
    if error.errno == errno.ENOSPC:
        return StartError(f"No space is left on the disk that holds {path}. Free some and start again.")
    return StartError(
        f"Andon can't use {path} ({error.strerror}). "
        "Set ANDON_HOME to a folder that this user may write, or give this one to this user."
    )
