"""What the clock does with an alert that stands: a storm is told of to its end, and ends when it has gone quiet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from monitoring.clock import due_handle
from monitoring.models import Alert, Process, Run, Timer
from monitoring.models.delivery import TimerKind
from monitoring.project.windows import WindowReader
from monitoring.services.alerts import alert_reopen, alert_resolve
from monitoring.settle.runs import runs_settle
from monitoring.timers import Due
from tests.cast import Member
from tests.monitoring.line import attempt, now, span, take, traces
from tests.monitoring.stories import alerts, look_after, storm
from tests.rows import make_process, make_rule


@pytest.fixture
def process(owner: Member) -> Process:
    """What the bridge's runs belong to."""
    with owner.scope():
        made = make_process(name="Order release ERP → MES", owner=owner.user)
        make_rule(made, condition="resource['service.name'] == 'erp-bridge'")
    return made


def stormy(member: Member, ago: timedelta) -> tuple[Alert, Due]:
    """A storm of so long ago: its alert, and what falls due for it."""
    for body in storm(30, 3, now().replace(second=10, microsecond=0) - ago):
        take(member.tenant.pk, body)
    [alert] = alerts(member, "retry_storm")
    return alert, Due(member.tenant.pk, TimerKind.ALERT_QUIET, alert.pk)


def test_it_tells_by_the_clock_of_a_storms_last_retries(
    owner: Member, process: Process, django_capture_on_commit_callbacks: Any
) -> None:
    begun = now()
    at = begun.replace(second=10, microsecond=0) - timedelta(minutes=2)
    few = traces(*(attempt(f"unit-{unit}", 3, failed=True, at=at, lasts_s=0.1) for unit in range(3)))
    for body in (*storm(60, 2, at), few):
        look_after(owner, body, django_capture_on_commit_callbacks)
    [alert] = alerts(owner, "retry_storm")
    assert alert.figures["retries"] == 60
    due = Due(owner.tenant.pk, TimerKind.ALERT_QUIET, alert.pk)
    timer = Timer.objects.get(tenant=owner.tenant, kind=due.kind, ref=due.ref)
    assert begun + timedelta(seconds=60) <= timer.due_at <= now() + timedelta(seconds=60)
    for minutes in (1, 2):
        due_handle(due, begun + timedelta(minutes=minutes))
        [later] = alerts(owner, "retry_storm")
        assert (later.figures["retries"], later.count) == (63, alert.count + 1)
        assert later.evidence[0]["note"] == "units by attempts: 57 with 2, 3 with 3"
    few = traces(*(attempt(f"unit-{unit}", 4, failed=True, at=at + timedelta(minutes=1)) for unit in range(2)))
    look_after(owner, few, django_capture_on_commit_callbacks)
    due_handle(due, begun + timedelta(minutes=3))
    [later] = alerts(owner, "retry_storm")
    assert (later.figures["retries"], later.last_seen_at) == (65, alert.last_seen_at + timedelta(minutes=1))


def test_it_ends_the_storm_by_the_clock_a_quarter_of_an_hour_later(owner: Member, process: Process) -> None:
    alert, due = stormy(owner, timedelta(minutes=2))
    quiet_at = alert.last_seen_at + timedelta(minutes=15)
    due_handle(due, quiet_at - timedelta(seconds=1))
    assert [alert.status for alert in alerts(owner, "retry_storm")] == ["firing"]
    due_handle(due, quiet_at)
    [alert] = alerts(owner, "retry_storm")
    assert (alert.status, alert.resolved_at) == ("resolved", quiet_at)
    assert alert.resolution == "Nothing more of it was seen for 15 minutes."


def tries(number: int, units: int, at: datetime) -> bytes:
    return traces(*(attempt(f"unit-{unit}", number, failed=True, at=at, lasts_s=0.1) for unit in range(units)))


def test_a_later_retry_does_not_hide_the_last_ones_of_a_storm(
    owner: Member, process: Process, django_capture_on_commit_callbacks: Any
) -> None:
    at = now().replace(second=10, microsecond=0) - timedelta(minutes=14)
    for body in (*storm(60, 2, at), tries(3, 3, at)):
        look_after(owner, body, django_capture_on_commit_callbacks)
    take(owner.tenant.pk, tries(9, 1, at + timedelta(minutes=4)))
    take(owner.tenant.pk, tries(10, 1, at + timedelta(minutes=8)))
    [alert] = alerts(owner, "retry_storm")
    due_handle(Due(owner.tenant.pk, TimerKind.ALERT_QUIET, alert.pk), now())
    [later] = alerts(owner, "retry_storm")
    assert later.figures["retries"] == 64


