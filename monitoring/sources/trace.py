"""The spans of one trace in one request, and what a single pass over them shows.

Every dialect wants to know the same few things; finding them out once is what keeps reading a trace cheap.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.facts import Rank
from monitoring.records import SpanKind, SpanRecord, StatusCode

_BOUNDARY_KINDS = frozenset({SpanKind.SERVER, SpanKind.CONSUMER})


class Trace(list[SpanRecord]):
    """The spans of one trace, never empty."""

    __slots__ = ("entry", "failed", "last_ns", "names", "noted", "rank", "services", "start_ns")

    #: The span that the work of this request started with, and how surely it names the run.
    entry: SpanRecord
    rank: Rank
    #: The names of all attributes, of spans and of their resources.
    names: frozenset[str]
    #: Spans that ended in an error, and spans with events.
    failed: list[SpanRecord]
    noted: list[SpanRecord]
    #: The earliest start and the latest end in ns; 0 where no span says.
    start_ns: int
    last_ns: int
    services: tuple[str, ...]

    def __init__(self, spans: Iterable[SpanRecord]) -> None:
        super().__init__(spans)
        self.entry, self.rank = _entry(self)
        failed, noted, resources = [], [], {}
        start_ns, last_ns = 0, 0
        names: set[str] = set()
        error = StatusCode.ERROR
        for span in self:
            _, _, _, _, _, began, ended, status, _, _, resource, attributes, events, _ = span
            names.update(attributes)
            resources[id(resource)] = resource
            if status is error:
                failed.append(span)
            if events:
                noted.append(span)
            if began and (began < start_ns or not start_ns):
                start_ns = began
            if ended > last_ns or began > last_ns:
                last_ns = max(began, ended)
        found = set()
        for resource in resources.values():
            names.update(resource)
            service = resource.get("service.name")
            if service and isinstance(service, str):
                found.add(service)
        self.names, self.services = frozenset(names), tuple(sorted(found))
        self.failed, self.noted, self.start_ns, self.last_ns = failed, noted, start_ns, last_ns


def traced(spans: Iterable[SpanRecord]) -> Trace:
    """The spans as a trace; a trace stays the one that it is."""
    return spans if isinstance(spans, Trace) else Trace(spans)


def _entry(spans: list[SpanRecord]) -> tuple[SpanRecord, Rank]:
    """A root beats a span that was called from another service (SERVER, CONSUMER), which beats a span whose parent
    merely has not arrived; the earliest of equals wins, so the order of the spans does not matter."""
    present = {span[1] for span in spans}
    best, best_rank = spans[0], Rank.GUESS
    best_order: tuple[int, int, bytes] | None = None
    for span in spans:
        if span[2] in present:
            continue
        rank = _rank(span)
        order = (-rank, span.start_ns, span.span_id)
        if best_order is None or order < best_order:
            best, best_rank, best_order = span, rank, order
    # Alone, a span that names itself as its parent is an entry as well.
    return (best, _rank(best)) if len(spans) == 1 else (best, best_rank)


def _rank(span: SpanRecord) -> Rank:
    if span.parent_span_id is None:
        return Rank.ROOT
    return Rank.ENTRY if span.kind in _BOUNDARY_KINDS else Rank.GUESS
