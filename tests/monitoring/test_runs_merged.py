"""A run told of by several requests: whatever their order, the row is the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from monitoring.facts import AttemptFact, Confidence, Identity, MappingVerdict, Phase, Rank, RunFact
from monitoring.project.runs_merged import RunRow, count_tries, fresh_row, merged_row
from tests.monitoring.samples import NOW

_Merge = Callable[[RunRow, RunRow], RunRow]


def fact(**changes: object) -> RunFact:
    given = RunFact(
        trace_id=bytes(16),
        identity=Identity("otel", "erp-bridge/release", "erp-bridge: release"),
        verdict=MappingVerdict(None, None, "no rule matched"),
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=2),
        root_seen=False,
        root_failed=False,
        span_count=3,
        error_count=1,
    )
    return given._replace(**changes)  # type: ignore[arg-type]


def told(unit: str, number: int, phase: Phase, confidence: Confidence = Confidence.DECLARED) -> AttemptFact:
    return AttemptFact(unit, number, phase, "andon", confidence)


@st.composite
def rows(draw: st.DrawFn) -> RunRow:
    """What one request may say of a trace. A trace states one site or none; all else may disagree."""
    process_id = draw(st.sampled_from([None, 3, 4]))
    root_seen = draw(st.booleans())
    started = draw(st.integers(0, 50))
    found = fact(
        identity=Identity("otel", "k", "n", draw(st.sampled_from(["", "v1", "v2"])), draw(st.sampled_from(Rank))),
        verdict=MappingVerdict(process_id, process_id, f"rule {process_id}", site_id=draw(st.sampled_from([None, 7]))),
        started_at=NOW + timedelta(seconds=started),
        ended_at=NOW + timedelta(seconds=started + draw(st.integers(0, 50))),
        root_seen=root_seen,
        root_failed=root_seen and draw(st.booleans()),
        root_name=draw(st.sampled_from(["release", "confirm"])) if root_seen else "",
        attempts=tuple(draw(st.lists(_attempts(), max_size=3))),
        error_class=draw(st.sampled_from(["", "TimeoutError", "ValueError"])),
        due_at=draw(st.sampled_from([None, NOW, NOW + timedelta(hours=1)])),
        value=draw(st.sampled_from([None, 10.0, 99.5])),
        services=tuple(draw(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=25))),
    )
    return fresh_row(found, draw(st.integers(1, 3)), (draw(st.integers(1, 9)),))


def _attempts() -> SearchStrategy[AttemptFact]:
    return st.builds(
        told, st.sampled_from(["a", "b"]), st.integers(1, 3), st.sampled_from(Phase), st.sampled_from(Confidence)
    )


def settled(parts: list[RunRow], merge: _Merge) -> RunRow:
    """The row that these parts end in, its list of log rows in order."""
    row = reduce(merge, parts)
    return row._replace(intakes=tuple(sorted(row.intakes)))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(rows(), min_size=2, max_size=5))
def test_it_comes_to_the_same_row_in_any_order(data: st.DataObject, parts: list[RunRow]) -> None:
    other = data.draw(st.permutations(parts))
    assert settled(other, merged_row) == settled(parts, merged_row)


def test_a_merge_in_which_the_first_to_come_decides_is_caught() -> None:
    """The control: were names taken as they arrive, the check above would see it."""

    def first_come(known: RunRow, fresh: RunRow) -> RunRow:
        return merged_row(known, fresh)._replace(error_class=known.error_class or fresh.error_class)

    parts = [fresh_row(fact(error_class=name), 1, (1,)) for name in ("TimeoutError", "ConnectionError")]
    assert settled(parts, first_come) != settled(parts[::-1], first_come)
    assert settled(parts, merged_row) == settled(parts[::-1], merged_row)


def test_it_adds_what_the_requests_count_and_widens_their_times() -> None:
    one = fresh_row(fact(), 1, (10,))
    two = fresh_row(fact(started_at=NOW - timedelta(seconds=5), ended_at=NOW, span_count=2, error_count=0), 1, (11,))
    row = merged_row(one, two)
    assert (row.span_count, row.error_count, row.intakes) == (5, 1, (10, 11))
    assert (row.started_at, row.ended_at) == (NOW - timedelta(seconds=5), NOW + timedelta(seconds=2))


def test_it_is_named_by_the_surest_request_and_keeps_the_site_that_another_stated() -> None:
    declared = fact(identity=Identity("n8n", "w7", "Order release", "v3", Rank.DECLARED))
    guessed = fact(
        identity=Identity("otel", "mes/confirm", "mes: confirm", "", Rank.GUESS),
        verdict=MappingVerdict(3, 1, "rule 1", site_id=7),
    )
    row = merged_row(fresh_row(guessed, 2, (1,)), fresh_row(declared, 1, (2,)))
    assert (row.workflow_id, row.version, row.process_id, row.site_id) == (1, "v3", None, 7)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "running"),
        ({"root_seen": True}, "ok"),
        ({"root_seen": True, "root_failed": True}, "error"),
        ({"root_seen": True, "root_failed": True, "attempts": (told("a", 3, Phase.DEAD),)}, "dead"),
        ({"attempts": (told("a", 3, Phase.LOST),)}, "dead"),
    ],
)
def test_it_says_how_a_run_stands(changes: dict[str, object], status: str) -> None:
    assert fresh_row(fact(**changes), 1, (1,)).status == status


def test_it_counts_a_try_that_two_spans_report_once() -> None:
    tries = count_tries(
        [
            told("a", 1, Phase.ERROR),
            told("a", 1, Phase.RETRY_SCHEDULED),
            told("a", 2, Phase.OK),
            told("b", 1, Phase.OK),
            told("c", 3, Phase.DEAD),
            told("c", 3, Phase.RE_DEAD),
            told("d", 9, Phase.REDRIVEN),
        ]
    )
    assert (tries.first, tries.retries, tries.successes, tries.retry_successes, tries.dead) == (2, 2, 2, 1, 1)
    assert tries.all == 4


def test_it_counts_nothing_where_nothing_is_said() -> None:
    assert count_tries([]).all == 0


def test_it_holds_no_amount_that_its_column_cannot() -> None:
    assert fresh_row(fact(value=999_999_999_999.999), 1, (1,)).value is None
    assert fresh_row(fact(value=12.346), 1, (1,)).value == 12.35
