"""What happens when something falls due: a run passes its promise, an alert has gone quiet, a notification waits."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from monitoring.alert.raising import QUIET_AFTER, alert
from monitoring.alert.resolving import resolve_alerts
from monitoring.catalogue import catalogue, process_facts
from monitoring.desk import Desk
from monitoring.detect.step import detect
from monitoring.facts import BusinessKey as Key
from monitoring.findings import Kind, SlaWindow, WorkflowFacts
from monitoring.live import announce
from monitoring.models import Alert, BusinessKey, Run
from monitoring.models.alerts import AlertStatus
from monitoring.models.delivery import TimerKind
from monitoring.models.telemetry import SlaState
from monitoring.notify.delivery import deliver
from monitoring.notify.outbox import notifications_write, notify
from monitoring.project.anew import project_units
from monitoring.project.dead_letters import unit_of_letter
from monitoring.project.windows import sla_kind
from monitoring.settle.runs import runs_settle
from monitoring.stages import Projected
from monitoring.timers import Due, timer_done, timers_clear, timers_set
from partners.scope import tenant_scope

ACTOR = "system:clock"
#: So many runs are settled together: those of one time mostly stand in the same requests.
_TOGETHER = 100

_log = logging.getLogger(__name__)


def due_handle(due: Due, now: datetime) -> None:
    """Deal with one claimed timer in its tenant's scope."""
    _HANDLERS[due.kind](due, now)


def runs_due_settle(dues: Sequence[Due], now: datetime) -> None:
    """Settle the runs of these timers, those of a tenant together. One that fails is left to its lease."""
    by_tenant: dict[int, list[int]] = defaultdict(list)
    for due in dues:
        by_tenant[due.tenant_id].append(due.ref)
    for tenant_id, refs in sorted(by_tenant.items()):
        for start in range(0, len(refs), _TOGETHER):
            _settle_together(tenant_id, refs[start : start + _TOGETHER], now)


def _settle_together(tenant_id: int, refs: Sequence[int], now: datetime) -> None:
    try:
        runs_settle(tenant_id, refs, now)
    except Exception:  # noqa: BLE001  One run that fails must not hold up the others; its lease brings it back.
        _log.exception("%d runs of tenant %d could not be settled together", len(refs), tenant_id)
        for ref in refs if len(refs) > 1 else ():
            _settle_together(tenant_id, [ref], now)


def _is_past_due(due: Due, now: datetime) -> bool:
    with tenant_scope(due.tenant_id, actor=ACTOR):
        running = Run.objects.filter(pk=due.ref, sla_state=SlaState.RUNNING, root_seen=False)
        return bool(running.filter(sla_due_at__lte=now).exists())


def _run_sla(due: Due, now: datetime) -> None:
    if _is_past_due(due, now):
        # Its root may report elsewhere, and the run be done: then it is not late.
        runs_settle(due.tenant_id, [due.ref], now, told_in_full=True)
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
        running.update(sla_state=SlaState.BREACHED)
        timers_clear(due.tenant_id, TimerKind.RUN_SLA, [run.pk])
        desk = Desk(due.tenant_id, (), catalogue(), now)
        keys = BusinessKey.objects.filter(run=run).order_by("pk").values_list("key_type", "value")[:20]
        window = SlaWindow(
            workflow=WorkflowFacts(run.workflow_id, run.workflow.name, run.workflow.source_system),
            process=process_facts(desk.catalogue, run.process_id),
            run_id=run.pk,
            sla_kind=sla_kind(desk, run.process_id, run.kind.sla_id),
            started_at=run.started_at,
            ended_at=None,
            due_at=run.sla_due_at,
            keys=tuple(Key(*key) for key in keys),
            now=now,
        )
        notify(alert(detect(Projected(promises=(window,), runs=1), desk), desk), desk)


def _run_quiet(due: Due, now: datetime) -> None:
    with tenant_scope(due.tenant_id, actor=ACTOR):
        rootless = Run.objects.filter(pk=due.ref, root_seen=False).exists()
    if rootless:
        runs_settle(due.tenant_id, [due.ref], now, told_in_full=True)
    with tenant_scope(due.tenant_id, actor=ACTOR):
        timer_done(due, now)


def _run_settle(due: Due, now: datetime) -> None:
    runs_settle(due.tenant_id, [due.ref], now)


def _dead_letter(due: Due, now: datetime) -> None:
    with tenant_scope(due.tenant_id, actor=ACTOR):
        timers_clear(due.tenant_id, TimerKind.DEAD_LETTER, [due.ref])
        unit_id = unit_of_letter(due.ref)
        if unit_id is not None:
            desk = Desk(due.tenant_id, (), catalogue(), now)
            projected, _ = project_units([unit_id], desk)
            notify(alert(detect(projected, desk), desk), desk)


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
    TimerKind.RUN_SETTLE: _run_settle,
    TimerKind.DEAD_LETTER: _dead_letter,
    TimerKind.ALERT_QUIET: _alert_quiet,
    TimerKind.NOTIFICATION: _notification,
}
