"""What every step of the main line knows besides what it is handed: whose request, which log row, what time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitoring.facts import Mapped
from monitoring.findings import Heed, TrySums
from monitoring.rules import Catalogue


@dataclass(frozen=True, slots=True)
class Desk:
    """The fixed surroundings of one pass over the main line. `now` is the time of receipt."""

    tenant_id: int
    #: The log's rows of the requests that are taken together, in their order; none where nothing has arrived.
    intakes: tuple[int, ...]
    catalogue: Catalogue
    now: datetime
    #: How much of a window a detector has to see, given its sums and the ratio of the one before. Spares reading the
    #: rest of it.
    heeds: Callable[[TrySums, float], Heed] = field(default=lambda sums, earlier: Heed.WHOLE)  # noqa: ARG005

    #: What the payload means, where that was found before the transaction began (`monitoring/pipeline.py`).
    foreseen: Mapped | None = None
    #: And what was asked about its workflows (`WorkflowsAsked`) before there was an answer to wait for.
    workflows: Any = None

    @property
    def intake_id(self) -> int:
        """The last of them, 0 where there is none."""
        return self.intakes[-1] if self.intakes else 0
