"""Two campaigns of their own: a disk that runs full, and a clock that steps. Where one can't be run it says why."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.campaign.campaign import Outcome, campaign
from bench.campaign.crew import Crew
from bench.campaign.nemesis import Nemesis

#: Room for the cluster, its log and some minutes of telemetry.
_DISK = "900m"
_FULL_S = 6.0
#: A day and more, so that what is repeated is repeated on another date, and small steps. Seconds.
_STEPS = (+94_000, 0, -94_000, +100, -1800, 0)
_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def full_disk(*, seed: int) -> Outcome | str:
    """Fill the disk under database and broker twice and make room again; or why that can't be done here."""
    if os.geteuid() != 0:
        return "only root can mount a small disk"
    with _small_disk() as disk:
        if disk is None:
            return "mounting a tmpfs is not allowed here"

        def fill(nemesis: Nemesis, crew: Crew) -> None:
            for _ in range(2):
                time.sleep(3)
                nemesis.strike("hardship", lambda: _fill(disk))

        return campaign(fill, seed=seed, folder=disk, hasten=True)


def clock_steps(*, seed: int) -> Outcome | str:
    """Start the web server anew under one clock after the other; or why that can't be done here."""
    library = next((str(path) for pattern in _LIBRARIES for path in Path("/").glob(pattern[1:])), "")
    if not library:
        return "libfaketime is not installed"

    def step(nemesis: Nemesis, crew: Crew) -> None:
        for offset in _STEPS:
            faked = {"LD_PRELOAD": library, "FAKETIME": f"{offset:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            name = f"web with its clock at {offset:+d} s"
            nemesis.strike("hardship", partial(nemesis.web_anew, name, faked if offset else {}))
            time.sleep(4)

    outcome = campaign(step, seed=seed, hasten=True, quiet_s=20)
    # Under a clock a day ahead everything that arrives is history, of which nobody is told.
    outcome.verdict.forget("notifications")
    return outcome


def _fill(disk: Path) -> str:
    """Write until nothing fits any more, wait, and make room."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)) == 1 << 20:
            pass
    end = time.monotonic() + _FULL_S
    while time.monotonic() < end:
        time.sleep(0.1)
    ballast.unlink()
    return "full disk"


@contextmanager
def _small_disk() -> Iterator[Path | None]:
    folder = Path(tempfile.mkdtemp(prefix="andon-small-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", "tmpfs", str(folder)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield folder if is_mounted else None
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
