"""What happens when something falls due: a run passes its promise, an alert has gone quiet, a notification waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitoring.alert.raising import QUIET_AFTER, alert
from monitoring.alert.resolving import resolve_alerts
from monitoring.catalogue import catalogue, process_facts
from monitoring.desk import Desk
from monitoring.detect.step import detect
from monitoring.facts import BusinessKey as Key
from monitoring.facts import Identity, Mapped, MappingVerdict, Rank, RunFact
from monitoring.findings import Kind, SlaWindow, WorkflowFacts
from monitoring.live import announce
from monitoring.models import Alert, BusinessKey, Run
from monitoring.models.alerts import AlertStatus
from monitoring.models.delivery import TimerKind
from monitoring.models.telemetry import SlaState
from monitoring.notify.delivery import deliver
from monitoring.notify.outbox import notifications_write, notify
from monitoring.project import project
from monitoring.project.local_root import entries_without_root, has_failed
from monitoring.project.windows import sla_kind
from monitoring.selectors.payloads import intakes
from monitoring.selectors.spans import spans_within
from monitoring.stages import Projected
from monitoring.timers import Due, timers_clear, timers_set
from partners.scope import tenant_scope

ACTOR = "system:clock"


def due_handle(due: Due, now: datetime) -> None:
    """Deal with one claimed timer in its tenant's scope."""
    _HANDLERS[due.kind](due, now)


def _run_sla(due: Due, now: datetime) -> None:
    with tenant_scope(due.tenant_id, actor=ACTOR):
        # The row before its timer, as intake locks them. A run whose root arrived meanwhile is left alone.
        running = Run.objects.filter(pk=due.ref, sla_state=SlaState.RUNNING, root_seen=False)
        run = running.select_for_update(of=("self",)).select_related("workflow").first()
        if run is None or run.sla_due_at is None:
            timers_clear(due.tenant_id, TimerKind.RUN_SLA, [due.ref])
            return
        if run.sla_due_at > now:
            timers_set(due.tenant_id, TimerKind.RUN_SLA, [(run.pk, run.sla_due_at)])
            return
        if _complete_without_root(run, now):
            return
        running.update(sla_state=SlaState.BREACHED)
        timers_clear(due.tenant_id, TimerKind.RUN_SLA, [run.pk])
        desk = Desk(due.tenant_id, 0, catalogue(), now)
        keys = BusinessKey.objects.filter(run=run).order_by("pk").values_list("key_type", "value")[:20]
        window = SlaWindow(
            workflow=WorkflowFacts(run.workflow_id, run.workflow.name, run.workflow.source_system),
            process=process_facts(desk.catalogue, run.process_id),
            run_id=run.pk,
            sla_kind=sla_kind(desk, run.process_id, run.sla_id),
            started_at=run.started_at,
            ended_at=None,
            due_at=run.sla_due_at,
            keys=tuple(Key(*key) for key in keys),
            now=now,
        )
        notify(alert(detect(Projected(promises=(window,), runs=1), desk), desk), desk)


def _run_quiet(due: Due, now: datetime) -> None:
    with tenant_scope(due.tenant_id, actor=ACTOR):
        rootless = Run.objects.filter(pk=due.ref, root_seen=False)
        run = rootless.select_for_update(of=("self",)).select_related("workflow").first()
        timers_clear(due.tenant_id, TimerKind.RUN_QUIET, [due.ref])
        if run is not None:
            _complete_without_root(run, now)


def _complete_without_root(run: Run, now: datetime) -> bool:
    """Take a run as done whose root reports elsewhere, if nothing of it is still open; say whether it was."""
    entries = entries_without_root(spans_within(intakes(run.intakes), bytes(run.trace_id)))
    if not entries:
        return False
    desk = Desk(run.tenant_id, 0, catalogue(), now)
    fact = RunFact(
        trace_id=bytes(run.trace_id),
        identity=Identity(run.workflow.source_system, run.workflow.source_key, run.workflow.name, rank=Rank.GUESS),
        verdict=MappingVerdict(run.process_id, run.mapping_rule_id, run.mapping_reason, site_id=run.site_id),
        started_at=run.started_at,
        ended_at=run.ended_at,
        root_seen=True,
        root_failed=has_failed(entries),
        span_count=0,
        error_count=0,
    )
    notify(alert(detect(project(Mapped(runs=(fact,)), desk), desk), desk), desk)
    return True


def _alert_quiet(due: Due, now: datetime) -> None:
    with tenant_scope(due.tenant_id, actor=ACTOR):
        open_alert = Alert.objects.filter(pk=due.ref).exclude(status=AlertStatus.RESOLVED)
        row = open_alert.select_for_update(of=("self",)).first()
        if row is None:
            timers_clear(due.tenant_id, TimerKind.ALERT_QUIET, [due.ref])
            return
        quiet = QUIET_AFTER[Kind(row.kind)]
        over_at = row.last_seen_at + quiet
        if over_at > now:
            timers_set(due.tenant_id, TimerKind.ALERT_QUIET, [(row.pk, over_at)])
            return
        timers_clear(due.tenant_id, TimerKind.ALERT_QUIET, [row.pk])
        minutes = int(quiet.total_seconds() // 60)
        resolved = resolve_alerts(
            [row.pk], due.tenant_id, over_at, f"Nothing more of it was seen for {minutes} minutes."
        )
        notifications_write(resolved, "resolved", now)
        announce(due.tenant_id, ["alerts", "board"])


def _notification(due: Due, now: datetime) -> None:
    deliver(due.tenant_id, due.ref, now)


_HANDLERS: dict[TimerKind, Callable[[Due, datetime], None]] = {
    TimerKind.RUN_SLA: _run_sla,
    TimerKind.RUN_QUIET: _run_quiet,
    TimerKind.ALERT_QUIET: _alert_quiet,
    TimerKind.NOTIFICATION: _notification,
}
