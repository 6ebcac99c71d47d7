"""The registry: each window goes to its detectors, thresholds by kind, and others may join; unmapped besides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from monitoring.detect import registry
from monitoring.detect.unmapped import Unmapped
from monitoring.findings import Finding, Kind, Severity, UnmappedWindow
from tests.monitoring.samples import NOW, ORDER_RELEASE

WINDOW = UnmappedWindow(ORDER_RELEASE, NOW - timedelta(hours=1), 12, 1, "no mapping rule of 3 holds", NOW)


class Counting:
    """A detector of somebody else's: repeats what the threshold says."""

    kind = Kind.UNGOVERNED_CHANGE
    window: type[Any] = UnmappedWindow

    def examine(self, window: UnmappedWindow, thresholds: Mapping[str, float]) -> tuple[Finding, ...]:
        return (
            Finding(
                kind=self.kind, severity=Severity.LOW, title=f"limit {thresholds['limit']}", fingerprint="x",
                occurred_at=window.now, count=1, workflow_id=7, process_id=None, reason="",
            ),
        )  # fmt: skip


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_added", [])
    registry.register(Counting())
    registry.register(Counting())


@pytest.mark.usefixtures("_registered")
def test_it_runs_a_registered_detector_once_with_its_own_thresholds() -> None:
    found = registry.examine(WINDOW, {"ungoverned_change": {"limit": 4.0}, "unmapped": {"busy": 5.0}})

    assert [(finding.kind.value, finding.severity.value) for finding in found] == [
        ("unmapped", "medium"), ("ungoverned_change", "low"),
    ]  # fmt: skip
    assert found[1].title == "limit 4.0"


def test_it_has_nothing_to_say_about_what_no_detector_looks_at() -> None:
    assert registry.examine(object(), {}) == ()


def test_it_keeps_one_built_in_detector_for_each_kind() -> None:
    assert {detector.kind.value for detector in registry.BUILT_IN} == {
        "dead_letter", "retry_storm", "sla_breach", "unmapped",
    }  # fmt: skip


def test_it_finds_the_automation_that_serves_no_process() -> None:
    (finding,) = Unmapped().examine(WINDOW, {})

    assert finding.title == (
        "erp-bridge: release order (otel) serves no process yet: 12 runs and 1 event without an owner"
    )  # fmt: skip
    assert finding.fingerprint == "unmapped:7"
    assert finding.reason == "no mapping rule of 3 holds; first seen 2026-11-21T08:00:00+00:00"
    assert finding.next_step.action == "assign_process"
