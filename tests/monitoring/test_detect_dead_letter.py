"""Dead letters: one alert for a group, in business words, as loud as its process is critical."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitoring.detect.dead_letter import DeadLetter
from monitoring.facts import BusinessKey
from monitoring.findings import DeadLetterFact, DeadLetterWindow, Finding, Kind, ProcessFacts, Severity
from tests.monitoring.samples import NORMAL, NOW, ORDER_RELEASE, PROCESS, UNOWNED, key


def letter(number: int, *keys: BusinessKey, redriven: int = 0) -> DeadLetterFact:
    return DeadLetterFact(
        id=number, unit_id=f"m-{number}", destination="erp.orders.dlq", error_class="SapTimeout",
        message="RFC gateway timed out", attempts=3, died_at=NOW - timedelta(seconds=number), run_id=100 + number,
        span_id="00f067aa0ba902b7", event_id=None, keys=keys, redriven_before=redriven,
    )  # fmt: skip


ORDERS = tuple(letter(number, key("order", f"47{number}"), key("message", "x")) for number in (11, 12, 13))


def window(
    *fresh: DeadLetterFact, open_before: int = 0, process: ProcessFacts = PROCESS, destination: str = "erp.orders.dlq"
) -> DeadLetterWindow:
    return DeadLetterWindow(ORDER_RELEASE, process, destination, "SapTimeout", fresh, open_before, NOW)


def found(*fresh: DeadLetterFact, **more: object) -> Finding:
    (finding,) = DeadLetter().examine(window(*fresh, **more), {})  # type: ignore[arg-type]
    return finding


def test_it_says_in_business_words_what_is_stuck_and_where() -> None:
    finding = found(*ORDERS)

    assert finding.title == "Order release ERP → MES: 3 orders stuck in dead-letter queue erp.orders.dlq"
    assert finding.reason == (
        '3 newly dead after up to 3 attempts with SapTimeout ("RFC gateway timed out"); 3 open in this group.'
        " Any dead letter alerts: nothing moves it on by itself."
    )  # fmt: skip
    assert (finding.kind, finding.severity, finding.count) == (Kind.DEAD_LETTER, Severity.CRITICAL, 3)


def test_it_points_to_what_it_relied_on_and_says_what_to_do() -> None:
    finding = found(*ORDERS)

    assert [evidence.type for evidence in finding.evidence[:5]] == ["dead_letter"] * 3 + ["run", "span"]
    assert finding.evidence[0].id == "11"
    assert finding.next_step.action == "open_dead_letters"
    assert finding.next_step.text == "Remove the cause of SapTimeout, then redrive all 3."


def test_it_keeps_one_fingerprint_for_the_group_however_it_arrives() -> None:
    together, alone = found(*ORDERS), found(ORDERS[0], open_before=2)

    assert together.fingerprint == alone.fingerprint == "dead_letter:7:3:erp.orders.dlq:SapTimeout"


def test_it_finds_nothing_in_an_empty_window() -> None:
    assert DeadLetter().examine(window(), {}) == ()


@pytest.mark.parametrize(
    ("process", "open_before", "severity"),
    [
        (PROCESS, 0, Severity.CRITICAL),
        (replace(PROCESS, criticality="high"), 0, Severity.HIGH),
        (NORMAL, 0, Severity.MEDIUM),
        (NORMAL, 19, Severity.HIGH),
        (replace(NORMAL, regulated=True), 0, Severity.HIGH),
        (replace(NORMAL, criticality="low"), 0, Severity.LOW),
        (UNOWNED, 0, Severity.MEDIUM),
    ],
)
def test_it_is_as_loud_as_the_process_is_critical(process: ProcessFacts, open_before: int, severity: Severity) -> None:
    assert found(ORDERS[0], process=process, open_before=open_before).severity is severity


def test_it_takes_a_tenants_own_threshold() -> None:
    (finding,) = DeadLetter().examine(window(*ORDERS, process=NORMAL), {"many_open": 3, "unknown": 1})

    assert finding.severity is Severity.HIGH


@pytest.mark.parametrize(
    ("fresh", "destination", "title"),
    [
        ((letter(1),), "erp.orders.dlq", "Stock sync: 1 message stuck in dead-letter queue erp.orders.dlq"),
        ((letter(1, key("po", "1")),), "celery", "Stock sync: 1 purchase order given up in celery"),
        ((letter(1, key("order", "1")), letter(2, key("order", "1"))), "", "Stock sync: 1 order failed for good"),
    ],
)
def test_it_names_what_it_knows_of_the_unit(fresh: tuple[DeadLetterFact, ...], destination: str, title: str) -> None:
    assert found(*fresh, destination=destination, process=NORMAL).title == title


def test_it_counts_messages_where_the_group_is_too_large_to_name_its_orders() -> None:
    whole = replace(window(*ORDERS, open_before=3997), open_keys=None)
    (finding,) = DeadLetter().examine(whole, {})

    assert finding.title == "Order release ERP → MES: 4000 messages stuck in dead-letter queue erp.orders.dlq"
    assert [key.value for key in finding.keys[:3]] == ["4711", "x", "4712"]
    assert finding.figures["open"] == 4000
    assert any("4000 messages" in part.why or "4000 messages" in part.label for part in finding.impact.parts)


def test_it_names_the_automation_where_no_process_is_known() -> None:
    assert found(ORDERS[0], process=UNOWNED).title.startswith("erp-bridge: release order: 1 order stuck")


def test_it_warns_against_redriving_what_died_of_a_redrive() -> None:
    finding = found(letter(1, redriven=1))

    assert "1 of them had been redriven before" in finding.reason
    assert finding.next_step.text.startswith("Don't redrive again")
