"""What stands in for a root that never comes, because whoever began the trace does not report here. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.records import SpanKind, SpanRecord, StatusCode

_ENTRIES = (SpanKind.SERVER, SpanKind.CONSUMER)


def entries_without_root(spans: Sequence[SpanRecord]) -> tuple[SpanRecord, ...]:
    """Return the spans by which services took the work over from elsewhere, where nothing of the trace is still open.

    A span inside a service whose parent is missing means that the parent still runs (spans arrive when they end), so
    the run is not done: then, and where the root is there, the answer is empty.
    """
    known = {span.span_id for span in spans}
    orphans = [span for span in spans if span.parent_span_id not in known]
    if any(span.parent_span_id is None or span.kind not in _ENTRIES or not span.end_ns for span in orphans):
        return ()
    return tuple(orphans)


def has_failed(entries: Sequence[SpanRecord]) -> bool:
    """Say whether what stands in for the root says that the work failed."""
    return any(span.status is StatusCode.ERROR for span in entries)
