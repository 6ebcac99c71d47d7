"""Compiles what Andon's intake spends its time in, where that can be done: `make install` runs this.

Nothing needs it, so it never fails: it says in a line what it did, or why it did nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from monitoring.decode.native import build as walk
from monitoring.native import modules
from monitoring.native.toolchain import NotCompiled, compile_object, compiler, headers, link, run, suffix

_SLOWER = "it runs in Python, correctly and more slowly"


def build() -> None:
    """Translate the modules, compile them and put them in their place, whole; raises NotCompiled."""
    headers(), compiler()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        command = [sys.executable, "-m", "monitoring.native.translate", str(work), *modules.NAMES]
        told = json.loads(run(command, modules.PROJECT))
        largest_first = sorted({Path(file) for files in told["sources"].values() for file in files}, key=_smallness)
        objects = {source: work / f"{number}.o" for number, source in enumerate(largest_first)}
        made = work / "made"
        made.mkdir()
        with ThreadPoolExecutor(os.cpu_count() or 1) as several:
            for done in [several.submit(compile_object, *each, told["flags"]) for each in objects.items()]:
                done.result()
        for name, files in told["sources"].items():
            link([objects[Path(file)] for file in files], made / f"{name}{suffix()}")
        _put(made, modules.folder())


def _smallness(source: Path) -> int:
    return -source.stat().st_size


def _put(made: Path, place: Path) -> None:
    """Move all into place at once, and drop what was built before: a process that has it loaded keeps it."""
    try:
        place.parent.mkdir(exist_ok=True)
        fresh = place.with_suffix(f".{os.getpid()}.new")
        shutil.copytree(made, fresh)
        fresh.rename(place)
        for other in place.parent.iterdir():
            if other != place and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
    except OSError as fault:
        raise NotCompiled(f"{place.parent} can't be written to ({fault.strerror})") from None


def main() -> None:
    """Build what is not current; say how it went."""
    for name, is_current, make in (
        ("the reading of traces", walk.is_current, walk.build),
        ("the main line of intake", modules.folder().is_dir, build),
    ):
        if is_current():
            continue
        try:
            make()
        except (NotCompiled, OSError) as reason:
            # What was built before is of other sources, and is not loaded.
            sys.stdout.write(f"Not compiled: {name}, because {reason}; {_SLOWER}.\n")
        else:
            sys.stdout.write(f"Compiled {name}.\n")


if __name__ == "__main__":
    main()
