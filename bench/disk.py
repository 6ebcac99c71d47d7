"""What the disk takes to have something in safety: no commit is faster, and where it stalls everybody waits."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

_SIZE = 8192
_FILE_SIZE = 16 * 1024 * 1024
_EVERY_S = 0.03


class Probe:
    """Writes a page over and over to a file of its own, as a database does to its log, and notes what that took."""

    def __init__(self, folder: Path) -> None:
        """The file is made there, and goes with the folder."""
        self.took: list[tuple[float, float]] = []  # when it began, by the monotonic clock, and its seconds
        self._file = folder / "probe.bin"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Probe:
        self._file.write_bytes(bytes(_FILE_SIZE))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def longest(self, begun: float, seconds: float) -> float:
        """The longest that a write took which overlaps this time; 0 where none does."""
        until = begun + seconds
        return max((took for at, took in self.took if at < until and at + took > begun), default=0.0)

    def _write(self) -> None:
        file = os.open(self._file, os.O_WRONLY)
        try:
            os.fsync(file)
            place = 0
            while not self._over.wait(_EVERY_S):
                page = os.urandom(_SIZE)
                begun = time.monotonic()
                os.pwrite(file, page, place)
                os.fdatasync(file)
                self.took.append((begun, time.monotonic() - begun))
                place = (place + _SIZE) % _FILE_SIZE
        finally:
            os.close(file)
