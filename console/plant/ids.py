"""Trace and span ids that repeat with the seed."""

from __future__ import annotations

from random import Random

from opentelemetry.sdk.trace.id_generator import IdGenerator


class SeededIds(IdGenerator):
    """Draws ids from the run that is being drawn."""

    def __init__(self) -> None:
        self._rng: Random | None = None

    def draw_from(self, rng: Random) -> None:
        """Takes the next ids from this source of chance."""
        self._rng = rng

    def generate_span_id(self) -> int:
        return self._bits(64)

    def generate_trace_id(self) -> int:
        return self._bits(128)

    def _bits(self, count: int) -> int:
        if self._rng is None:
            raise RuntimeError("No run is being drawn: call draw_from() first.")
        return self._rng.getrandbits(count) or 1
