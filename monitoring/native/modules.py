"""The modules of the main line that are compiled as they are, and how Python comes to use them so.

What is built lies in a folder named by the sources that it was built from. A changed source names another folder, so
what is out of date is never used: the sources are, until `make install` builds again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from monitoring.native.toolchain import suffix

PROJECT = Path(__file__).parents[2]
BUILT = Path(__file__).with_name("built")
#: All code lies in one library; the modules themselves are doors to it.
LIBRARY = "andon__mypyc"
#: What every span or run passes through. A loop over many of them stays outside: compiled code gives no other thread
#: its turn, and the event loop is one. What imports a module with a compiled class may not derive from that.
NAMES = (
    "monitoring.facts",
    "monitoring.meaning",
    "monitoring.models.packed",
    "monitoring.names",
    "monitoring.project.attempts",
    "monitoring.project.plain_rows",
    "monitoring.project.plain_tries",
    "monitoring.project.promise",
    "monitoring.project.rollups",
    "monitoring.project.run_kinds",
    "monitoring.project.runs",
    "monitoring.project.runs_merged",
    "monitoring.project.told",
    "monitoring.project.unit_rows",
    "monitoring.project.units",
    "monitoring.project.workflows",
    "monitoring.promise",
    "monitoring.records",
    "monitoring.rows",
    "monitoring.sources.by_names",
    "monitoring.sources.entry",
    "monitoring.sources.failures",
    "monitoring.sources.generic",
    "monitoring.sources.keys",
    "monitoring.sources.message",
    "monitoring.sources.messaging",
    "monitoring.sources.registry",
    "monitoring.sources.trace",
    "monitoring.sources.values",
    "monitoring.spans_once",
    "monitoring.verdicts",
)
_OFF = "ANDON_COMPILED"


def source_of(name: str) -> Path:
    """Return the file that a module is written in."""
    return PROJECT.joinpath(*name.split(".")).with_suffix(".py")


def digest() -> str:
    """Name what is compiled, by sources and by who compiles them: what was built from others is out of date."""
    said = hashlib.sha256(suffix().encode())
    for file in (*map(source_of, NAMES), *sorted(Path(__file__).parent.glob("*.py"))):
        said.update(b"\0" + file.read_bytes())
    return said.hexdigest()[:24]


def folder() -> Path:
    """Return where the modules of these sources are, once they are built."""
    return BUILT / digest()


class _Built:
    """Finds the compiled modules before Python looks for their sources."""

    def __init__(self, place: Path) -> None:
        self._files = {name: place / f"{name}{suffix()}" for name in (*NAMES, LIBRARY)}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Say where a module is to be loaded from; None leaves it to others."""
        file = self._files.get(name)
        return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, str(file))) if file else None


def use() -> str:
    """Have the compiled modules imported from now on; return why not, or nothing."""
    if os.environ.get(_OFF) == "0":
        return f"{_OFF}=0 says so"
    place = folder()
    if not place.is_dir():
        return "nothing is compiled from these sources; make install does it, or says why not"
    sys.meta_path.insert(0, _Built(place))
    return ""