def test_a_storm_of_a_clock_that_runs_ahead_hides_none_and_ends_like_any(
    owner: Member, process: Process, django_capture_on_commit_callbacks: Any
) -> None:
    begun = now()
    at = begun.replace(second=10, microsecond=0)
    ahead = [tries(number, 30, at + timedelta(hours=5)) for number in (1, 2)]
    for body in (*ahead, *storm(60, 2, at - timedelta(minutes=1))):
        look_after(owner, body, django_capture_on_commit_callbacks)
    [alert] = alerts(owner, "retry_storm")
    assert (alert.figures["retries"], alert.last_seen_at - at < timedelta(seconds=111)) == (60, True)
    due = Due(owner.tenant.pk, TimerKind.ALERT_QUIET, alert.pk)
    due_handle(due, begun + timedelta(minutes=1))
    [later] = alerts(owner, "retry_storm")
    assert (later.figures, later.count) == (alert.figures, alert.count)
    due_handle(due, alert.last_seen_at + timedelta(minutes=15))
    assert [alert.status for alert in alerts(owner, "retry_storm")] == ["resolved"]


def test_what_a_person_resolves_meanwhile_stays_resolved(
    owner: Member, process: Process, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    at = now().replace(second=10, microsecond=0) - timedelta(minutes=2)
    for body in (*storm(60, 2, at), tries(3, 3, at)):
        look_after(owner, body, django_capture_on_commit_callbacks)
    read = WindowReader.attempts_again

    def slowly(*asked: Any) -> Any:
        found = read(*asked)
        assert Alert.objects.filter(kind="retry_storm").update(status="resolved") == 1
        return found

    monkeypatch.setattr(WindowReader, "attempts_again", slowly)
    [alert] = alerts(owner, "retry_storm")
    due_handle(Due(owner.tenant.pk, TimerKind.ALERT_QUIET, alert.pk), now())
    assert [(alert.status, alert.figures["retries"]) for alert in alerts(owner, "retry_storm")] == [("resolved", 60)]


def test_a_storm_that_was_reopened_stands_for_a_quarter_of_an_hour_again(owner: Member, process: Process) -> None:
    alert, due = stormy(owner, timedelta(hours=1))
    with owner.scope():
        assert alert_resolve(alert=alert, resolution="The MES is up again.", viewer=owner.viewer).changed
    due_handle(due, now())
    timers = Timer.objects.filter(tenant=owner.tenant, kind=due.kind, ref=due.ref)
    assert not timers.exists()
    with owner.scope():
        assert alert_reopen(alert=alert, viewer=owner.viewer).changed
    assert timers.get().due_at <= now() + timedelta(minutes=1)
    for minutes, status in ((14, "firing"), (16, "resolved")):
        due_handle(due, now() + timedelta(minutes=minutes))
        assert [alert.status for alert in alerts(owner, "retry_storm")] == [status]


def test_a_dead_letter_whose_run_is_another_automations_takes_its_alert_along(owner: Member, process: Process) -> None:
    late = span("call mes", trace=7, number=2, parent=1, failed=True, said={"andon.unit_id": "m-1", "andon.attempt": 3,
                "andon.phase": "dead"})  # fmt: skip
    take(owner.tenant.pk, traces(late, service="mes-gateway"))
    [first] = alerts(owner, "dead_letter")
    take(owner.tenant.pk, traces(span("release order", trace=7, number=1, lasts_s=2)))
    with owner.scope():
        runs_settle(owner.tenant.pk, list(Run.objects.values_list("pk", flat=True)), now())
    was, stands = alerts(owner, "dead_letter")
    assert (was.pk, was.status, was.process) == (first.pk, "resolved", None)
    assert was.resolution == "Its last dead letters turned out to be another automation's; that one has an alert."
    assert (stands.status, stands.process, stands.count) == ("firing", process, 1)
