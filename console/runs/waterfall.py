"""Lays the spans of a run out as a waterfall: a tree by parent, bars on one scale, the critical path. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from console.runs.critical_path import Interval, critical_path
from console.runs.span_tree import Flaw, SpanTree, plant
from monitoring.records import SpanRecord, StatusCode

#: Rows one page draws; more are counted, not drawn.
CAP = 2_000
#: Up to here a trace opens unfolded; a longer one opens along what failed.
UNFOLDED = 150
#: Branches nest this deep in the page; browsers stop nesting elements at about 500.
NEST = 40
_INDENT, _INDENT_LEVELS = 12, 14
#: A duration beside a bar takes about the rest of the scale.
_LABEL_ROOM = 84
_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "µs": 1_000}
_SECOND = 1_000_000_000
_STEPS = sorted(
    [m * 10**e for e in range(10) for m in (1, 2, 5)]
    + [s * _SECOND for s in (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)]
)
_DAY = 86_400 * _SECOND


@dataclass(frozen=True, slots=True)
class Mark:
    """What the attempts say of a span: which try it was, how it ended, how sure that is."""

    attempt: int
    phase: str
    confidence: str
    max_attempts: int | None = None

    @property
    def words(self) -> str:
        """Say which try it was."""
        return f"try {self.attempt} of {self.max_attempts}" if self.max_attempts else f"try {self.attempt}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the scale in per cent."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One span's row. `x` and `width` are per cent of the scale; `closing` branches end after it."""

    span: SpanRecord
    depth: int
    x: float
    width: float
    duration: str
    failed: bool
    mark: Mark | None
    flaws: tuple[Flaw, ...]
    critical: tuple[Segment, ...]
    children: int
    nests: bool = False
    open: bool = True
    closing: range = range(0)

    @property
    def span_id(self) -> str:
        """The id as people and links write it."""
        return self.span.span_id.hex()

    @property
    def service(self) -> str:
        """Which program the span ran in, or ""."""
        return str(self.span.resource.get("service.name") or "")

    @property
    def indent(self) -> int:
        """Pixels before the name; very deep trees stop moving right."""
        return min(self.depth, _INDENT_LEVELS) * _INDENT

    @property
    def retried(self) -> bool:
        """Whether it was not the first try."""
        return self.mark is not None and self.mark.attempt > 1

    @property
    def end(self) -> float:
        """Where the bar ends, in per cent."""
        return self.x + self.width

    @property
    def label(self) -> str:
        """Where the duration has room: `right` of the bar, `left` of it, or `inside`."""
        if self.end <= _LABEL_ROOM:
            return "right"
        return "left" if self.x >= 100 - _LABEL_ROOM else "inside"


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of the scale."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole picture. `total` counts every span, also those past the cap."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    start_ns: int
    end_ns: int
    total: int
    failed: int

    @property
    def hidden(self) -> int:
        """How many spans are not drawn."""
        return self.total - len(self.bars)

    @property
    def duration(self) -> str:
        """How long it all took."""
        return span_duration(self.end_ns - self.start_ns)

    @property
    def culprit(self) -> Bar | None:
        """Where it failed: the deepest failed span of the branch that failed last, or None where nothing failed."""
        failed = [bar for bar in self.bars if bar.failed]
        above = {bar.span.parent_span_id for bar in failed}
        return max((bar for bar in failed if bar.span.span_id not in above), key=lambda bar: bar.end, default=None)


def lay_out(
    spans: Sequence[SpanRecord], marks: Mapping[bytes, Mark] | None = None, *, selected: bytes = b"", cap: int = CAP
) -> Waterfall:
    """Give each span one row inside the scale, whatever its parents claim. Repeated span ids count once."""
    marks = marks or {}
    tree = plant(spans)
    if not tree.spans:
        return Waterfall((), (), 0, 0, 0, 0)
    notable = {span_id for span_id in tree.spans if span_id in marks or _failed(tree, span_id)}
    shown = _shown(tree, [selected, *sorted(notable, key=lambda s: tree.start[s])], cap)
    notable_branches = tree.with_ancestors(notable | {selected})
    paths = critical_path(tree)
    first, last = min(tree.start.values()), max(tree.end.values())
    bars = [
        _bar(tree, span_id, marks.get(span_id), paths.get(span_id, ()), (first, last))
        for span_id in tree.depth_first()
        if span_id in shown
    ]
    unfold_all = len(bars) <= UNFOLDED
    return Waterfall(
        bars=_nested(bars, open_ids=None if unfold_all else notable_branches),
        ticks=_ticks(last - first),
        start_ns=first,
        end_ns=last,
        total=len(tree.spans),
        failed=sum(_failed(tree, span_id) for span_id in tree.spans),
    )


