"""What the figures are held against: the least that is asked of each, and what is aimed for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table. `more` says that more is better."""

    name: str
    unit: str
    least: float
    aim: float
    more: bool = True

    def verdict(self, value: float) -> str:
        """How a value stands."""
        if value >= self.aim if self.more else value <= self.aim:
            return "aim reached"
        return "reached" if (value >= self.least if self.more else value <= self.least) else "MISSED"


GOALS: Mapping[str, Goal] = {
    "phoenix": Goal("rate until queryable, against Phoenix", "times", 200, 400),
    "mlflow": Goal("the same against MLflow", "times", 40, 85),
    "copy": Goal("against psycopg COPY of the same spans as rows", "times", 0.6, 1.0),
    "cpu": Goal("CPU of server and database", "µs/span", 20, 12, more=False),
    "disk": Goal("bytes on disk, against gzip bytes on the wire", "times", 2.0, 1.4, more=False),
    "alert": Goal("send to alert on an open stream, p99, beside load", "ms", 50, 15, more=False),
    "stored": Goal("rate with many spans stored, against empty", "times", 0.9, 1.0),
    "read_back": Goal("one run's spans read back over REST, p95", "ms", 20, 5, more=False),
    "memory": Goal("memory of a web worker, most ever held", "MB", 300, 200, more=False),
    "crowd": Goal("p99 of good senders beside fifty hostile ones", "times", 2.0, 1.5, more=False),
}


def show_goals(reached: Mapping[str, float]) -> None:
    """Print how each figure stands; what was not measured says so."""
    print(f"\n{'figure':54}{'found':>10} {'unit':9}{'at least':>10}{'aim':>8}")
    for key, goal in GOALS.items():
        if key not in reached:
            print(f"{goal.name:54}{'-':>10} {goal.unit:9}{goal.least:>10g}{goal.aim:>8g}  not measured")
            continue
        value = reached[key]
        print(f"{goal.name:54}{value:>10.3g} {goal.unit:9}{goal.least:>10g}{goal.aim:>8g}  {goal.verdict(value)}")
