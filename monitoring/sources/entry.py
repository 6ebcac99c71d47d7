"""Which span of a trace a run is named after, and which names stay the same from run to run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from monitoring.facts import Rank
from monitoring.records import SpanKind, SpanRecord

_ID = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # a UUID
    r"|[0-9a-fA-F]{16,}"  # a hash or a trace id
    r"|\d{3,}"  # an order number
    r"|(?<=/)\d+"  # a short number that is a whole path segment
    r")(?![0-9A-Za-z])"
)
_BOUNDARY_KINDS = frozenset({SpanKind.SERVER, SpanKind.CONSUMER})


def entry_span(spans: Sequence[SpanRecord]) -> tuple[SpanRecord, Rank]:
    """The span that the work of this request started with, and how surely it names the run.

    A root beats a span that was called from another service (SERVER, CONSUMER), which beats a span whose parent
    merely has not arrived; the earliest of equals wins, so the order of the spans does not matter.
    """
    if len(spans) == 1:
        return spans[0], _rank(spans[0])
    present = {span.span_id for span in spans}
    best, best_rank = spans[0], Rank.GUESS
    best_order: tuple[int, int, bytes] | None = None
    for span in spans:
        if span.parent_span_id in present:
            continue
        rank = _rank(span)
        order = (-rank, span.start_ns, span.span_id)
        if best_order is None or order < best_order:
            best, best_rank, best_order = span, rank, order
    return best, best_rank


def _rank(span: SpanRecord) -> Rank:
    if span.parent_span_id is None:
        return Rank.ROOT
    return Rank.ENTRY if span.kind in _BOUNDARY_KINDS else Rank.GUESS


@lru_cache(maxsize=4096)
def stable_name(name: str) -> str:
    """The name without what changes from run to run: `POST /orders/4711/release` is `POST /orders/{id}/release`.

    Without this, each order number in a span name would make an automation of its own.
    """
    return _ID.sub("{id}", name.split("?", 1)[0].strip())[:200]
