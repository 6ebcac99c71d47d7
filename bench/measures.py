"""What a system costs: processor time of its processes, their memory, bytes on disk and in the log of the database."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

_TICKS = os.sysconf("SC_CLK_TCK")
_MOST_LOAD = 0.5
_QUIET_BUSY = 0.06

_TABLES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def cpu_s(roots: Iterable[int]) -> float:
    """Processor seconds of these processes and all below them, the dead that were waited for included."""
    return sum(_own_cpu_s(pid) for pid in _tree(roots))


def cpu_of(systems: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """The same for each name."""
    return {name: cpu_s(roots) for name, roots in systems.items()}


def _tree(roots: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {root, *(child.pid for child in psutil.Process(root).children(recursive=True))}
    return found


def _own_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    # utime, stime, cutime and cstime, counted from the state that follows the program's name.
    return sum(map(int, fields[11:15])) / _TICKS


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's memory in MB: the most it ever held, and its share of what it holds now."""

    peak: float
    proportional: float


def memory(pid: int) -> Memory:
    """Read it from /proc."""
    peak = _kib(Path(f"/proc/{pid}/status"), "VmHWM:")
    return Memory(peak * 1024 / 1e6, _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") * 1024 / 1e6)


def _kib(file: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(name)), 0)


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes of all tables of a database with their indexes, and the place in the server's write-ahead log."""

    tables: int
    wal: int

    def since(self, before: Stored) -> Stored:
        """What was added."""
        return Stored(self.tables - before.tables, self.wal - before.wal)


def stored(connection: psycopg.Connection[Any]) -> Stored:
    """Measure. The caller is a superuser; it makes a CHECKPOINT first where everything is to be on disk."""
    tables = connection.execute(_TABLES).fetchone()
    wal = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    assert tables is not None
    assert wal is not None
    return Stored(tables[0], wal[0])


def wait_for_quiet(limit_s: float) -> float:
    """Wait, at most so long, until the machine has next to nothing to do; return how busy it is (1.0: all cores)."""
    deadline = time.monotonic() + limit_s
    while True:
        busy = busy_share(0.4)
        if busy < _QUIET_BUSY or time.monotonic() > deadline:
            return busy


def busy_share(seconds: float) -> float:
    """How busy the machine is over so many seconds, 1.0 being all cores."""
    return psutil.cpu_percent(seconds) / 100


def insist_on_quiet(*, force: bool) -> float:
    """Refuse to measure beside other work, for its figures would be of nothing in particular. Returns the load."""
    cores = os.cpu_count() or 1
    load, busy = os.getloadavg()[0], busy_share(2.0)
    if load <= _MOST_LOAD * cores and busy <= _QUIET_BUSY * 2:
        return load
    said = f"The machine is not quiet: load {load:.2f} on {cores} cores, {busy:.0%} busy."
    if not force:
        raise SystemExit(f"{said} Wait until it is, or measure all the same with --force.")
    print(f"{said} Measured all the same: these figures are not to be published.")
    return load
