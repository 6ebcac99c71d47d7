"""What is wrong in a configuration file: every fault with its file, line and path, all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: `path` is `processes[0].slas[1].target`."""

    file: str
    line: int
    path: str = ""

    def below(self, step: str | int, line: int) -> Place:
        """Return the place of a key or an item further in."""
        if isinstance(step, int):
            return Place(self.file, line, f"{self.path}[{step}]")
        return Place(self.file, line, f"{self.path}.{step}" if self.path else step)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    place: Place
    message: str

    def __str__(self) -> str:
        path = f"{self.place.path}: " if self.place.path else ""
        return f"{self.place.file}:{self.place.line}: {path}{self.message}"


class ConfigurationError(ValueError):
    """Files that can't be applied. Nothing was changed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class BadValue(ValueError):
    """A value that its field doesn't take; the message says what it takes."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Say which of the known names was probably meant, else name them all."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}."
