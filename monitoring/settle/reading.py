"""Reads runs back out of the intake log, each request once for all the runs that stand in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitoring.decode import decode, spans_of
from monitoring.models import Intake
from monitoring.records import Payload, Signal, SpanRecord
from monitoring.selectors.payloads import payload_of

#: So many rows of the log are in memory at once.
_AT_ONCE = 16
#: From so many wanted traces on, a request is decoded whole instead of once for each.
_MANY_TRACES = 4


@dataclass(slots=True)
class TraceTold:
    """All spans of a trace that the log holds, as they came, and when the first and last of them arrived."""

    spans: list[SpanRecord] = field(default_factory=list)
    first_at: datetime | None = None
    last_at: datetime | None = None


def traces_told(wanted: Mapping[bytes, Sequence[int]]) -> dict[bytes, TraceTold]:
    """Return what the log tells of these traces, given where each one stands; those with a row missing are left out.

    A log that has lost a partition knows a part of a run, and a part must not replace what was computed of the whole.
    """
    places: dict[int, list[bytes]] = defaultdict(list)
    for trace_id, ids in wanted.items():
        for identifier in set(ids):
            places[identifier].append(trace_id)
    found: dict[bytes, TraceTold] = {trace_id: TraceTold() for trace_id in wanted}
    seen: set[int] = set()
    for intake in _rows(sorted(places)):
        seen.add(intake.pk)
        if intake.signal != Signal.TRACES:
            continue
        traces = places[intake.pk]
        for trace_id in traces:
            told = found[trace_id]
            told.first_at = min(told.first_at or intake.received_at, intake.received_at)
            told.last_at = max(told.last_at or intake.received_at, intake.received_at)
        for trace_id, spans in _of_traces(payload_of(intake), traces):
            found[trace_id].spans += spans
    return {trace_id: told for trace_id, told in found.items() if seen.issuperset(wanted[trace_id])}


def _rows(ids: Sequence[int]) -> Iterator[Intake]:
    for start in range(0, len(ids), _AT_ONCE):
        yield from Intake.objects.filter(pk__in=ids[start : start + _AT_ONCE]).order_by("pk")


def _of_traces(payload: Payload, traces: Sequence[bytes]) -> Iterable[tuple[bytes, list[SpanRecord]]]:
    if len(traces) < _MANY_TRACES:
        return [(trace_id, list(spans_of(payload, trace_id))) for trace_id in traces]
    found: dict[bytes, list[SpanRecord]] = {trace_id: [] for trace_id in traces}
    for span in decode(payload).spans:
        if span.trace_id in found:
            found[span.trace_id].append(span)
    return found.items()
