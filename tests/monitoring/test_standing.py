"""How hours and processes stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.selectors.standing import Figures, alert_state, hour_standing, process_standing, worst
from monitoring.selectors.unowned import suggest, words_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        (Figures(), "unknown"),
        (Figures(events=1), "ok"),
        (Figures(runs=100, met=100), "ok"),
        (Figures(runs=100, met=99, breached=1), "ok"),
        (Figures(runs=100, met=98, breached=2), "breach"),
        (Figures(runs=10, failed=1), "ok"),
        (Figures(runs=10, failed=2), "warn"),
        (Figures(runs=10, first_attempts=10, retries=11), "warn"),
        (Figures(runs=10, dead_letters=1, breached=9), "dead"),
    ],
)
def test_an_hour_is_judged_by_the_worst_in_it(figures: Figures, state: str) -> None:
    assert hour_standing(figures, objective=0.99).state == state


@pytest.mark.parametrize(
    ("alerts", "kept", "last_at", "standing"),
    [
        ([], None, None, ("unknown", "No telemetry")),
        ([], 1.0, NOW - timedelta(hours=25), ("unknown", "Silent")),
        ([], 1.0, NOW, ("ok", "As promised")),
        ([], 0.98, NOW, ("watch", "Slipping")),
        ([], None, NOW, ("ok", "As promised")),
        (["warn", "dead", "breach"], 1.0, NOW, ("dead", "Dead letters")),
        (["warn"], 0.5, None, ("warn", "Warning")),
    ],
)
def test_a_process_is_judged_by_alerts_then_objective_then_silence(
    alerts: list[str], kept: float | None, last_at: datetime | None, standing: tuple[str, str]
) -> None:
    found = process_standing(alerts, kept=kept, objective=0.99, last_at=last_at, now=NOW)
    assert (found.state, found.word) == standing


def test_an_alert_is_as_loud_as_its_kind_or_else_its_severity() -> None:
    assert alert_state("dead_letter", "low") == "dead"
    assert alert_state("sla_breach", "low") == "breach"
    assert [alert_state("retry_storm", name) for name in ("critical", "high", "low", "odd")] == [
        "breach",
        "warn",
        "watch",
        "watch",
    ]


def test_nothing_is_ok_and_anything_is_worse_than_nothing() -> None:
    assert worst([]) == "ok"
    assert worst(["ok", "unknown", "watch"]) == "watch"


def test_a_process_is_suggested_by_common_words_and_never_by_a_guess() -> None:
    words = {1: words_of(["Order release"]), 2: words_of(["Label printing"])}
    assert suggest("orders.tasks.release", words) == 1
    assert suggest("print_labels job", words) == 2
    assert suggest("edi_997_ack", words) is None
    assert suggest("", words) is None
