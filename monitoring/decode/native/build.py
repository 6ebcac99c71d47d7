"""Compiles the walk of traces, where a C compiler and Python's headers are there: a script that `make install` runs.

Nothing needs it: without it the same records are made in Python, at several times the CPU. So it never fails; it says
in a line what it did, or why it did nothing.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NAME = "trace_walk"
_FLAGS = ("-O2", "-fPIC", "-fwrapv", "-DNDEBUG", "-w", "-shared")
_MAC_FLAGS = ("-undefined", "dynamic_lookup")
_SLOWER = "traces are read in Python, correctly and more slowly"


class NotCompiled(Exception):
    """The compiled part can't be had here. The message says why, and what would help."""


def digest() -> str:
    """Name what is compiled: anything that was built from other sources is out of date."""
    sources = sorted([*HERE.glob("*.pyx"), *HERE.glob("*.pxi")])
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def target() -> Path:
    """Return where this Python looks for the compiled module."""
    return HERE / f"{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"


def is_current() -> bool:
    """Whether the module is there and was built from the sources as they are."""
    return target().exists() and digest().encode() in target().read_bytes()


def compiler() -> list[str]:
    """Return the command of a C compiler: CC, the one that Python was built with, or the system's."""
    named = (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang")
    for command in filter(None, named):
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    raise NotCompiled("there is no C compiler (Debian, Ubuntu: apt-get install gcc)")


def headers() -> Path:
    """Return the directory of Python's headers."""
    found = Path(sysconfig.get_path("include"))
    if (found / "Python.h").exists():
        return found
    raise NotCompiled(f"Python's headers are not in {found} (Debian, Ubuntu: apt-get install python3-dev)")


def build() -> None:
    """Compile the module and put it in its place, whole; raises NotCompiled."""
    if sys.implementation.name != "cpython":
        raise NotCompiled(f"{sys.implementation.name} would gain nothing by it")
    include, command = headers(), compiler()
    with tempfile.TemporaryDirectory() as directory:
        source, made = Path(directory, f"{NAME}.c"), Path(directory, NAME)
        _run([sys.executable, "-m", "cython", "-3", "-o", str(source), str(HERE / f"{NAME}.pyx")])
        flags = (*_FLAGS, *(_MAC_FLAGS if sys.platform == "darwin" else ()))
        _run([*command, *flags, f'-DSOURCE_DIGEST="{digest()}"', f"-I{include}", str(source), "-o", str(made)])
        _put(made)


def _put(made: Path) -> None:
    """Replace the file by name: a process that has the old one loaded keeps it."""
    fresh = target().with_suffix(f".{os.getpid()}.new")
    try:
        shutil.copy2(made, fresh)
        fresh.replace(target())
    except OSError as fault:
        raise NotCompiled(f"{target()} can't be written ({fault.strerror})") from None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the compilers
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotCompiled(f"{command[0]} failed: {said[-1] if said else f'status {done.returncode}'}")


def main() -> None:
    """Build what is not current; say how it went."""
    if is_current():
        return
    try:
        build()
    except (NotCompiled, OSError) as reason:
        # What was built before is of other sources, and is not loaded.
        _say(f"Not compiled, because {reason}: {_SLOWER}.")
        return
    _say("Compiled the reading of traces.")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    main()
