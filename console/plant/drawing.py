"""Draws plans: from a line in the schedule to the spans and events that the plant's systems send."""

from __future__ import annotations

from console.plant.flows.registry import FLOWS
from console.plant.plan import Plan
from console.plant.plants import BY_SLUG
from console.plant.sheet import Drawn, Sheet
from console.plant.studio import Studio


class Drawer:
    """Draws runs for the demo's tenants, or all of them for one other tenant."""

    def __init__(self, seed: int, *, tenant: str = "") -> None:
        self.seed = seed
        self._tenant = tenant
        self._studio = Studio()

    def draw(self, plan: Plan) -> Drawn:
        """Everything the run sends, and what follows from it."""
        sheet = Sheet(plan, BY_SLUG[plan.plant], self._studio, self.seed, self._tenant)
        FLOWS[plan.flow].draw(sheet)
        return sheet.drawn()
