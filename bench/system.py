"""What every system under measurement offers: bodies go in, spans become visible, and it has processes that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.generator import Sent


@dataclass(frozen=True, slots=True)
class Load:
    """What one round sends: bodies in a file for the generator, how many spans, whose traces, how many bytes."""

    file: Path
    requests: int
    spans: int
    traces: Sequence[bytes]
    packed: int  # bytes as they go over the wire
    raw: int


@dataclass(frozen=True, slots=True)
class Taken:
    """One round's outcome. `seconds` runs from the first send until the last span could be read by SQL."""

    seconds: float
    sent: Sent = field(default_factory=Sent)


class System(Protocol):
    """One side of a comparison: how the report calls it, and its database on the server, "" where it has none."""

    name: str
    database_name: str

    def pids(self) -> Mapping[str, int]:
        """The roots of its process trees, by name, without the database."""

    def take(self, load: Load) -> Taken:
        """Take everything in, until it can be read."""

    def stop(self) -> None:
        """End its processes."""
