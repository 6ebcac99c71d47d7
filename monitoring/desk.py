"""What every step of the main line knows besides what it is handed: whose request, which log row, what time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitoring.rules import Catalogue


@dataclass(frozen=True, slots=True)
class Desk:
    """The fixed surroundings of one pass over the main line. `now` is the time of receipt."""

    tenant_id: int
    intake_id: int
    catalogue: Catalogue
    now: datetime
