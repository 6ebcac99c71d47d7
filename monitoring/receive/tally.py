"""Adds up what all web workers of one run counted: each keeps its counts in a file, whoever is asked sums the files.

The files stand in metrics/<run>/<worker>.json. A run is named after the workers' parent process, so that workers which
come and go meet in one folder; the file of one that died stays, so no sum ever goes down. A worker that is killed
takes along at most what it counted in its last second.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TypeAlias

_log = logging.getLogger(__name__)
_PUBLISH_EVERY_S = 1.0
#: Signal, status and reason of an answer.
Outcome: TypeAlias = tuple[str, int, str]


class Tally:
    """The counts of this process, published within a second of a change; nothing is written where nothing changed."""

    def __init__(self, folder: Path, *, run: str = "", worker: str = "") -> None:
        run, worker = run or process_mark(os.getppid()), worker or process_mark(os.getpid())
        self._runs = folder
        self._file = folder / run / f"{worker}.json"
        self._counts: Counter[Outcome] = Counter()
        self._published: Counter[Outcome] = Counter()
        self._is_first = True
        self._writing = threading.Lock()
        self._changed = threading.Event()
        self._publisher: threading.Thread | None = None

    def add(self, outcome: Outcome) -> None:
        """Count one answer. Callers take turns."""
        self._counts[outcome] += 1
        self._changed.set()
        if self._publisher is None:
            self._publisher = threading.Thread(target=self._keep_publishing, name="tally", daemon=True)
            self._publisher.start()

    def own(self) -> Counter[Outcome]:
        """Return a copy of what this process counted."""
        return Counter(self._counts)

    def everyone(self) -> Counter[Outcome]:
        """Publish what this process counted, and return it together with what all others of this run published."""
        found = self.publish()
        for file in self._file.parent.glob("*.json"):
            if file != self._file:
                found.update(_read(file))
        return found

    def publish(self) -> Counter[Outcome]:
        """Write the counts where they changed, and return them. A disk that is full costs the others this share."""
        with self._writing:
            counts = self.own()
            try:
                if self._is_first:
                    _forget_ended_runs(self._runs)
                    self._is_first = False
                if counts != self._published:
                    _write(self._file, counts)
                    self._published = counts
            except OSError as error:
                _log.warning("the counts of this process could not be published: %s", error)
            return Counter(counts)

    def _keep_publishing(self) -> None:
        while self._changed.wait():
            self._changed.clear()
            self.publish()
            time.sleep(_PUBLISH_EVERY_S)


def process_mark(pid: int) -> str:
    """Name a process so that a later one with its number has another name: `<pid>-<start in clock ticks>`."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return str(pid)
    # The program's name stands in brackets and may hold anything; the start is the twentieth field after it.
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"


def _forget_ended_runs(runs: Path) -> None:
    for run in runs.glob("*-*"):
        pid = run.name.partition("-")[0]
        if pid.isdecimal() and process_mark(int(pid)) != run.name:
            shutil.rmtree(run, ignore_errors=True)


def _write(file: Path, counts: Counter[Outcome]) -> None:
    for folder in (file.parent.parent, file.parent):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _hand_over(folder)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps([[*outcome, count] for outcome, count in sorted(counts.items())]), encoding="utf-8")
    _hand_over(fresh)
    fresh.replace(file)


def _hand_over(path: Path) -> None:
    """What root makes belongs to the folder's owner, who may start Andon without root next time."""
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid)


def _read(file: Path) -> Counter[Outcome]:
    with contextlib.suppress(FileNotFoundError):
        found = json.loads(file.read_text(encoding="utf-8"))
        return Counter({(signal, status, reason): count for signal, status, reason, count in found})
    return Counter()
