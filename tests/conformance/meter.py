"""What one request costs the web worker and what it has started, read from /proc: processor time, most memory held."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


class Meter:
    """Measures another process of this user together with its children."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.cpu_s = 0.0
        self.grown = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what happens inside; `cpu_s` and `grown` (bytes) hold the figures afterwards. A child that was not
        there at the beginning counts with all it has; one that is gone in the end not at all."""
        resident, cpu = {}, {}
        for pid in self._pids():
            (_proc(pid) / "clear_refs").write_text("5")  # The peak starts again from here.
            resident[pid], cpu[pid] = _held(pid, "VmRSS"), _cpu_s(pid)
        yield
        pids = self._pids()
        self.cpu_s = sum(_cpu_s(pid) - cpu.get(pid, 0.0) for pid in pids)
        self.grown = sum(_held(pid, "VmHWM") - resident.get(pid, 0) for pid in pids)

    def _pids(self) -> list[int]:
        process = psutil.Process(self._pid)
        return [self._pid, *(child.pid for child in process.children() if child.status() != psutil.STATUS_ZOMBIE)]


def _proc(pid: int) -> Path:
    return Path(f"/proc/{pid}")


def _cpu_s(pid: int) -> float:
    # How Linux names the processor clock of another process (see clock_getcpuclockid(3)).
    return time.clock_gettime(~pid << 3 | 2)


def _held(pid: int, name: str) -> int:
    for line in (_proc(pid) / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)
