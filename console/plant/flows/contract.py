"""What a flow is: its name, how it draws one run, and which faults it knows how to act out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from console.plant.faults import FaultKind
from console.plant.sheet import Sheet

#: Every automation can be slow or fall silent.
ALWAYS = frozenset({FaultKind.SLOW_STEP, FaultKind.SILENT_SOURCE})


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow."""

    name: str
    draw: Callable[[Sheet], None]
    faults: frozenset[FaultKind] = ALWAYS
