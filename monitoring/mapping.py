"""From decoded records to facts: each trace and event named, tied to its process, with its keys and attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from monitoring.facts import Mapped, RunFact
from monitoring.meaning import Told, event_fact, run_fact
from monitoring.native.turn import give_way
from monitoring.records import Decoded, SpanRecord
from monitoring.rules import Catalogue
from monitoring.verdicts import RuleBook, VerdictCache

__all__ = ["VerdictCache", "map_decoded"]


def map_decoded(decoded: Decoded, catalogue: Catalogue, now: datetime, cache: VerdictCache) -> Mapped:
    """What one payload means to one tenant. Pure: the same records, catalogue and `now` give the same facts.

    `now` is the time of receipt; it stands in where a span carries no time at all.
    """
    book = cache.book(catalogue)
    return Mapped(
        runs=tuple(_runs(decoded, catalogue, book, now)),
        events=tuple([event_fact(index, record, catalogue, book) for index, record in enumerate(decoded.events)]),
        logs=decoded.logs,
        metrics=decoded.metrics,
        rejections=decoded.rejections,
    )


def _runs(decoded: Decoded, catalogue: Catalogue, book: RuleBook, now: datetime) -> list[RunFact]:
    found = []
    for told in _by_trace(decoded):
        give_way()
        found.append(run_fact(told, catalogue, book, now))
    return found


def _by_trace(decoded: Decoded) -> Iterable[Told]:
    """The spans of each trace, and which of the payloads that were taken together told of it."""
    if len(decoded.shares) < 2:
        return [(trace_id, spans, (0,)) for trace_id, spans in _gathered(decoded.spans).items()]
    parts: defaultdict[bytes, list[int]] = defaultdict(list)
    start = 0
    for part, share in enumerate(decoded.shares):
        for trace_id in {span[0] for span in decoded.spans[start : start + share]}:
            parts[trace_id].append(part)
        start += share
    return [(trace_id, spans, tuple(parts[trace_id])) for trace_id, spans in _gathered(decoded.spans).items()]


def _gathered(spans: Sequence[SpanRecord]) -> Mapping[bytes, list[SpanRecord]]:
    traces: defaultdict[bytes, list[SpanRecord]] = defaultdict(list)
    for span in spans:
        traces[span[0]].append(span)  # By position, which costs a third of asking by name; here are all spans.
    return traces
