"""What people do to the catalogue: give automations a process, name processes and their owners, promise something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.text import slugify

from monitoring.findings import Kind
from monitoring.live import announce
from monitoring.models import Alert, Attempt, DeadLetter, Event, Process, Sla, Workflow
from monitoring.models.alerts import AlertStatus
from monitoring.models.rollups import COUNTERS
from monitoring.project.runs_placed import place_runs
from monitoring.promise import SlaRuleError, check
from monitoring.rules import SlaRule
from monitoring.selectors.visibility import visible_processes, visible_rows
from monitoring.services.alerts import resolve_by
from partners.models import User
from partners.permission import require
from partners.roles import Right
from partners.rows import row_save
from partners.scope import tenant_scope
from partners.viewer import Viewer, viewer_of

_MOVE_MINUTES = f"""
WITH loose AS (
    DELETE FROM monitoring_workflowminute
    WHERE tenant_id = current_setting('app.tenant_id')::int AND workflow_id = %(workflow)s AND process_id IS NULL
    RETURNING *)
INSERT INTO monitoring_workflowminute AS known (tenant_id, workflow_id, process_id, minute, {", ".join(COUNTERS)})
SELECT tenant_id, workflow_id, %(process)s, minute, {", ".join(COUNTERS)} FROM loose
ON CONFLICT (tenant_id, workflow_id, minute, process_id) DO UPDATE
SET {", ".join(f"{name} = known.{name} + excluded.{name}" for name in COUNTERS)}
"""  # noqa: S608  Names are constants.
_TOPICS = ("catalogue", "board", "alerts", "runs", "dead_letters")


@dataclass(frozen=True, slots=True)
class Assigned:
    """An automation with its process, and how much of what it had done came along."""

    workflow: Workflow
    process: Process
    runs: int
    events: int
    resolved: int


def workflow_assign(*, workflow_id: int, process_id: int, viewer: Viewer, reason: str = "") -> Assigned:
    """Say which process an automation serves. Assigning twice equals assigning once.

    Its runs, events, attempts, dead letters and open alerts that have no process come along, and the alert about its
    having none resolves. Mapping rules still come first for what arrives later. Raises Workflow.DoesNotExist and
    Process.DoesNotExist for what the viewer may not see.
    """
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor, reason=reason):
        process = visible_processes(viewer).get(pk=process_id)
        workflow = visible_rows(viewer, Workflow).select_for_update(of=("self",)).get(pk=workflow_id)
        workflow.process, workflow.assigned = process, True
        workflow.save(update_fields=["process", "assigned"])
        words = f"no rule matched; assigned to {process.name} by {viewer.name}"
        placed = {"process": process, "site_id": process.site_id}
        runs = place_runs(viewer.tenant.pk, workflow.pk, process.pk, process.site_id, words)
        events = Event.objects.filter(workflow=workflow, process=None).update(**placed, mapping_reason=words)
        DeadLetter.objects.filter(workflow=workflow, process=None).update(**placed)
        Attempt.objects.filter(workflow=workflow, process=None).update(process=process)
        _move_minutes(workflow, process)
        resolved = _settle_alerts(workflow, process, viewer)
        announce(viewer.tenant.pk, _TOPICS)
    return Assigned(workflow, process, runs, events, resolved)


def process_save(*, process: Process | None = None, fields: Mapping[str, Any], viewer: Viewer) -> Process:
    """Make a process or change the fields named of one; a new one without a short name gets one from its name."""
    require(viewer, Right.EDIT_CATALOGUE)
    if not str(fields.get("name", process.name if process else "")).strip():
        raise ValidationError({"name": "Give the process the name that the plant calls it by."})
    owner = fields.get("owner")
    if owner is not None and not _works_here(owner, viewer):
        raise ValidationError({"owner": f"{owner} has no role in {viewer.tenant.name}; give them one first."})
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        if process is None and not fields.get("slug"):
            fields = {**fields, "slug": _free_slug(fields["name"])}
        saved = row_save(process or Process(), fields)
        announce(viewer.tenant.pk, ("catalogue", "board"))
    return saved


def sla_save(*, sla: Sla | None = None, fields: Mapping[str, Any], viewer: Viewer) -> Sla:
    """Make a promise or change the fields named of one. It holds for runs that start from now on."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        row = sla or Sla()
        for name, value in fields.items():
            setattr(row, name, value)
        _check_promise(row)
        saved = row_save(row, fields)
        announce(viewer.tenant.pk, ("catalogue", "board"))
    return saved


def sla_remove(*, sla: Sla, viewer: Viewer) -> None:
    """Take a promise back. Runs that were measured against it keep their result."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        sla.delete()
        announce(viewer.tenant.pk, ("catalogue", "board"))


def _move_minutes(workflow: Workflow, process: Process) -> None:
    """Let the process have what the automation did while it served none; minutes that both have are added up."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_MINUTES, {"workflow": workflow.pk, "process": process.pk})


def _settle_alerts(workflow: Workflow, process: Process, viewer: Viewer) -> int:
    """Tie open alerts to the process and resolve the one about its absence; say how many were resolved."""
    open_alerts = Alert.objects.filter(workflow=workflow).exclude(status=AlertStatus.RESOLVED)
    open_alerts.filter(process=None).update(process=process, site_id=process.site_id)
    unmapped = open_alerts.filter(kind=Kind.UNMAPPED)
    verdicts = [resolve_by(alert=alert, resolution=f"assigned to {process.name}", viewer=viewer) for alert in unmapped]
    return sum(verdict.changed for verdict in verdicts)


def _check_promise(sla: Sla) -> None:
    rule = SlaRule(0, sla.process_id, sla.name, sla.kind, sla.target_s, sla.due_attribute, sla.due_local)
    try:
        check(rule)
    except SlaRuleError as error:
        field = "target_s" if sla.kind == "duration" else "due_local"
        raise ValidationError({field: str(error)}) from error
    if not 0 < sla.objective <= 100:
        raise ValidationError({"objective": "Promise more than 0 and at most 100 per cent of the runs."})


def _works_here(user: User, viewer: Viewer) -> bool:
    return viewer_of(user, viewer.tenant) is not None


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "process"
    slug, number = base, 2
    while Process.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    return slug
