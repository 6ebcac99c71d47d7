"""How far the plant is with filling the past, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from console.plant.files import read_json

FILE = "plant.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """`done_days` of `of_days` days of history are in; `is_live` once current traffic flows."""

    done_days: int
    of_days: int
    is_live: bool

    @property
    def is_complete(self) -> bool:
        """Whether the past is filled."""
        return self.done_days >= self.of_days


def read(home: Path) -> Progress | None:
    """The plant's progress, None where no plant has run."""
    content = read_json(home / FILE)
    if not isinstance(content, dict) or "history" not in content:
        return None
    history = content["history"]
    return Progress(history["done_days"], history["of_days"], bool(content.get("live")))
