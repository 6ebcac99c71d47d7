"""Spans as a tree by parent. Missing parents, loops, repeats and impossible times survive and are named. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from monitoring.records import SpanRecord


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is odd about a span: a word for its row, a sentence for its panel."""

    word: str
    means: str


ORPHAN = Flaw("parent missing", "Its parent span has not arrived.")
LOOP = Flaw("in a loop", "Its parents form a loop; it is cut here.")
NO_START = Flaw("no start", "It was sent without a start time.")
NO_END = Flaw("no end", "It was sent without an end time: it may still run, or have been cut off.")
BACKWARDS = Flaw("runs backwards", "It ends before it starts: the sender's clock was set back.")


@dataclass(frozen=True, slots=True)
class SpanTree:
    """Each span once. `start` and `end` are nanoseconds that can be drawn: never zero width backwards."""

    spans: dict[bytes, SpanRecord]
    parent: dict[bytes, bytes | None]
    children: dict[bytes, list[bytes]]
    roots: list[bytes]
    start: dict[bytes, int]
    end: dict[bytes, int]
    depth: dict[bytes, int]
    flaws: dict[bytes, tuple[Flaw, ...]]

    def depth_first(self) -> Iterator[bytes]:
        """Walk as the page reads: a parent, then its children by start."""
        stack = self.roots[::-1]
        while stack:
            span_id = stack.pop()
            yield span_id
            stack.extend(reversed(self.children.get(span_id, [])))

    def breadth_first(self) -> Iterator[bytes]:
        """Walk level by level."""
        queue = deque(self.roots)
        while queue:
            span_id = queue.popleft()
            yield span_id
            queue.extend(self.children.get(span_id, []))

    def with_ancestors(self, span_ids: Iterable[bytes]) -> set[bytes]:
        """Return these spans and all above them; ids that are no span of the tree are left out."""
        found: set[bytes] = set()
        for span_id in span_ids:
            at: bytes | None = span_id if span_id in self.spans else None
            while at is not None and at not in found:
                found.add(at)
                at = self.parent[at]
        return found


def plant(records: Sequence[SpanRecord]) -> SpanTree:
    """Build the tree. Of a span that came twice, the one with an end counts."""
    spans: dict[bytes, SpanRecord] = {}
    for record in records:
        known = spans.get(record.span_id)
        if known is None or (known.end_ns == 0 and record.end_ns):
            spans[record.span_id] = record
    flaws: dict[bytes, tuple[Flaw, ...]] = {}
    start, end = _times(spans, flaws)
    order = sorted(spans, key=lambda s: (start[s], -end[s], s))
    parent = _parents(spans, flaws)
    _cut_loops(order, parent, flaws)
    children: dict[bytes, list[bytes]] = {}
    roots: list[bytes] = []
    for span_id in order:
        above = parent[span_id]
        if above is None:
            roots.append(span_id)
        else:
            children.setdefault(above, []).append(span_id)
    return SpanTree(spans, parent, children, roots, start, end, _depths(roots, children), flaws)


def _times(
    spans: dict[bytes, SpanRecord], flaws: dict[bytes, tuple[Flaw, ...]]
) -> tuple[dict[bytes, int], dict[bytes, int]]:
    first = min((s.start_ns for s in spans.values() if s.start_ns > 0), default=0)
    start, end = {}, {}
    for span_id, span in spans.items():
        if span.start_ns <= 0:
            _note(flaws, span_id, NO_START)
        start[span_id] = span.start_ns if span.start_ns > 0 else first
        if span.end_ns <= 0:
            _note(flaws, span_id, NO_END)
        elif span.end_ns < start[span_id]:
            _note(flaws, span_id, BACKWARDS)
        end[span_id] = max(span.end_ns, start[span_id])
    return start, end


def _parents(spans: dict[bytes, SpanRecord], flaws: dict[bytes, tuple[Flaw, ...]]) -> dict[bytes, bytes | None]:
    parent: dict[bytes, bytes | None] = {}
    for span_id, span in spans.items():
        above = span.parent_span_id or None
        if above is not None and above not in spans:
            _note(flaws, span_id, ORPHAN)
            above = None
        parent[span_id] = above
    return parent


def _cut_loops(order: list[bytes], parent: dict[bytes, bytes | None], flaws: dict[bytes, tuple[Flaw, ...]]) -> None:
    """Make every span reach a root: a loop, or a span that names itself, is cut above its earliest member."""
    settled: set[bytes] = set()
    rank = {span_id: index for index, span_id in enumerate(order)}
    for span_id in order:
        path: list[bytes] = []
        on_path: set[bytes] = set()
        at: bytes | None = span_id
        while at is not None and at not in settled and at not in on_path:
            path.append(at)
            on_path.add(at)
            at = parent[at]
        if at is not None and at in on_path:
            earliest = min(path[path.index(at) :], key=rank.__getitem__)
            parent[earliest] = None
            _note(flaws, earliest, LOOP)
        settled |= on_path


def _depths(roots: list[bytes], children: dict[bytes, list[bytes]]) -> dict[bytes, int]:
    depth = dict.fromkeys(roots, 0)
    stack = list(roots)
    while stack:
        span_id = stack.pop()
        for child in children.get(span_id, ()):
            depth[child] = depth[span_id] + 1
            stack.append(child)
    return depth


def _note(flaws: dict[bytes, tuple[Flaw, ...]], span_id: bytes, flaw: Flaw) -> None:
    flaws[span_id] = (*flaws.get(span_id, ()), flaw)
