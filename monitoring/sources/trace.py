"""The spans of one trace in one request, and what a single pass over them shows.

Every dialect wants to know the same few things; finding them out once is what keeps reading a trace cheap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol

from monitoring.facts import Rank
from monitoring.records import Attributes, SpanKind, SpanRecord, StatusCode
from monitoring.sources.by_names import Names
from monitoring.sources.keys import KeyNames

_BOUNDARY_KINDS = frozenset({SpanKind.SERVER, SpanKind.CONSUMER})
_id = itemgetter(SpanRecord._fields.index("span_id"))
#: Asking an enum for a member costs as much as four comparisons.
_ERROR, _ROOT, _ENTRY, _GUESS = StatusCode.ERROR, Rank.ROOT, Rank.ENTRY, Rank.GUESS


class Speaker(Protocol):
    """Somebody who may have something to say about a span, going by the names of its attributes."""

    def speaks(self, names: Collection[str]) -> bool: ...


class Shape(NamedTuple):
    """What the names of a span's attributes tell: who may speak of it, and which name which type of business key."""

    speakers: tuple[Speaker, ...]
    keys: KeyNames


class Trace:
    """The spans of one trace, never none, each once and by their start; and what a pass over them shows."""

    __slots__ = (
        "entry", "failed", "keyed", "last_ns", "noted", "rank", "resources", "services", "spans", "spoken_of",
        "start_ns",
    )  # fmt: skip

    spans: Sequence[SpanRecord]
    #: The span that the work of this request started with, and how surely it names the run.
    entry: SpanRecord
    rank: Rank
    #: The spans that a dialect may have to do with; none where only the resource of a span is its business.
    spoken_of: Mapping[Speaker, list[SpanRecord]]
    #: The attributes of spans that hold business keys, with the names and types of those.
    keyed: list[tuple[Attributes, KeyNames]]
    #: Spans that ended in an error, and spans with events.
    failed: list[SpanRecord]
    noted: list[SpanRecord]
    #: What the spans are of, each once, in the order of the spans; and the services among it by name.
    resources: list[Attributes]
    services: tuple[str, ...]
    #: The earliest start and the latest end in ns; 0 where no span says.
    start_ns: int
    last_ns: int

    def __init__(self, spans: Sequence[SpanRecord], shapes: Mapping[Names, Shape]) -> None:
        present = set(map(_id, spans))
        orphans: list[SpanRecord] = []
        spoken_of: dict[Speaker, list[SpanRecord]] = {}
        keyed, failed, noted = [], [], []
        resources: dict[int, Attributes] = {}
        last_ns, before = 0, None
        for span in spans:
            _, _, parent, _, _, _, ended, status, _, _, resource, attributes, events, _ = span
            speakers, keys = shapes[tuple(attributes)]
            for speaker in speakers:
                if speaker in spoken_of:
                    spoken_of[speaker].append(span)
                else:
                    spoken_of[speaker] = [span]
            if keys:
                keyed.append((attributes, keys))
            if status is _ERROR:
                failed.append(span)
            if events:
                noted.append(span)
            if resource is not before:
                resources[id(resource)] = before = resource
            if ended > last_ns:  # noqa: PLR1730 - max() takes three times as long, and here are all spans.
                last_ns = ended
            if parent not in present:
                orphans.append(span)
        self.spans, self.failed, self.noted, self.keyed, self.spoken_of = spans, failed, noted, keyed, spoken_of
        self.entry, self.rank = _entry(spans, orphans)
        self.start_ns = spans[0].start_ns or next((span.start_ns for span in spans if span.start_ns), 0)
        self.last_ns = max(last_ns, spans[-1].start_ns)
        self.resources = list(resources.values())
        self.services = _services(self.resources)
        for resource in self.resources:
            for speaker in shapes[tuple(resource)].speakers:
                spoken_of.setdefault(speaker, [])


def _entry(spans: Sequence[SpanRecord], orphans: Sequence[SpanRecord]) -> tuple[SpanRecord, Rank]:
    """A root beats a span that was called from another service (SERVER, CONSUMER), which beats a span whose parent
    merely has not arrived; the earliest of equals wins, so the order of the spans does not matter."""
    if not orphans:
        # Alone, a span that names itself as its parent is an entry as well.
        return spans[0], _rank(spans[0]) if len(spans) == 1 else _GUESS
    entry = orphans[0] if len(orphans) == 1 else min(orphans, key=_precedence)
    return entry, _rank(entry)


def _precedence(span: SpanRecord) -> tuple[int, int, bytes]:
    return -_rank(span), span.start_ns, span.span_id


def _rank(span: SpanRecord) -> Rank:
    if span.parent_span_id is None:
        return _ROOT
    return _ENTRY if span.kind in _BOUNDARY_KINDS else _GUESS


def _services(resources: Sequence[Attributes]) -> tuple[str, ...]:
    found = set()
    for resource in resources:
        service = resource.get("service.name")
        if service and isinstance(service, str):
            found.add(service)
    return tuple(sorted(found))