def span_duration(ns: int) -> str:
    """Write a duration with the unit that reads best: 850 µs, 12.4 ms, 3.2 s, 4 min 05 s, 2 h 10 min."""
    if ns == 0:
        return "0 s"
    if ns >= 3_600 * _SECOND:
        return f"{ns // (3_600 * _SECOND)} h {ns // (60 * _SECOND) % 60:02d} min"
    if ns >= 60 * _SECOND:
        return f"{ns // (60 * _SECOND)} min {ns // _SECOND % 60:02d} s"
    for unit, size in _UNITS.items():
        if ns >= size * 0.9995:  # 999.9 ms reads as 1 s, not as 1e+03 ms
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


def _failed(tree: SpanTree, span_id: bytes) -> bool:
    return tree.spans[span_id].status is StatusCode.ERROR


def _shown(tree: SpanTree, wanted: Sequence[bytes], cap: int) -> set[bytes]:
    """Choose the rows of a trace past the cap: what failed or was tried again with its ancestors, then from the top."""
    if len(tree.spans) <= cap:
        return set(tree.spans)
    shown: set[bytes] = set()
    for span_id in wanted:
        chain = tree.with_ancestors({span_id}) - shown
        if len(shown) + len(chain) <= cap:
            shown |= chain
    for span_id in tree.breadth_first():
        if len(shown) >= cap:
            break
        shown.add(span_id)
    return shown


def _bar(tree: SpanTree, span_id: bytes, mark: Mark | None, path: Sequence[Interval], scale: Interval) -> Bar:
    start, end, first, whole = tree.start[span_id], tree.end[span_id], scale[0], max(scale[1] - scale[0], 1)
    return Bar(
        span=tree.spans[span_id],
        depth=tree.depth[span_id],
        x=_percent(start - first, whole),
        width=_percent(end - start, whole),
        duration=span_duration(end - start),
        failed=_failed(tree, span_id),
        mark=mark,
        flaws=tree.flaws.get(span_id, ()),
        critical=tuple(Segment(_percent(a - first, whole), _percent(b - a, whole)) for a, b in path),
        children=len(tree.children.get(span_id, ())),
    )


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 4)


def _nested(bars: Sequence[Bar], open_ids: set[bytes] | None) -> tuple[Bar, ...]:
    """Say which rows open a branch and how many branches end after each; None opens all."""
    out: list[Bar] = []
    branches: list[int] = []
    for index, bar in enumerate(bars):
        below = bars[index + 1].depth if index + 1 < len(bars) else 0
        nests = below > bar.depth and bar.depth < NEST
        if nests:
            branches.append(bar.depth)
        ended = 0
        while branches and branches[-1] >= below:
            branches.pop()
            ended += 1
        unfolded = open_ids is None or bar.span.span_id in open_ids or bar.depth == 0
        out.append(replace(bar, nests=nests, open=unfolded, closing=range(ended)))
    return tuple(out)


def _ticks(whole: int) -> tuple[Tick, ...]:
    """Round instants, three to seven of them."""
    step = next((s for s in _STEPS if whole <= s * 6), -(-whole // (6 * _DAY)) * _DAY)
    # A label needs room to its right, so none begins at the very end.
    last = max(1, whole * 94 // 100)
    return tuple(Tick(_percent(at, max(whole, 1)), _instant(at)) for at in range(0, last, step))


def _instant(at: int) -> str:
    return span_duration(at).removesuffix(" 00 s").removesuffix(" 00 min") if at else "0"
