"""SLA clocks: due times across the days on which clocks change, and breaches with their lateness in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.detect.sla import SlaBreach, at_risk, stand
from monitoring.findings import SlaWindow
from monitoring.promise import SlaRuleError, check, due_at
from monitoring.rules import SlaRule
from tests.monitoring.samples import NOW, ORDER_RELEASE, PROCESS, key

DURATION = SlaRule(1, 3, "released in 5 min", "duration", 300)


def daily(at: str, zone: str = "Europe/Berlin") -> SlaRule:
    return SlaRule(2, 3, "by the cut-off", "due_time", None, due_local=at, zone=zone)


def window(*, runs_s: int, ended: bool = True, promised_s: int = 300) -> SlaWindow:
    started_at = NOW - timedelta(seconds=runs_s)
    return SlaWindow(
        workflow=ORDER_RELEASE, process=PROCESS, run_id=101, sla_kind="duration", started_at=started_at,
        ended_at=NOW if ended else None, due_at=started_at + timedelta(seconds=promised_s),
        keys=(key("order", "4711"),), now=NOW,
    )  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_it_finds_the_run_that_ended_too_late() -> None:
    (finding,) = SlaBreach().examine(window(runs_s=720), {})

    assert finding.title == "Order release ERP → MES: order 4711 ended, 7 min past the due time"
    assert finding.reason == "released in 5 min: ended 7 min after it was due"
    assert finding.fingerprint == "sla_breach:7:3:duration"
    assert (finding.figures["seconds_late"], finding.sla_id) == (420, 5)
    assert [evidence.type for evidence in finding.evidence] == ["run", "sla"]


def test_it_finds_the_run_that_still_stands_after_its_due_time() -> None:
    (finding,) = SlaBreach().examine(window(runs_s=720, ended=False), {})

    assert "still open" in finding.title
    assert finding.occurred_at == NOW


@pytest.mark.parametrize("runs_s", [0, 299, 300])
def test_it_lets_a_run_be_that_ended_in_time_or_to_the_second(runs_s: int) -> None:
    assert SlaBreach().examine(window(runs_s=runs_s), {}) == ()


@pytest.mark.parametrize(
    ("runs_s", "ended", "state"),
    [(100, False, "running"), (225, False, "at_risk"), (300, False, "at_risk"), (301, False, "breached"),
     (225, True, "met"), (301, True, "breached")],
)  # fmt: skip
def test_it_knows_how_a_promise_stands(runs_s: int, ended: bool, state: str) -> None:
    assert stand(window(runs_s=runs_s, ended=ended)).state == state


def test_it_says_how_much_of_the_time_is_used() -> None:
    verdict = at_risk(share_used=0.8, seconds_left=60, ended=False, name="Cut-off")

    assert (verdict.state, verdict.reason) == ("at_risk", "Cut-off: 1 min left, 80% of the time used, threshold 75%")


def test_it_counts_a_duration_from_the_start() -> None:
    assert due_at(DURATION, NOW, None) == NOW + timedelta(seconds=300)


def test_it_prefers_the_due_time_that_is_stated() -> None:
    stated = NOW + timedelta(hours=2)

    assert due_at(daily("17:00"), NOW, stated) == stated
    assert due_at(DURATION, NOW, stated) == NOW + timedelta(seconds=300)


@pytest.mark.parametrize(
    ("started", "local", "due"),
    [
        ("2026-11-21T09:00", "17:00", "2026-11-21T16:00"),  # winter, UTC+1
        ("2026-07-01T09:00", "17:00", "2026-07-01T15:00"),  # summer, UTC+2
        ("2026-11-21T16:00", "17:00", "2026-11-22T16:00"),  # started at the very minute: the next day's
        ("2026-11-21T23:30", "00:15", "2026-11-22T23:15"),  # it is the 22nd in Berlin already
        ("2026-03-28T17:00", "17:00", "2026-03-29T15:00"),  # the night has 23 hours
        ("2026-10-24T16:00", "17:00", "2026-10-25T16:00"),  # the night has 25 hours
        ("2026-03-28T20:00", "02:30", "2026-03-29T01:30"),  # 02:30 does not exist: the instant it would have been
        ("2026-10-24T20:00", "02:30", "2026-10-25T00:30"),  # 02:30 comes twice: the first
    ],
)
def test_it_finds_the_next_local_time_across_the_days_on_which_clocks_change(
    started: str, local: str, due: str
) -> None:
    assert due_at(daily(local), at(started), None) == at(due)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_it_always_falls_due_within_a_day_after_the_start(started: datetime, hour: int, minute: int, zone: str) -> None:
    due = due_at(daily(f"{hour:02}:{minute:02}", zone), started, None)

    assert due is not None
    assert timedelta(0) < due - started <= timedelta(hours=25)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (SlaRule(1, 3, "x", "duration", None), "more than 0 seconds"),
        (SlaRule(1, 3, "x", "due_time", None), "name the attribute"),
        (daily("25:00"), "written HH:MM, not '25:00'"),
        (daily("17:00", "Mars/Olympus"), "no IANA time zone"),
        (daily("17:00", "../etc/passwd"), "no IANA time zone"),
        (SlaRule(1, 3, "x", "weekly", 1), "'duration' or 'due_time'"),
    ],
)
def test_it_says_what_is_wrong_with_a_promise_and_stops_no_intake_for_it(rule: SlaRule, what: str) -> None:
    with pytest.raises(SlaRuleError, match=what):
        check(rule)

    assert due_at(rule, NOW, None) is None


@pytest.mark.parametrize("rule", [DURATION, daily("17:00"), SlaRule(1, 3, "x", "due_time", None, due_attribute="due")])
def test_it_accepts_a_promise_that_gives_a_due_time(rule: SlaRule) -> None:
    check(rule)
