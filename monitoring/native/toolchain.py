"""The C compiler and Python's headers, as they are found on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

_FLAGS = ("-fPIC", "-fwrapv", "-DNDEBUG", "-w")
_MAC_FLAGS = ("-undefined", "dynamic_lookup")


class NotCompiled(Exception):
    """The compiled part can't be had here. The message says why, and what would help."""


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


def suffix() -> str:
    """Return how this Python ends the names of compiled modules."""
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def compile_object(source: Path, made: Path, flags: Sequence[str]) -> None:
    """Compile one C file; raises NotCompiled."""
    run([*compiler(), "-c", *_FLAGS, *flags, f"-I{headers()}", str(source), "-o", str(made)])


def link(objects: Sequence[Path], made: Path) -> None:
    """Make a module that Python can load of what was compiled; raises NotCompiled."""
    flags = _MAC_FLAGS if sys.platform == "darwin" else ()
    run([*compiler(), "-shared", *flags, *map(str, objects), "-o", str(made)])


def run(command: Sequence[str], directory: Path | None = None) -> str:
    """Run a compiler and return what it prints; raises NotCompiled with the last line of its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)  # noqa: S603
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotCompiled(f"{command[0]} failed: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout
