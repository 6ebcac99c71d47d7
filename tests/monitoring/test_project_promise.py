"""How a run stands against its process's promise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.project.promise import with_promise
from monitoring.project.runs_merged import fresh_row
from monitoring.rules import SlaRule
from tests.monitoring.samples import NOW
from tests.monitoring.test_runs_merged import fact

FIVE_MINUTES = SlaRule(5, 3, "released in 5 min", "duration", 300)
BY_NINE_THIRTY = SlaRule(6, 3, "released by 10:30", "due_time", None, due_local="10:30", zone="Europe/Berlin")
STATED = SlaRule(8, 3, "as promised to the customer", "due_time", None, due_attribute="due")


@pytest.mark.parametrize(
    ("seconds", "root_seen", "state"),
    [(300, True, "met"), (300.001, True, "met"), (300.002, True, "breached"), (900, False, "running")],
)
def test_it_measures_the_time_from_start_to_end(seconds: float, root_seen: bool, state: str) -> None:
    row = fresh_row(fact(ended_at=NOW + timedelta(seconds=seconds), root_seen=root_seen), 1, (1,))
    found = with_promise(row, [FIVE_MINUTES])
    assert (found.sla_id, found.sla_due_at, found.sla_state) == (5, NOW + timedelta(minutes=5), state)


def test_it_takes_the_promise_that_falls_due_first() -> None:
    row = with_promise(fresh_row(fact(), 1, (1,)), [BY_NINE_THIRTY, FIVE_MINUTES])
    assert (row.sla_id, row.sla_due_at) == (5, NOW + timedelta(minutes=5))


def test_it_reads_a_daily_time_on_the_sites_clock() -> None:
    row = with_promise(fresh_row(fact(), 1, (1,)), [BY_NINE_THIRTY])
    assert row.sla_due_at == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def test_it_takes_the_time_that_the_automation_states() -> None:
    due = NOW + timedelta(hours=2)
    assert with_promise(fresh_row(fact(due_at=due), 1, (1,)), [STATED]).sla_due_at == due


def test_it_says_that_nothing_is_promised() -> None:
    row = with_promise(fresh_row(fact(), 1, (1,))._replace(sla_id=5, sla_state="running"), [])
    assert (row.sla_id, row.sla_due_at, row.sla_state) == (None, None, "none")


def test_it_keeps_a_breach_that_the_clock_has_seen_while_the_run_goes_on() -> None:
    row = fresh_row(fact(), 1, (1,))._replace(sla_state="breached")
    assert with_promise(row, [FIVE_MINUTES]).sla_state == "breached"


def test_it_bears_a_due_time_at_the_end_of_all_days() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert with_promise(fresh_row(fact(due_at=last, root_seen=True), 1, (1,)), [STATED]).sla_state == "met"
