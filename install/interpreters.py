"""Which of a machine's Pythons Andon should run on: they differ by a quarter in what they make of the same CPU."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)
#: The first pip that installs into another interpreter's environment (`pip --python`).
PIP_FOR_OTHERS = (22, 3)
_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
_ALWAYS = ("/usr/local/bin", "/usr/bin")
_PROBE = """
import importlib.metadata, importlib.util, json, os, sys, sysconfig
try:
    pip = importlib.metadata.version("pip")
except importlib.metadata.PackageNotFoundError:
    pip = ""
try:
    import ensurepip
    has_ensurepip = bool(ensurepip.version())
except Exception:
    has_ensurepip = False
arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
print(json.dumps({
    "executable": sys.executable,
    "version": sys.version_info[:3],
    "is_cpython": sys.implementation.name == "cpython",
    "is_plain": not sysconfig.get_config_var("Py_DEBUG") and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "is_optimised": "--enable-optimizations" in arguments
    or (sys.base_prefix == "/usr" and os.path.exists("/etc/debian_version")),
    "has_headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "has_venv": importlib.util.find_spec("venv") is not None,
    "has_ensurepip": has_ensurepip,
    "pip": [int(part) if part.isdigit() else 0 for part in pip.split(".")[:2]] if pip else [],
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One Python. `is_plain` is one without the checks of a debug build and with a GIL; `pip` its version, or nothing.

    Debian builds its Python with profiles by rules of its own, which its configuration does not tell; so its place and
    the distribution stand for it.
    """

    executable: str
    version: tuple[int, ...]
    is_cpython: bool
    is_plain: bool
    is_optimised: bool
    has_headers: bool
    has_venv: bool
    has_ensurepip: bool
    pip: tuple[int, ...]

    def __str__(self) -> str:
        """Name it as a person would look for it."""
        return f"Python {'.'.join(map(str, self.version))} ({self.executable})"


@dataclass(frozen=True, slots=True)
class Choice:
    """The Python to run on, what is better about it than the one that would come first, and whose pip serves it.

    `helper` is None where it has a pip of its own.
    """

    interpreter: Interpreter
    reason: str
    helper: Interpreter | None


def probed(command: str) -> Interpreter | None:
    """What the command is as a Python; None if it is none, or too old."""
    try:
        done = subprocess.run([command, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
        said = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    said["version"], said["pip"] = tuple(said["version"]), tuple(said["pip"])
    return Interpreter(**said) if said["version"] >= OLDEST else None


def installed(path: str) -> list[Interpreter]:
    """Every Python that is new enough, each once: those of the search path first, in its order."""
    found: dict[Path, Interpreter] = {}
    for one in map(probed, _commands(path)):
        if one:
            found.setdefault(Path(one.executable).resolve(), one)
    return list(found.values())


def _commands(path: str) -> Iterator[str]:
    directories = dict.fromkeys([*filter(None, path.split(os.pathsep)), *_ALWAYS])
    for name in _NAMES:
        for directory in directories:
            if place := shutil.which(name, path=directory):
                yield place


def has_compiler() -> bool:
    """Whether the compiled part could be built at all."""
    named = (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang")
    return any(shutil.which(shlex.split(command)[0]) for command in named if command and command.strip())


def chosen(found: Sequence[Interpreter], *, pips: Sequence[Interpreter], can_compile: bool) -> Choice | None:
    """Return the best of `found`, or None if no environment can be made of any; `pips` may lend theirs.

    Headers come first where a compiler is there: reading traces in compiled code saves more than the interpreter does.
    Of equals the first is taken, as it is the one that `python3` names.
    """
    helper = next((one for one in pips if one.pip >= PIP_FOR_OTHERS), None)
    usable = [one for one in found if one.has_venv and (one.has_ensurepip or helper)]
    if not usable:
        return None

    def merit(one: Interpreter) -> tuple[bool, bool, bool]:
        return one.is_cpython and one.is_plain, can_compile and one.has_headers, one.is_optimised

    first, best = usable[0], max(usable, key=merit)
    return Choice(best, _reason(best, first), None if best.has_ensurepip else helper)


def _reason(best: Interpreter, first: Interpreter) -> str:
    if best is first:
        return ""
    gains = {
        "is a plain CPython": (best.is_cpython and best.is_plain, first.is_cpython and first.is_plain),
        "has the headers that compiling takes": (best.has_headers, first.has_headers),
        "was built with optimisation": (best.is_optimised, first.is_optimised),
    }
    words = [gain for gain, (has, lacked) in gains.items() if has and not lacked]
    return f"unlike {first}, it {' and '.join(words)}"
