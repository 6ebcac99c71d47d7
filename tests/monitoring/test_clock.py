"""What happens when something falls due; the clock's hands are an argument."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from monitoring import tasks
from monitoring.clock import TOGETHER, due_handle, due_handle_together
from monitoring.models import Alert, Notification, Process, Run, Timer, WorkflowMinute
from monitoring.models.delivery import TimerKind
from monitoring.tasks import notification_deliver, timers_sweep
from monitoring.timers import LEASE, Due, timers_claim, timers_clear, timers_set
from partners.scope import NoTenantScope
from tests.cast import Member
from tests.monitoring.line import span, take, traces
from tests.rows import make_channel, make_process, make_rule, make_sla


@pytest.fixture
def process(owner: Member) -> Process:
    """A process that is promised within a minute."""
    return _promised(owner)


def _promised(member: Member) -> Process:
    with member.scope():
        made = make_process(name="Order release", owner=member.user)
        make_sla(made, target_s=60)
        make_rule(made, condition="resource['service.name'] == 'erp-bridge'")
        make_channel(min_severity="low")
    return made


def stuck(member: Member, at: datetime) -> Run:
    """A run whose first step has been told of and whose end has not."""
    take(
        member.tenant.pk,
        traces(span("call mes", trace=4, number=2, parent=1, kind=3, at=at, said={"order.id": "4711"})),
    )
    with member.scope():
        run: Run = Run.objects.get()
    return run


def timers(member: Member) -> list[tuple[str, datetime]]:
    return list(Timer.objects.filter(tenant=member.tenant).order_by("due_at").values_list("kind", "due_at"))


def test_it_sets_the_clock_on_a_run_that_is_not_done(owner: Member, process: Process) -> None:
    run = stuck(owner, timezone.now())
    assert ("run_sla", run.started_at + timedelta(minutes=1)) in timers(owner)


def test_it_breaches_a_stuck_run_when_its_time_is_over(owner: Member, process: Process) -> None:
    run = stuck(owner, timezone.now())
    assert run.sla_due_at is not None
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_SLA, run.pk), run.sla_due_at + timedelta(seconds=5))
    with owner.scope():
        alert = Alert.objects.get(kind="sla_breach")
        assert alert.title == "Order release: order 4711 still open, 5 s past the due time"
        assert Run.objects.get().sla_state == "breached"
        assert Notification.objects.filter(alert=alert, state="intended").count() == 1
    assert [kind for kind, _ in timers(owner)].count("run_sla") == 0


def test_it_breaches_it_once_however_often_it_is_called(owner: Member, process: Process) -> None:
    run = stuck(owner, timezone.now())
    for seconds in (70, 71, 72):
        due_handle(Due(owner.tenant.pk, TimerKind.RUN_SLA, run.pk), run.started_at + timedelta(seconds=seconds))
    with owner.scope():
        assert Alert.objects.get(kind="sla_breach").count == 1


def test_it_counts_the_breach_once_when_the_run_ends_after_all(owner: Member, process: Process) -> None:
    run = stuck(owner, timezone.now() - timedelta(minutes=5))
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_SLA, run.pk), timezone.now())
    take(owner.tenant.pk, traces(span("release", trace=4, number=1, at=run.started_at, lasts_s=200)))
    with owner.scope():
        assert (Alert.objects.get(kind="sla_breach").count, Run.objects.get().sla_state) == (1, "breached")


def test_it_leaves_a_run_alone_that_has_ended_meanwhile(owner: Member, process: Process) -> None:
    run = stuck(owner, timezone.now())
    take(owner.tenant.pk, traces(span("release", trace=4, number=1, at=run.started_at, lasts_s=30)))
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_SLA, run.pk), run.started_at + timedelta(minutes=9))
    with owner.scope():
        assert Alert.objects.filter(kind="sla_breach").count() == 0
        assert Run.objects.get().sla_state == "met"


def test_it_winds_itself_up_again_when_it_was_called_too_early(owner: Member, process: Process) -> None:
    """A timer that was claimed just before its run was given more time must not be lost."""
    run = stuck(owner, timezone.now())
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_SLA, run.pk), run.started_at + timedelta(seconds=30))
    assert ("run_sla", run.sla_due_at) in timers(owner)


@pytest.mark.parametrize("kind", list(TimerKind))
def test_it_forgets_what_is_gone(owner: Member, kind: TimerKind) -> None:
    now, due = timezone.now(), Due(owner.tenant.pk, kind, 999)
    timers_set(owner.tenant.pk, kind, [(999, now)])
    if kind in TOGETHER:
        due_handle_together([due], now)
    else:
        due_handle(due, now)
    assert timers(owner) == []


def test_it_claims_what_is_due_once_until_the_lease_is_over(owner: Member) -> None:
    now = timezone.now()
    timers_set(owner.tenant.pk, TimerKind.RUN_SLA, [(1, now), (2, now + timedelta(hours=1))])
    assert timers_claim(now) == [Due(owner.tenant.pk, TimerKind.RUN_SLA, 1)]
    assert timers_claim(now) == []
    assert timers_claim(now + LEASE) == [Due(owner.tenant.pk, TimerKind.RUN_SLA, 1)]


def test_setting_a_timer_again_moves_it_and_clearing_it_twice_changes_nothing(owner: Member) -> None:
    now = timezone.now()
    for hours in (1, 2):
        timers_set(owner.tenant.pk, TimerKind.ALERT_QUIET, [(7, now + timedelta(hours=hours))])
    assert timers(owner) == [("alert_quiet", now + timedelta(hours=2))]
    for _ in range(2):
        timers_clear(owner.tenant.pk, TimerKind.ALERT_QUIET, [7])
    assert timers(owner) == []


def test_it_deals_with_two_tenants_each_in_its_own_scope(
    owner: Member, stranger: Member, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    _promised(stranger)
    runs = {member.tenant.pk: stuck(member, timezone.now() - timedelta(minutes=5)) for member in (owner, stranger)}
    seen: list[tuple[int, int]] = []

    def watched(due: Due, now: datetime) -> None:
        due_handle(due, now)
        seen.append((due.tenant_id, due.ref))

    monkeypatch.setattr(tasks, "due_handle", watched)
    timers_sweep()
    assert {(tenant, run.pk) for tenant, run in runs.items()} <= set(seen)
    for member in (owner, stranger):
        with member.scope():
            assert [alert.title.split(",")[0] for alert in Alert.objects.filter(kind="sla_breach")] == [
                "Order release: order 4711 still open"
            ]


def test_one_timer_that_fails_holds_up_no_other(
    owner: Member, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stuck(owner, timezone.now() - timedelta(minutes=5))
    timers_set(owner.tenant.pk, TimerKind.ALERT_QUIET, [(999, timezone.now() - timedelta(hours=1))])

    def brittle(due: Due, now: datetime) -> None:
        if due.ref == 999:
            raise RuntimeError("this one is broken")
        due_handle(due, now)

    monkeypatch.setattr(tasks, "due_handle", brittle)
    timers_sweep()
    with owner.scope():
        assert Run.objects.get(pk=run.pk).sla_state == "breached"


@pytest.mark.parametrize("arguments", [(), (1,), (None, 1), (0, 1)])
def test_a_task_without_a_tenant_fails(db: None, arguments: tuple[object, ...]) -> None:
    with pytest.raises((TypeError, NoTenantScope), match=r"missing 1 required|missing 2 required|names no tenant"):
        notification_deliver(*arguments)


def called_from_elsewhere(member: Member, *, failed: bool = False) -> Run:
    """A run whose caller does not report here: its root will never come."""
    at = timezone.now() - timedelta(seconds=30)
    take(member.tenant.pk, traces(span("POST /release", trace=5, number=2, parent=1, at=at, lasts_s=20, failed=failed)))
    with member.scope():
        run: Run = Run.objects.get()
    return run


@pytest.mark.parametrize(("failed", "status", "state"), [(False, "ok", "met"), (True, "error", "failed")])
def test_it_takes_a_run_as_done_whose_root_reports_elsewhere(
    owner: Member, process: Process, failed: bool, status: str, state: str
) -> None:
    run = called_from_elsewhere(owner, failed=failed)
    assert run.status == "running"
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_QUIET, run.pk), timezone.now() + timedelta(minutes=10))
    with owner.scope():
        assert Run.objects.values_list("status", "sla_state", "span_count").get() == (status, state, 1)
        assert WorkflowMinute.objects.values_list("runs", "failed").get() == (1, int(failed))
    assert "run_quiet" not in [kind for kind, _ in timers(owner)]


def test_it_does_not_call_such_a_run_late(owner: Member, process: Process) -> None:
    run = called_from_elsewhere(owner)
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_SLA, run.pk), timezone.now() + timedelta(minutes=5))
    with owner.scope():
        assert Alert.objects.filter(kind="sla_breach").count() == 0
        assert Run.objects.get().sla_state == "met"


def test_it_counts_such_a_run_once_when_its_root_comes_after_all(owner: Member, process: Process) -> None:
    run = called_from_elsewhere(owner)
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_QUIET, run.pk), timezone.now())
    take(owner.tenant.pk, traces(span("release", trace=5, number=1, at=run.started_at, lasts_s=90)))
    with owner.scope():
        assert sum(WorkflowMinute.objects.values_list("runs", flat=True)) == 1
        assert Run.objects.values_list("root_name", "sla_state").get() == ("release", "breached")


def test_it_waits_on_for_a_root_that_is_still_open(owner: Member, process: Process) -> None:
    run = stuck(owner, timezone.now())
    due_handle(Due(owner.tenant.pk, TimerKind.RUN_QUIET, run.pk), timezone.now() + timedelta(minutes=10))
    with owner.scope():
        assert Run.objects.get().status == "running"
