"""What a dialect is: one source system's way of speaking, read into our own words."""

from __future__ import annotations

from typing import Protocol

from monitoring.facts import Reading
from monitoring.records import EventRecord
from monitoring.sources.trace import Trace


class SpanDialect(Protocol):
    """Reads the spans of one trace that came in one request."""

    def speaks(self, names: frozenset[str]) -> bool:
        """Say whether spans with these attributes (of span and resource) can be mine at all. False is final."""

    def read(self, trace: Trace) -> Reading | None:
        """Return what the spans say; None means: none of them are mine."""


class EventDialect(Protocol):
    """Reads one CloudEvent; None means: not mine."""

    def read(self, event: EventRecord) -> Reading | None: ...
