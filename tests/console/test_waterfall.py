"""The waterfall draws every span once and inside its scale, whatever the spans claim of each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.runs.critical_path import critical_path
from console.runs.span_tree import BACKWARDS, LOOP, NO_END, NO_START, ORPHAN, plant
from console.runs.waterfall import NEST, Mark, lay_out, span_duration
from monitoring.records import SpanKind, SpanRecord, StatusCode

MS = 1_000_000
T0 = 1_700_000_000_000_000_000


def span(number: int, parent: int | None, start: int, end: int, *, failed: bool = False) -> SpanRecord:
    """A span with times in milliseconds after T0; an end of -1 is left out by the sender."""
    return SpanRecord(
        trace_id=b"\x01" * 16,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=None if parent is None else parent.to_bytes(8, "big"),
        name=f"span {number}",
        kind=SpanKind.INTERNAL,
        start_ns=T0 + start * MS,
        end_ns=0 if end == -1 else T0 + end * MS,
        status=StatusCode.ERROR if failed else StatusCode.UNSET,
    )


def key(number: int) -> bytes:
    return number.to_bytes(8, "big")


numbers = st.integers(min_value=1, max_value=12)
instants = st.one_of(st.just(0), st.integers(min_value=1, max_value=2**64 - 1), st.integers(T0, T0 + 10_000))
any_span = st.builds(
    SpanRecord,
    trace_id=st.just(b"\x01" * 16),
    span_id=numbers.map(key),
    parent_span_id=st.one_of(st.none(), st.just(b""), numbers.map(key)),
    name=st.text(max_size=5),
    kind=st.sampled_from(SpanKind),
    start_ns=instants,
    end_ns=instants,
    status=st.sampled_from(StatusCode),
    status_message=st.just(""),
    scope_name=st.just(""),
    resource=st.just({}),
    attributes=st.just({}),
    events=st.just(()),
    links=st.just(()),
)


@given(st.lists(any_span, max_size=40), st.integers(min_value=1, max_value=15))
def test_it_draws_each_span_once_and_inside_the_scale(spans: list[SpanRecord], cap: int) -> None:
    picture = lay_out(spans, {key(3): Mark(2, "error", "declared")}, selected=key(5), cap=cap)
    ids = [bar.span.span_id for bar in picture.bars]
    distinct = {one.span_id for one in spans}
    assert len(ids) == len(set(ids)) == min(len(distinct), cap)
    assert picture.total == len(distinct)
    assert picture.hidden == picture.total - len(picture.bars)
    for bar in picture.bars:
        assert 0 <= bar.x <= 100
        assert bar.width >= 0
        assert bar.end <= 100.001
        for part in bar.critical:
            assert bar.x - 0.001 <= part.x
            assert part.x + part.width <= bar.end + 0.001
    for tick in picture.ticks:
        assert 0 <= tick.x <= 100


@given(st.lists(any_span, max_size=40))
def test_it_closes_every_branch_that_it_opens(spans: list[SpanRecord]) -> None:
    opened = 0
    for bar in lay_out(spans).bars:
        opened += bar.nests
        opened -= len(bar.closing)
        assert opened >= 0
    assert opened == 0


def test_it_reads_as_a_tree_with_children_by_start() -> None:
    picture = lay_out([span(3, 1, 40, 60), span(1, None, 0, 100), span(4, 2, 12, 20), span(2, 1, 10, 30)])
    assert [(bar.span.name, bar.depth) for bar in picture.bars] == [
        ("span 1", 0),
        ("span 2", 1),
        ("span 4", 2),
        ("span 3", 1),
    ]
    assert [(bar.x, bar.width) for bar in picture.bars] == [(0, 100), (10, 20), (12, 8), (40, 20)]


def test_it_keeps_a_span_whose_parent_never_arrived_and_says_so() -> None:
    picture = lay_out([span(1, None, 0, 10), span(2, 99, 2, 5)])
    assert [(bar.depth, bar.flaws) for bar in picture.bars] == [(0, ()), (0, (ORPHAN,))]


def test_it_cuts_a_loop_above_its_earliest_span() -> None:
    picture = lay_out([span(1, 3, 0, 10), span(2, 1, 1, 5), span(3, 2, 2, 4), span(4, 4, 6, 7)])
    assert [(bar.span.name, bar.depth, bar.flaws) for bar in picture.bars] == [
        ("span 1", 0, (LOOP,)),
        ("span 2", 1, ()),
        ("span 3", 2, ()),
        ("span 4", 0, (LOOP,)),
    ]


def test_it_counts_a_repeated_span_once_and_takes_the_finished_one() -> None:
    picture = lay_out([span(1, None, 0, -1), span(1, None, 0, 10)])
    assert [(bar.duration, bar.flaws) for bar in picture.bars] == [("10 ms", ())]


def test_it_names_impossible_times() -> None:
    never = SpanRecord(b"\x01" * 16, key(3), None, "never", SpanKind.INTERNAL, 0, 0)
    tree = plant([span(1, None, 5, -1), span(2, None, 9, 4), never])
    assert tree.flaws == {key(1): (NO_END,), key(2): (BACKWARDS,), key(3): (NO_START, NO_END)}
    assert lay_out([span(1, None, 5, -1), never]).duration == "0 s"


def test_it_draws_what_the_end_waited_for() -> None:
    # Two calls side by side; only the longer one decides. The gap before it is the parent's own.
    tree = plant([span(1, None, 0, 100), span(2, 1, 10, 40), span(3, 1, 20, 90)])
    stretches = {
        int.from_bytes(span_id, "big"): [((a - T0) // MS, (b - T0) // MS) for a, b in path]
        for span_id, path in critical_path(tree).items()
    }
    assert stretches == {1: [(0, 20), (90, 100)], 3: [(20, 90)]}


def test_it_follows_a_consumer_that_outlives_its_producer() -> None:
    tree = plant([span(1, None, 0, 10), span(2, 1, 30, 60)])
    assert critical_path(tree) == {key(1): ((T0, T0 + 10 * MS),), key(2): ((T0 + 30 * MS, T0 + 60 * MS),)}


def test_past_the_cap_it_keeps_what_failed_with_its_ancestors() -> None:
    spans = [span(1, None, 0, 1000)] + [span(n, 1, n, n + 1) for n in range(2, 50)]
    spans += [span(50, 49, 49, 50), span(51, 50, 49, 50, failed=True)]
    picture = lay_out(spans, cap=10)
    assert [bar.span.name for bar in picture.bars[-3:]] == ["span 49", "span 50", "span 51"]
    assert (picture.total, picture.hidden, picture.failed) == (51, 41, 1)


def test_a_long_trace_opens_along_what_failed() -> None:
    spans = [span(1, None, 0, 1000)]
    for n in range(2, 202, 2):
        spans += [span(n, 1, n, n + 1), span(n + 1, n, n, n + 1, failed=n == 100)]
    opened = [bar.span.name for bar in lay_out(spans).bars if bar.nests and bar.open]
    assert opened == ["span 1", "span 100"]


def test_a_chain_of_thousands_stays_drawable() -> None:
    picture = lay_out([span(n, n - 1 if n else None, n, 5000) for n in range(5000)])
    assert len(picture.bars) == 2000
    assert sum(bar.nests for bar in picture.bars) == NEST


def test_it_marks_tries() -> None:
    picture = lay_out([span(1, None, 0, 5)], {key(1): Mark(2, "retry_scheduled", "declared", 3)})
    assert picture.bars[0].retried
    assert picture.bars[0].mark is not None
    assert picture.bars[0].mark.words == "try 2 of 3"


def test_ticks_are_round_and_few() -> None:
    labels = [tick.label for tick in lay_out([span(1, None, 0, 1340)]).ticks]
    assert labels == ["0", "500 ms", "1 s"]
    labels = [tick.label for tick in lay_out([span(1, None, 0, 400_000)]).ticks]
    assert labels == ["0", "2 min", "4 min", "6 min"]


def test_durations_read_with_the_unit_that_fits() -> None:
    assert [span_duration(ns) for ns in (0, 850, 12_400, 999_900_000, 3_200_000_000, 245 * 10**9, 7_800 * 10**9)] == [
        "0 s",
        "850 ns",
        "12.4 µs",
        "1 s",
        "3.2 s",
        "4 min 05 s",
        "2 h 10 min",
    ]
