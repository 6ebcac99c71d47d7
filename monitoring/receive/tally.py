"""Counts what became of every request in a file that outlives its process.

Each web worker keeps its counts in metrics/<run>/<worker>.<name>.counts, mapped into its memory: what it has counted is
there whenever and however it dies (not if the machine does; `outcomes.py` brings it into the database every few
seconds). A run is named after the workers' parent process, so that workers which come and go meet in one folder, and
whoever is asked sums the files: no sum ever goes down.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_FIRST_SIZE = 64 * 1024
#: Beyond this size what the database knows already is folded into sums.
_FOLD_SIZE = 256 * 1024
_HEADER = struct.Struct("<Q")
_KEY = struct.Struct("<Q")
_FIGURES = struct.Struct("<4Q")
_HOUR_S = 3600
#: Where a process's state and start stand in what the kernel says of it after its name; states of one that has ended.
_STATE, _START, _ENDED = 0, 19, ("Z", "X")


class Outcome(NamedTuple):
    """What was decided about a request. `hour` is its start since the epoch; tenant 0 and hour 0 stand for any."""

    hour: int
    tenant_id: int
    key_prefix: str
    signal: str
    status: int
    reason: str


class Figures(NamedTuple):
    """How many requests; their items that shared the request's fate; items refused out of requests that were taken; and
    bytes over the wire."""

    requests: int = 0
    items: int = 0
    rejected: int = 0
    bytes: int = 0

    def plus(self, other: Figures) -> Figures:
        """The sum of the two."""
        return Figures(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Tally:
    """The counts of this process. Threads take turns."""

    def __init__(self, folder: Path, *, run: str = "", worker: str = "") -> None:
        self.name = secrets.token_hex(8)
        run, worker = run or process_mark(os.getppid()), worker or process_mark(os.getpid())
        self.file = folder / run / f"{worker}.{self.name}.counts"
        self._places: dict[Outcome, int] = {}
        self._changed: set[Outcome] = set()
        self._memory: mmap.mmap | None = None
        self._used = _HEADER.size
        self._lock = threading.Lock()

    def add(self, outcome: Outcome, figures: Figures) -> None:
        """Count one answer; once this returns, it outlives the process. Where the file can't be made, OSError."""
        with self._lock:
            memory = self._memory or self._opened()
            place = self._places.get(outcome)
            if place is None:
                place = self._placed(memory, outcome)
                memory = self._memory or memory
            found = Figures(*_FIGURES.unpack_from(memory, place))
            _FIGURES.pack_into(memory, place, *found.plus(figures))
            self._changed.add(outcome)

    def take_changed(self) -> dict[Outcome, Figures]:
        """Return what has changed since the last call, in full."""
        with self._lock:
            changed, self._changed = self._changed, set()
            return {outcome: self._figures(outcome) for outcome in changed}

    def give_back(self, outcomes: Iterable[Outcome]) -> None:
        """These could not be written down: they count as changed again."""
        with self._lock:
            self._changed.update(outcomes)

    def fold(self) -> None:
        """Fold what is written down and over into sums, where the file has grown large."""
        with self._lock:
            if self._memory is None or self._used < _FOLD_SIZE:
                return
            hour = hour_of(time.time())
            kept = {outcome: self._figures(outcome) for outcome in self._places}
            write_counts(self.file, folded(kept, keep=lambda one: one in self._changed or one.hour == hour))
            self._memory.close()
            self._memory = None
            self._opened()

    def _figures(self, outcome: Outcome) -> Figures:
        return Figures(*_FIGURES.unpack_from(self._memory or b"", self._places[outcome]))

    def _opened(self) -> mmap.mmap:
        if not self.file.exists():
            _make_folders(self.file.parent)
            write_counts(self.file, {})
        with self.file.open("r+b") as handle:
            self._memory = mmap.mmap(handle.fileno(), 0)
        self._places = {outcome: place for outcome, place, _ in _entries(self._memory)}
        self._used = _HEADER.unpack_from(self._memory)[0]
        return self._memory

    def _placed(self, memory: mmap.mmap, outcome: Outcome) -> int:
        entry = _entry(outcome, Figures())
        if self._used + len(entry) > len(memory):
            memory.resize(len(memory) * 2)
        memory[self._used : self._used + len(entry)] = entry
        self._used += len(entry)
        # Readers see the entry only once it is whole.
        _HEADER.pack_into(memory, 0, self._used)
        self._places[outcome] = self._used - _FIGURES.size
        return self._places[outcome]


