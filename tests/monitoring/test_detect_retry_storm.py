"""Retry storms: what multiplies the load is found, what merely retries now and then is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitoring.detect.retry_storm import RetryStorm, RetryStormThresholds, judge, load_of
from monitoring.findings import AttemptWindow, Finding, Heed, ProcessFacts, Severity, TrySums
from tests.monitoring.samples import NORMAL, NOW, ORDER_RELEASE, PROCESS, key


def window(
    first: int,
    retries: int,
    *,
    units: int | None = None,
    successes: int = 0,
    retry_successes: int = 0,
    process: ProcessFacts = NORMAL,
    earlier: tuple[float, ...] = (),
    baseline: float | None = None,
) -> AttemptWindow:
    return AttemptWindow(
        workflow=ORDER_RELEASE, process=process, started_at=NOW - timedelta(minutes=5), ended_at=NOW,
        first_attempts=first, retries=retries, successes=successes, retry_successes=retry_successes,
        units=first if units is None else units, errors={"SapTimeout": 40, "": 9}, units_by_attempts={8: 3},
        earlier=earlier, baseline_ratio=baseline, run_ids=(101, 102), keys=(key("order", "1"), key("order", "2")),
        now=NOW,
    )  # fmt: skip


def level(seen: AttemptWindow) -> str:
    return judge(seen, load_of(seen), RetryStormThresholds()).level


def found(seen: AttemptWindow) -> Finding:
    (finding,) = RetryStorm().examine(seen, {})
    return finding


@pytest.mark.parametrize(
    ("what", "seen", "expected"),
    [
        ("3 units of 8 attempts", window(3, 21), "storm"),
        ("30 units of 3 attempts", window(30, 60), "storm"),
        ("a storm that outlives its first attempts", window(0, 24, units=3), "storm"),
        ("25% retries, none of which succeeds", window(100, 25, successes=100), "storm"),
        ("25% retries, goodput far below the usual",
         window(100, 25, successes=70, retry_successes=20, baseline=0.02), "storm"),
        ("25% retries that bring the work through", window(100, 25, successes=100, retry_successes=25), "calm"),
        ("a healthy 3%", window(1000, 30, successes=1000, retry_successes=30), "calm"),
        ("one unit of 8 attempts", window(1, 7), "calm"),
        ("two of three retried", window(3, 2), "calm"),
        ("15%, the first such window", window(100, 15, successes=100, retry_successes=15), "calm"),
        ("15% for the second time", window(100, 15, successes=100, retry_successes=15, earlier=(0.14,)), "warning"),
        ("15% after a calm window", window(100, 15, successes=100, retry_successes=15, earlier=(0.02, 0.5)), "calm"),
        ("nothing at all", window(0, 0), "calm"),
    ],
)  # fmt: skip
def test_it_tells_a_storm_from_ordinary_retries(what: str, seen: AttemptWindow, expected: str) -> None:
    assert level(seen) == expected, what


def test_it_gives_its_figures_and_its_threshold() -> None:
    finding = found(window(12, 47, process=PROCESS))

    assert finding.reason.startswith(
        "47 retries on 12 first attempts in 5 min: 4.9 attempts for each unit, threshold 2.0; "
        "0% of retries succeed, threshold 20%; most often SapTimeout (40)"
    )
    assert finding.title == "Order release ERP → MES: retry storm, 4.9 attempts for each unit, 0% succeed"
    assert finding.figures["amplification"] == 4.92
    assert finding.fingerprint == "retry_storm:7:3"
    assert finding.next_step.action == "open_run"
    assert [evidence.id for evidence in finding.evidence] == ["101", "102"]


@pytest.mark.parametrize(
    ("seen", "severity"),
    [
        (window(12, 47, process=PROCESS), Severity.CRITICAL),
        (window(12, 47, process=NORMAL), Severity.HIGH),
        (window(12, 18, process=NORMAL), Severity.MEDIUM),
        (window(100, 25, successes=100, process=NORMAL), Severity.LOW),
        (window(100, 15, successes=100, retry_successes=15, earlier=(0.14,), process=PROCESS), Severity.LOW),
    ],
)
def test_it_is_louder_the_more_load_it_makes(seen: AttemptWindow, severity: Severity) -> None:
    assert found(seen).severity is severity


def test_it_takes_a_tenants_own_thresholds() -> None:
    seen = window(1000, 30, successes=990)

    assert RetryStorm().examine(seen, {}) == ()
    assert len(RetryStorm().examine(seen, {"storm_ratio": 0.02, "warn_ratio": 0.01})) == 1


def test_it_says_how_long_it_lasts() -> None:
    assert "above 20% in the 2 windows before too" in found(replace(window(3, 21), earlier=(3.0, 0.5))).reason


@pytest.mark.parametrize(
    ("sums", "earlier", "heed"),
    [
        (TrySums(19, 9, 28, 9), 1.0, Heed.NOTHING),  # too few to judge
        (TrySums(100, 10, 110, 10), 1.0, Heed.NOTHING),  # within what is warned of
        (TrySums(100, 15, 115, 15), 0.10, Heed.NOTHING),  # for the first time
        (TrySums(100, 15, 115, 15), 0.11, Heed.NEWEST),
        (TrySums(100, 50, 150, 50), 0.11, Heed.NEWEST),  # all come through in the end
        (TrySums(100, 50, 100, 10), 0.0, Heed.WHOLE),  # next to no retry does
        (TrySums(100, 50, 119, 20), 0.0, Heed.WHOLE),  # a fifth fails for good
        (TrySums(100, 100, 200, 100), 0.0, Heed.WHOLE),  # two attempts for each unit
        (TrySums(0, 30, 30, 30), 0.0, Heed.WHOLE),  # it outlives its first attempts
    ],
)
def test_it_sees_all_of_what_may_be_a_storm_and_examples_of_a_warning(
    sums: TrySums, earlier: float, heed: Heed
) -> None:
    assert RetryStorm().heeds(sums, earlier, {}) is heed
