"""Stories of detection: telemetry goes in, alerts come out, grow, and end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitoring.models import Alert, AlertEvent, DetectorSetting, Process, Run, Sla, WorkflowMinute
from tests.cast import Member
from tests.monitoring.line import attempt, died, event, now, redriven, span, take, take_events, traces
from tests.monitoring.stories import alerts, look_after, storm
from tests.rows import make_process, make_rule, make_sla


@pytest.fixture
def process(owner: Member) -> Process:
    """A critical process with an owner, promised within a minute."""
    with owner.scope():
        made = make_process(name="Order release ERP → MES", owner=owner.user, criticality="critical")
        make_sla(made, name="released in a minute", target_s=60)
        make_rule(made, condition="resource['service.name'] == 'erp-bridge'", keys=[])
        make_rule(made, condition="event.source.endsWith('/rabbitmq')")
    return made


def test_it_raises_a_dead_letter_with_process_owner_and_promise(owner: Member, process: Process) -> None:
    take_events(owner.tenant.pk, died("m-1", order_id="4711"))
    [alert] = alerts(owner, "dead_letter")
    assert alert.title == "Order release ERP → MES: 1 order stuck in dead-letter queue orders.dlq"
    assert (alert.status, alert.severity, alert.count) == ("firing", "critical", 1)
    assert alert.process == process
    assert alert.process is not None
    assert alert.process.owner == owner.user
    with owner.scope():
        assert Sla.objects.get(pk=alert.sla_id).name == "released in a minute"
    assert (alert.keys, alert.evidence[0]["type"]) == (
        [{"type": "message", "value": "m-1"}, {"type": "order", "value": "4711"}],
        "dead_letter",
    )


def test_it_counts_a_second_one_in_the_same_alert(owner: Member, process: Process) -> None:
    take_events(owner.tenant.pk, died("m-1", order_id="4711"))
    take_events(owner.tenant.pk, died("m-2", order_id="4712"))
    [alert] = alerts(owner, "dead_letter")
    assert (alert.count, {key["value"] for key in alert.keys}) == (2, {"4711", "4712", "m-1", "m-2"})
    assert alert.last_seen_at > alert.first_seen_at


def test_it_counts_messages_once_there_are_too_many_to_read_each_again(owner: Member, process: Process) -> None:
    take_events(owner.tenant.pk, *(died(f"m-{number}", order_id=str(number)) for number in range(499)))
    take_events(owner.tenant.pk, died("m-499", order_id="499"))
    assert [alert.title.partition(" stuck")[0] for alert in alerts(owner, "dead_letter")] == [
        "Order release ERP → MES: 500 orders"
    ]
    take_events(owner.tenant.pk, died("m-500", order_id="500"))
    [alert] = alerts(owner, "dead_letter")
    assert (alert.title.partition(" stuck")[0], alert.count) == ("Order release ERP → MES: 501 messages", 501)


def test_it_keeps_another_error_in_another_alert(owner: Member, process: Process) -> None:
    take_events(owner.tenant.pk, died("m-1"), died("m-2", error_class="ValueError"))
    assert [alert.count for alert in alerts(owner, "dead_letter")] == [1, 1]


def test_it_resolves_once_the_last_one_was_redriven(owner: Member, process: Process) -> None:
    take_events(owner.tenant.pk, died("m-1"), died("m-2"))
    take_events(owner.tenant.pk, redriven("m-1"))
    assert [alert.status for alert in alerts(owner, "dead_letter")] == ["firing"]
    take_events(owner.tenant.pk, redriven("m-2"))
    [alert] = alerts(owner, "dead_letter")
    assert (alert.status, alert.resolution) == (
        "resolved",
        "Every dead letter of it was redriven, discarded or accepted.",
    )
    with owner.scope():
        assert list(AlertEvent.objects.order_by("pk").values_list("action", "actor")) == [
            ("raised", "system:detector"),
            ("resolved", "system:detector"),
        ]


def test_it_opens_a_new_alert_for_a_unit_that_dies_again(owner: Member, process: Process) -> None:
    take_events(owner.tenant.pk, died("m-1"))
    take_events(owner.tenant.pk, redriven("m-1"))
    take_events(owner.tenant.pk, died("m-1", attempts=5))
    first, second = alerts(owner, "dead_letter")
    assert (first.status, second.status, second.count) == ("resolved", "firing", 1)
    assert "had been redriven before" in second.reason


def test_it_keeps_history_quiet_and_in_its_own_time(owner: Member, process: Process) -> None:
    yesterday = now() - timedelta(days=1)
    take_events(owner.tenant.pk, died("m-1", at=yesterday))
    [alert] = alerts(owner, "dead_letter")
    assert (alert.first_seen_at, alert.raised_at > yesterday + timedelta(hours=23)) == (yesterday, True)


def test_it_raises_one_storm_that_builds_up_over_several_requests(owner: Member, process: Process) -> None:
    at = now().replace(second=10, microsecond=0) - timedelta(minutes=2)
    for body in storm(30, 3, at):
        take(owner.tenant.pk, body)
    [alert] = alerts(owner, "retry_storm")
    assert (alert.status, alert.process) == ("firing", process)
    assert (alert.figures["first_attempts"], alert.figures["retries"], alert.figures["amplification"]) == (30, 60, 3.0)
    assert "TimeoutError" in alert.reason


@pytest.mark.parametrize(("units", "hit"), [(500, "500 orders hit"), (501, "501 messages hit")])
def test_it_counts_every_unit_of_a_storm_and_the_orders_while_all_are_read(
    owner: Member, process: Process, units: int, hit: str
) -> None:
    at = now().replace(second=10, microsecond=0) - timedelta(minutes=2)
    for body in storm(units, 2, at):
        take(owner.tenant.pk, body)
    [alert] = alerts(owner, "retry_storm")
    assert (alert.figures["units"], alert.figures["first_attempts"]) == (units, units)
    assert alert.evidence[0]["note"] == f"units by attempts: {units} with 2"
    assert hit in [part["why"] for part in alert.impact_parts]


@pytest.mark.parametrize(("first", "again", "told"), [(100, 15, 15), (3_500, 520, 3_500)])
def test_it_warns_of_rising_retries_with_the_newest_of_them(
    owner: Member, process: Process, first: int, again: int, told: int
) -> None:
    at = now().replace(second=10, microsecond=0)
    earlier = [attempt(f"before-{unit}", 1 + (unit > 8), at=at - timedelta(minutes=8)) for unit in range(12)]
    well = [attempt(f"unit-{unit}", 1, at=at - timedelta(minutes=2), lasts_s=0.1) for unit in range(first)]
    tries = [attempt(f"unit-{unit}", 2, at=at - timedelta(seconds=90), lasts_s=0.1) for unit in range(again)]
    for spans in (earlier, well, tries):
        take(owner.tenant.pk, traces(*spans))
    [alert] = alerts(owner, "retry_storm")
    said = {name: alert.figures[name] for name in ("level", "first_attempts", "retries", "units")}
    assert said == {"level": "warning", "first_attempts": first, "retries": again, "units": told}
    assert (len(alert.evidence), alert.evidence[0]["note"]) == (
        min(20, again),
        f"units by attempts: {min(again, 500)} with 2",
    )


def test_it_takes_healthy_traffic_for_what_it_is(owner: Member, process: Process) -> None:
    at = now() - timedelta(minutes=2)
    well = [attempt(f"unit-{unit}", 1, at=at, lasts_s=0.1) for unit in range(200)]
    again = [attempt(f"unit-{unit}", 2, at=at + timedelta(seconds=1), lasts_s=0.1) for unit in range(12)]
    for body in (traces(*well), traces(*again)):
        take(owner.tenant.pk, body)
    assert alerts(owner, "retry_storm") == []
    with owner.scope():
        assert sum(row.retries for row in WorkflowMinute.objects.all()) == 12


def test_it_says_on_completion_that_a_promise_was_broken(owner: Member, process: Process) -> None:
    take(owner.tenant.pk, traces(span("release", lasts_s=59, said={"order.id": "4711"})))
    assert alerts(owner, "sla_breach") == []
    take(owner.tenant.pk, traces(span("release", lasts_s=90, said={"order.id": "4712"})))
    [alert] = alerts(owner, "sla_breach")
    assert alert.title == "Order release ERP → MES: order 4712 ended, 30 s past the due time"
    with owner.scope():
        assert sorted(Run.objects.values_list("sla_state", flat=True)) == ["breached", "met"]


def test_it_says_so_too_when_the_request_that_ends_the_run_names_its_workflow_less_surely(
    owner: Member, process: Process
) -> None:
    at = now() - timedelta(minutes=3)
    named = span("execute", trace=6, number=2, parent=1, at=at, said={"andon.workflow": "order-release"})
    root = span("handle", trace=6, number=1, at=at, lasts_s=120)
    take(owner.tenant.pk, traces(named))
    take(owner.tenant.pk, traces(root))
    assert [alert.count for alert in alerts(owner, "sla_breach")] == [1]


def test_it_names_an_automation_that_serves_no_process_once(owner: Member, process: Process) -> None:
    for _ in range(2):
        take(owner.tenant.pk, traces(span("sync stock"), service="wms"))
    [alert] = alerts(owner, "unmapped")
    assert alert.title == "wms: sync stock (otel) serves no process yet: 1 run without an owner"
    assert (alert.count, alert.process_id) == (1, None)


def test_it_finds_nothing_with_a_detector_that_the_tenant_switched_off(owner: Member, process: Process) -> None:
    with owner.scope():
        DetectorSetting.objects.create(kind="dead_letter", enabled=False)
    take_events(owner.tenant.pk, died("m-1"))
    assert alerts(owner, "dead_letter") == []


def test_it_grows_louder_and_never_quieter(owner: Member, process: Process) -> None:
    with owner.scope():
        process.criticality = "normal"
        process.save()
        DetectorSetting.objects.create(kind="dead_letter", thresholds={"many_open": 3})
    seen = []
    for number in range(4):
        take_events(owner.tenant.pk, died(f"m-{number}"))
        seen.append(alerts(owner, "dead_letter")[0].severity)
        if number == 2:
            take_events(owner.tenant.pk, redriven("m-0"), redriven("m-1"))
    assert seen == ["medium", "medium", "high", "high"]


def test_it_shows_a_stranger_nothing_of_it(owner: Member, stranger: Member, process: Process) -> None:
    take_events(owner.tenant.pk, died("m-1"), event("order.released"))
    assert alerts(stranger, "dead_letter") == []


def test_an_alert_about_an_unowned_automation_ends_when_a_rule_claims_it(owner: Member) -> None:
    take(owner.tenant.pk, traces(span("order.release"), service="erp-new"))
    with owner.scope():
        assert Alert.objects.get(kind="unmapped").status == "firing"
        make_rule(make_process(name="Order release"), condition="resource['service.name'] == 'erp-new'")
    take(owner.tenant.pk, traces(span("order.release"), service="erp-new"))
    with owner.scope():
        alert = Alert.objects.get(kind="unmapped")
        assert (alert.status, alert.resolution) == ("resolved", "A mapping rule ties it to a process now.")


def test_a_long_storm_is_looked_at_ever_less_often_and_told_of_within_a_third(
    owner: Member, process: Process, django_capture_on_commit_callbacks: Any
) -> None:
    at = now().replace(second=10, microsecond=0) - timedelta(minutes=2)
    requests = 60
    for number in range(requests):
        told = [attempt(f"unit-{number}", tried, failed=True, at=at, lasts_s=0.1) for tried in range(1, 6)]
        look_after(owner, traces(*told), django_capture_on_commit_callbacks)
        raised = alerts(owner, "retry_storm")
        assert all(alert.figures["retries"] * 3 >= 2 * 4 * (number + 1) for alert in raised)
    [alert] = raised
    assert alert.count < requests / 4