def hour_of(seconds: float) -> int:
    """The start of the hour, in seconds since the epoch."""
    return int(seconds) // _HOUR_S * _HOUR_S


def read_counts(file: Path) -> dict[Outcome, Figures]:
    """What a process has counted, dead or alive; nothing where the file has gone."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return {}
    return {outcome: figures for outcome, _, figures in _entries(data)}


def write_counts(file: Path, counts: Mapping[Outcome, Figures]) -> None:
    """Put a file with these counts in place of what was there."""
    body = b"".join(_entry(outcome, figures) for outcome, figures in counts.items())
    used = _HEADER.size + len(body)
    room = max(_FIRST_SIZE, used * 2)
    # Processes that write the same file at once write the same; each does so under a name of its own.
    fresh = file.with_suffix(f".{secrets.token_hex(4)}.new")
    fresh.write_bytes((_HEADER.pack(used) + body).ljust(room, b"\0"))
    _hand_over(fresh)
    fresh.replace(file)


def folded(counts: Mapping[Outcome, Figures], *, keep: Callable[[Outcome], bool]) -> dict[Outcome, Figures]:
    """The counts with all that need not be kept apart added up over hours and tenants."""
    found: dict[Outcome, Figures] = {}
    for outcome, figures in counts.items():
        place = outcome if keep(outcome) else outcome._replace(hour=0, tenant_id=0, key_prefix="")
        found[place] = found.get(place, Figures()).plus(figures)
    return found


def process_mark(pid: int) -> str:
    """Name a process so that a later one with its number has another name: `<pid>-<start in clock ticks>`."""
    return f"{pid}-{fields[_START]}" if (fields := _stat(pid)) else str(pid)


def is_alive(mark: str) -> bool:
    """Whether the process of this name still runs. One that has ended and that its parent hasn't heard of doesn't."""
    pid, _, start = mark.partition("-")
    if not pid.isdecimal():
        return True
    fields = _stat(int(pid))
    if not start:
        # Where the kernel says nothing of processes, none is taken for dead.
        return not fields
    return bool(fields) and fields[_START] == start and fields[_STATE] not in _ENDED


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process after its name, which may hold anything; nothing where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def _entry(outcome: Outcome, figures: Figures) -> bytes:
    key = json.dumps(outcome).encode()
    return _KEY.pack(len(key)) + key.ljust(-(-len(key) // 8) * 8, b" ") + _FIGURES.pack(*figures)


def _entries(data: bytes | mmap.mmap) -> Iterator[tuple[Outcome, int, Figures]]:
    """Each entry, where its figures stand, and the figures."""
    place, used = _HEADER.size, _HEADER.unpack_from(data)[0]
    while place < used:
        length = _KEY.unpack_from(data, place)[0]
        place += _KEY.size
        outcome = Outcome(*json.loads(data[place : place + length]))
        place += -(-length // 8) * 8
        yield outcome, place, Figures(*_FIGURES.unpack_from(data, place))
        place += _FIGURES.size


def _make_folders(folder: Path) -> None:
    for one in (folder.parent, folder):
        if not one.is_dir():
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
            _hand_over(one)


def _hand_over(path: Path) -> None:
    """What root makes belongs to the folder's owner, who may start Andon without root next time."""
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid)
