"""Compiles the walk of traces, where a C compiler and Python's headers are there (`monitoring/native/build.py`)."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from monitoring.native.toolchain import NotCompiled, compile_object, compiler, headers, link, run, suffix

HERE = Path(__file__).parent
NAME = "trace_walk"


def digest() -> str:
    """Name what is compiled: anything that was built from other sources is out of date."""
    sources = sorted([*HERE.glob("*.pyx"), *HERE.glob("*.pxi")])
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def target() -> Path:
    """Return where this Python looks for the compiled module."""
    return HERE / f"{NAME}{suffix()}"


def is_current() -> bool:
    """Whether the module is there and was built from the sources as they are."""
    return target().exists() and digest().encode() in target().read_bytes()


def build() -> None:
    """Compile the module and put it in its place, whole; raises NotCompiled."""
    if sys.implementation.name != "cpython":
        raise NotCompiled(f"{sys.implementation.name} would gain nothing by it")
    headers(), compiler()
    with tempfile.TemporaryDirectory() as directory:
        source, code, made = (Path(directory, f"{NAME}{end}") for end in (".c", ".o", ""))
        run([sys.executable, "-m", "cython", "-3", "-o", str(source), str(HERE / f"{NAME}.pyx")])
        compile_object(source, code, ["-O2", f'-DSOURCE_DIGEST="{digest()}"'])
        link([code], made)
        _put(made)


def _put(made: Path) -> None:
    """Replace the file by name: a process that has the old one loaded keeps it."""
    fresh = target().with_suffix(f".{os.getpid()}.new")
    try:
        shutil.copy2(made, fresh)
        fresh.replace(target())
    except OSError as fault:
        raise NotCompiled(f"{target()} can't be written ({fault.strerror})") from None
