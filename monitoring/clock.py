"""What happens when something falls due: a run passes its promise, an alert has gone quiet, a notification waits."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db.models import Max

from monitoring.alert.raising import LOOK_AGAIN, QUIET_AFTER, alert, next_look
from monitoring.alert.resolving import resolve_alerts
from monitoring.catalogue import catalogue, process_facts
from monitoring.desk import Desk
from monitoring.detect.registry import heeds_tries
from monitoring.detect.step import detect
from monitoring.facts import BusinessKey as Key
from monitoring.findings import Kind, SlaWindow, WorkflowFacts
from monitoring.live import announce
from monitoring.models import Alert, AlertEvent, BusinessKey, Run
from monitoring.models.alerts import AlertStatus
from monitoring.models.delivery import TimerKind
from monitoring.models.telemetry import SlaState
from monitoring.notify.delivery import deliver
from monitoring.notify.outbox import notify, resolutions_write
from monitoring.project.anew import project_units
from monitoring.project.dead_letters import units_of_letters
from monitoring.project.windows import WindowReader, sla_kind
from monitoring.project.workflows import Workflows
from monitoring.settle.runs import runs_settle
from monitoring.stages import Projected
from monitoring.timers import Due, timers_clear, timers_done, timers_set
from partners.scope import tenant_scope

ACTOR = "system:clock"
#: So many are dealt with together: runs of one time mostly stand in the same requests.
_AT_ONCE = 100

_log = logging.getLogger(__name__)


def due_handle(due: Due, now: datetime) -> None:
    """Deal with one claimed timer in its tenant's scope."""
    _HANDLERS[due.kind](due, now)


def due_handle_together(dues: Sequence[Due], now: datetime) -> None:
    """Deal with timers of the kinds that are `TOGETHER`, those of a tenant at once. One that fails is left to its
    lease, and holds up no other."""
    by_place: dict[tuple[TimerKind, int], list[int]] = defaultdict(list)
    for due in dues:
        by_place[due.kind, due.tenant_id].append(due.ref)
    # In the order of TOGETHER: what takes longest comes last, since people wait for the others.
    for kind, tenant_id in sorted(by_place, key=lambda place: (tuple(TOGETHER).index(place[0]), place[1])):
        refs = by_place[kind, tenant_id]
        for start in range(0, len(refs), _AT_ONCE):
            _together(kind, tenant_id, refs[start : start + _AT_ONCE], now)


def _together(kind: TimerKind, tenant_id: int, refs: Sequence[int], now: datetime) -> None:
    try:
        TOGETHER[kind](tenant_id, refs, now)
    except Exception:  # noqa: BLE001  One that fails must not hold up the others; its lease brings it back.
        _log.exception("%d timers %s of tenant %d could not be dealt with together", len(refs), kind, tenant_id)
        for ref in refs if len(refs) > 1 else ():
            _together(kind, tenant_id, [ref], now)


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
        timers_done(due.tenant_id, due.kind, [due.ref], now)


def _letters_look(tenant_id: int, letter_ids: Sequence[int], now: datetime) -> None:
    with tenant_scope(tenant_id, actor=ACTOR):
        desk = Desk(tenant_id, (), catalogue(), now)
        projected, _ = project_units(units_of_letters(letter_ids), desk)
        # The units before their timers, as intake locks them. What came to light meanwhile has set its timer anew.
        timers_done(tenant_id, TimerKind.DEAD_LETTER, letter_ids, now)
        notify(alert(detect(projected, desk), desk), desk)


def _storm_look(due: Due, now: datetime) -> None:
    """Tell of what a storm's window has gone on by: after its last requests nothing else reads it to its end."""
    with tenant_scope(due.tenant_id, actor=ACTOR):
        storms = Alert.objects.filter(pk=due.ref, kind__in=LOOK_AGAIN, workflow__isnull=False)
        open_storms = storms.exclude(status=AlertStatus.RESOLVED)
        row = open_storms.first()
        if row is None or row.workflow_id is None:
            return
        known = catalogue()
        desk = Desk(due.tenant_id, (), known, now, heeds_tries(known.thresholds))
        told = row.figures.get("first_attempts"), row.figures.get("retries")
        windows = WindowReader(Workflows({}), desk).attempts_again(
            (row.workflow_id, row.process_id), row.last_seen_at, told
        )
        # Reading takes its time; what a person has resolved meanwhile must not come back by it.
        if windows and open_storms.select_for_update(of=("self",)).first() is not None:
            notify(alert(detect(Projected(attempts=windows), desk), desk), desk)


def _alert_quiet(due: Due, now: datetime) -> None:
    _storm_look(due, now)
    with tenant_scope(due.tenant_id, actor=ACTOR):
        open_alert = Alert.objects.filter(pk=due.ref).exclude(status=AlertStatus.RESOLVED)
        row = open_alert.select_for_update(of=("self",)).first()
        if row is None:
            timers_clear(due.tenant_id, TimerKind.ALERT_QUIET, [due.ref])
            return
        kind = Kind(row.kind)
        quiet = QUIET_AFTER[kind]
        # Who reopens an alert wants to see it for as long as one that was just raised.
        reopened = AlertEvent.objects.filter(alert=row, action="reopened").aggregate(at=Max("at"))["at"]
        last_seen_at = max(row.last_seen_at, reopened or row.last_seen_at)
        over_at = last_seen_at + quiet
        if over_at > now:
            next_at = next_look(kind, last_seen_at, now)
            timers_set(due.tenant_id, TimerKind.ALERT_QUIET, [(row.pk, next_at)])
            return
        timers_clear(due.tenant_id, TimerKind.ALERT_QUIET, [row.pk])
        minutes = int(quiet.total_seconds() // 60)
        resolved = resolve_alerts(
            [row.pk], due.tenant_id, over_at, f"Nothing more of it was seen for {minutes} minutes."
        )
        resolutions_write(resolved, now)
        announce(due.tenant_id, ["alerts", "board"])


def _notification(due: Due, now: datetime) -> None:
    deliver(due.tenant_id, due.ref, now)


_HANDLERS: dict[TimerKind, Callable[[Due, datetime], None]] = {
    TimerKind.RUN_SLA: _run_sla,
    TimerKind.RUN_QUIET: _run_quiet,
    TimerKind.ALERT_QUIET: _alert_quiet,
    TimerKind.NOTIFICATION: _notification,
}
TOGETHER: dict[TimerKind, Callable[[int, Sequence[int], datetime], object]] = {
    TimerKind.DEAD_LETTER: _letters_look,
    TimerKind.RUN_SETTLE: runs_settle,
}
