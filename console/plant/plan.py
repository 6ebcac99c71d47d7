"""A plan: which flow runs where and when, for which order, and how it will go."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from console.plant.outcome import HEALTHY, Outcome

_FIRST_DAY = date(2020, 1, 1)
#: Numbers from here on belong to runs of the dense schedule, where all flows count slots alike.
DENSE = 1000
_ORDERS_PER_DAY = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """One run to come. `token` makes it unique, and all chance in it is drawn from the token."""

    plant: str
    flow: str
    started_at: datetime
    number: int
    token: str
    per_day: float = _ORDERS_PER_DAY
    outcome: Outcome = HEALTHY
    #: What a follow-up needs to know of the run that it follows.
    memory: dict[str, str] = field(default_factory=dict)

    def order(self, *, lag: int = 0, days: int = 0) -> str:
        """The number of the order that this run is about: released `lag` orders and `days` days earlier."""
        index = self.number if self.number >= DENSE else int(self.number * _ORDERS_PER_DAY / self.per_day)
        return self._name(index - lag, days)

    def own(self, prefix: str) -> str:
        """A number of the run's own, such as a delivery note's."""
        return f"{prefix}{self._name(self.number, 0)}"

    def _name(self, index: int, days: int) -> str:
        day = self.started_at.date() - timedelta(days=days)
        if index < 0:
            day, index = day - timedelta(days=1), _ORDERS_PER_DAY // 2 + index
        return f"{self.plant_digit}{(day - _FIRST_DAY).days % 10_000:04d}{index:04d}"

    @property
    def plant_digit(self) -> int:
        """The first digit of the plant's numbers, 1 to 9."""
        return sum(self.plant.encode()) % 9 + 1


def dumped(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON."""
    return {**asdict(plan), "started_at": plan.started_at.isoformat()}


def loaded(plain: dict[str, Any]) -> Plan:
    """The plan that `dumped` wrote."""
    started_at, outcome = datetime.fromisoformat(plain["started_at"]), Outcome(**plain["outcome"])
    return Plan(**{**plain, "started_at": started_at, "outcome": outcome})
