"""What a dialect is: one source system's way of speaking, read into our own words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from monitoring.facts import Reading
from monitoring.records import EventRecord, SpanRecord
from monitoring.sources.trace import Trace


class SpanDialect(Protocol):
    """Reads the spans of one trace that came in one request."""

    def speaks(self, names: Collection[str]) -> bool:
        """Say whether a span with these attributes can be mine at all; asked once for each set of names."""

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        """Return what the spans say that can be mine; None means: none of them are.

        `mine` is empty where only the attributes of a resource can be; of a dialect that reads every trace, perhaps.
        """


class EventDialect(Protocol):
    """Reads one CloudEvent; None means: not mine."""

    def read(self, event: EventRecord) -> Reading | None: ...
