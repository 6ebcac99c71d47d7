"""Business impact: a sum that adds up, each part in words, and the priority that follows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.detect.impact import SlaStand, impact
from monitoring.detect.retry_storm import RetryStormThresholds
from monitoring.detect.thresholds import described
from monitoring.findings import ProcessFacts
from tests.monitoring.samples import NORMAL, PROCESS, UNOWNED


def test_it_shows_the_sum_of_its_parts_in_words() -> None:
    process = replace(PROCESS, regulated=True, cost_per_hour=12_000.0)
    found = impact(process, unit_kind="order", unit_count=3, sla=SlaStand(1.4, -7_200))

    assert [(part.label, part.points, part.why) for part in found.parts] == [
        ("Criticality", 45, "Order release ERP → MES is rated critical"),
        ("Units hit", 10, "3 orders hit"),
        ("SLA", 15, "released in 5 min was missed 2 h ago"),
        ("Regulated", 10, "Order release ERP → MES is under regulation"),
        ("Money at stake", 8, "12,000 an hour for 2.0 h"),
    ]
    assert (found.score, found.priority) == (88, "P1")


@pytest.mark.parametrize(
    ("process", "units", "priority"),
    [(PROCESS, 1, "P2"), (NORMAL, 3, "P3"), (NORMAL, 1, "P4"), (UNOWNED, 1, "P4"), (PROCESS, 40, "P2")],
)
def test_it_ranks_by_the_sum(process: ProcessFacts, units: int, priority: str) -> None:
    assert impact(process, unit_kind="order", unit_count=units).priority == priority


def test_it_takes_a_tenants_own_limits() -> None:
    assert impact(NORMAL, unit_kind="order", unit_count=1, limits={"p1": 20}).priority == "P1"


def test_it_prefers_the_value_that_the_source_states() -> None:
    found = impact(replace(NORMAL, cost_per_hour=5.0), unit_kind="order", unit_count=1, value=250_000)

    assert found.parts[-1].why == "250,000 stated by the source"
    assert found.parts[-1].points == 10


@given(
    st.sampled_from(["critical", "high", "normal", "low", "?"]), st.integers(0, 10**6), st.floats(0, 100),
    st.floats(-1e7, 1e7), st.booleans(), st.one_of(st.none(), st.floats(0, 1e12)),
)  # fmt: skip
def test_it_always_adds_up_within_a_hundred(  # noqa: PLR0917
    criticality: str, units: int, used: float, left: float, regulated: bool, value: float | None
) -> None:
    process = replace(PROCESS, criticality=criticality, regulated=regulated)
    found = impact(process, unit_kind="lot", unit_count=units, sla=SlaStand(used, left), value=value)

    assert found.score == sum(part.points for part in found.parts)
    assert 0 <= found.score <= 100
    assert all(part.why for part in found.parts)


def test_it_describes_thresholds_with_their_units() -> None:
    assert described(RetryStormThresholds())[0] == ("min_retries", 10.0, "retries in the window")
