"""What a dialect is: one source system's way of speaking, read into our own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from monitoring.facts import Reading
from monitoring.records import EventRecord, SpanRecord


class SpanDialect(Protocol):
    """Reads the spans of one trace that came in one request; None means: none of these spans are mine."""

    def read(self, spans: Sequence[SpanRecord]) -> Reading | None: ...


class EventDialect(Protocol):
    """Reads one CloudEvent; None means: not mine."""

    def read(self, event: EventRecord) -> Reading | None: ...
