"""What a benchmark found, printed as a table and kept as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and what it is compared with: `ratio` is figure / limit, None where it stands alone."""

    bench: str
    name: str
    value: float
    unit: str
    limit: str = ""
    ratio: float | None = None


def show(figures: Sequence[Figure]) -> None:
    """Print the figures, one a line."""
    for figure in figures:
        beside = f"{figure.ratio:8.2f} x {figure.limit}" if figure.ratio is not None else ""
        print(f"{figure.bench:10}{figure.name:58}{figure.value:12.2f} {figure.unit:10}{beside}")


def keep(figures: Sequence[Figure], *, reached: Mapping[str, float], about: Mapping[str, object]) -> None:
    """Write the figures with the machine's size and load, what was reached of the goals, and how it was measured."""
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "about": dict(about),
        "reached": dict(reached),
        "figures": [asdict(figure) for figure in figures],
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(f"written to {RESULTS.parent.name}/{RESULTS.name}")
