"""What a benchmark is asked and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.table import Figure


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured: the spans stored before runs are read back, and the turns of each system.

    Before each measure the machine is given up to `patience_s` seconds to come to rest. `rest` are arguments that
    only the kill campaign knows.
    """

    quick: bool = False
    stored: int = 10_000_000
    rounds: int = 5
    patience_s: float = 20.0
    rest: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """Figures to print, what was reached of the goals, and facts about how it was measured."""

    figures: list[Figure] = field(default_factory=list)
    reached: dict[str, float] = field(default_factory=dict)
    about: dict[str, object] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        """Take in what another benchmark found. The larger of two memories stands: each is a most."""
        self.figures += other.figures
        memory = max(self.reached.get("memory", 0.0), other.reached.get("memory", 0.0))
        self.reached |= other.reached | ({"memory": memory} if memory else {})
        self.about |= other.about
