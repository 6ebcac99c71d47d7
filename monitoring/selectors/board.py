"""The board: how every process stands, worst first, in a constant number of indexed queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, DurationField, ExpressionWrapper, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Now, TruncHour

from monitoring.models import Alert, DeadLetter, Process, Run, Sla, Timer, Workflow, WorkflowMinute
from monitoring.models.alerts import AlertStatus
from monitoring.models.catalogue import Criticality
from monitoring.models.delivery import TimerKind
from monitoring.models.telemetry import DeadLetterState, SlaState
from monitoring.selectors.coverage import Coverage, coverage
from monitoring.selectors.standing import (
    STATES,
    Figures,
    Standing,
    alert_state,
    hour_standing,
    process_standing,
    worst,
)
from monitoring.selectors.visibility import visible_processes, visible_rows
from monitoring.selectors.week import SUMS, Service, figures_of, minutes, service_of, week_by_service
from partners.models import Site
from partners.viewer import Viewer

_HOUR = timedelta(hours=1)
_CRITICALITY = [choice.value for choice in Criticality]
#: A running run is at risk once one of so many equal parts of its promised time is left, or less.
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a process."""

    at: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class AlertMark:
    """Open alerts of one kind: how many, how many members they have, and the alert to open where it is only one."""

    kind: str
    severity: str
    state: str
    count: int
    members: int
    firing: int
    alert_id: int | None


@dataclass(frozen=True, slots=True)
class Pulse:
    """How much happens and when something happened last."""

    per_hour: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """One automation of a process."""

    id: int
    name: str
    source_system: str
    pulse: Pulse
    failed_per_hour: int
    kept: float | None
    alerts: tuple[AlertMark, ...]


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process. `kept` is the share of runs within their SLA over seven days, `objective` what was promised."""

    process: Process
    standing: Standing
    sla: Sla | None
    further_slas: int
    kept: float | None
    objective: float | None
    measured: int
    hours: tuple[Hour, ...]
    at_risk: int
    alerts: tuple[AlertMark, ...]
    pulse: Pulse
    workflows: tuple[WorkflowRow, ...]

    @property
    def needs_you(self) -> bool:
        """An alert of it fires and nobody has taken it."""
        return any(mark.firing for mark in self.alerts)


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """The processes of one plant, worst first; `site` is None for those of no single plant."""

    site: Site | None
    rows: tuple[ProcessRow, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the board says."""

    groups: tuple[SiteGroup, ...]
    coverage: Coverage
    unowned_alerts: tuple[AlertMark, ...]

    @property
    def rows(self) -> list[ProcessRow]:
        """All processes."""
        return [row for group in self.groups for row in group.rows]

    @property
    def need_you(self) -> int:
        """Processes with an alert that nobody has taken."""
        return sum(row.needs_you for row in self.rows)

    @property
    def in_hand(self) -> int:
        """Processes whose alerts are all acknowledged."""
        return sum(bool(row.alerts) and not row.needs_you for row in self.rows)

    @property
    def silent(self) -> int:
        """Processes without alerts that say nothing."""
        return sum(row.standing.state == "unknown" and not row.alerts for row in self.rows)

    @property
    def slipping(self) -> int:
        """Processes without alerts that keep their promise less often than they should."""
        return sum(row.standing.state == "watch" and not row.alerts for row in self.rows)

    @property
    def as_promised(self) -> int:
        """The others."""
        return len(self.rows) - self.need_you - self.slipping - self.in_hand - self.silent


@dataclass(frozen=True, slots=True)
class _Facts:
    """All that the queries found."""

    slas: Mapping[int, Sequence[Sla]]
    workflows: Mapping[int, Sequence[Workflow]]
    week: Mapping[Service, Figures]
    hours: Mapping[Service, Mapping[datetime, Figures]]
    recent: Mapping[Service, Figures]
    marks: Mapping[tuple[str, int], tuple[AlertMark, ...]]
    at_risk: Mapping[int | None, int]


def board(viewer: Viewer, *, now: datetime, site_id: int | None = None) -> Board:
    """Read the board as the viewer may see it; `site_id` narrows it to one plant."""
    processes = visible_processes(viewer).select_related("site", "owner")
    if site_id is not None:
        processes = processes.filter(site_id=site_id)
    facts = _gather(viewer, now)
    groups: dict[Site | None, list[ProcessRow]] = defaultdict(list)
    for process in processes:
        groups[process.site].append(_row(process, facts, now))
    ordered = [SiteGroup(site, tuple(sorted(rows, key=_worst_first))) for site, rows in groups.items()]
    ordered.sort(key=lambda group: (_worst_first(group.rows[0])[0], str(group.site or "~")))
    return Board(tuple(ordered), coverage(viewer, now), facts.marks.get(("process", 0), ()))


def _gather(viewer: Viewer, now: datetime) -> _Facts:
    slas: dict[int, list[Sla]] = defaultdict(list)
    for sla in visible_rows(viewer, Sla).order_by("kind", "pk"):
        slas[sla.process_id].append(sla)
    week = week_by_service(viewer, now)
    hours, recent = _day_by_service(viewer, now)
    return _Facts(slas, _serving(viewer, week), week, hours, recent, _marks(viewer), _at_risk(viewer))


def _serving(viewer: Viewer, week: Mapping[Service, Figures]) -> dict[int, list[Workflow]]:
    """Return the automations of each process: those that the catalogue gives it, and those that served it this week."""
    # The newest minute of a workflow is the first entry of its part of the index.
    newest = WorkflowMinute.objects.filter(workflow_id=OuterRef("pk")).order_by("-minute").values("minute")[:1]
    known = visible_rows(viewer, Workflow) | Workflow.objects.filter(pk__in={workflow_id for workflow_id, _ in week})
    by_id = {workflow.pk: workflow for workflow in known.annotate(last_at=Subquery(newest))}
    # A workflow that never completed anything is the guess at a trace whose root came later and named another one.
    given = {
        (workflow.pk, workflow.process_id)
        for workflow in by_id.values()
        if workflow.process_id and (workflow.assigned or workflow.last_at is not None)
    }
    serving: dict[int, list[Workflow]] = defaultdict(list)
    for workflow_id, process_id in sorted(given | {key for key in week if key[1]}):
        if workflow_id in by_id:
            serving[process_id].append(by_id[workflow_id])
    return serving


def _day_by_service(
    viewer: Viewer, now: datetime
) -> tuple[dict[Service, dict[datetime, Figures]], dict[Service, Figures]]:  # fmt: skip
    """Return the figures of each workflow and process by hour over 24 hours, and those of the last hour."""
    first = now.replace(minute=0, second=0, microsecond=0) - 23 * _HOUR
    rows = minutes(viewer, first).order_by()
    last_hour = Q(minute__gt=now - _HOUR)
    found = rows.values("workflow_id", "process_id", hour=TruncHour("minute")).annotate(
        **SUMS,
        recent_runs=Sum("runs", filter=last_hour),
        recent_failed=Sum("failed", filter=last_hour),
        recent_events=Sum("events", filter=last_hour),
    )
    hours: dict[Service, dict[datetime, Figures]] = defaultdict(dict)
    recent: dict[Service, Figures] = defaultdict(Figures)
    for row in found:
        hours[service_of(row)][row["hour"]] = figures_of(row)
        recent[service_of(row)] += Figures(
            runs=row["recent_runs"] or 0, failed=row["recent_failed"] or 0, events=row["recent_events"] or 0
        )
    return hours, recent


def _marks(viewer: Viewer) -> dict[tuple[str, int], tuple[AlertMark, ...]]:
    """Return open alerts by ("process" or "workflow", id) and kind. What belongs to no process stands under 0."""
    found: dict[tuple[str, int], dict[str, list[tuple[int, str, str, int]]]] = defaultdict(lambda: defaultdict(list))
    alerts = visible_rows(viewer, Alert).exclude(status=AlertStatus.RESOLVED)
    stuck = _stuck(viewer)
    names = ("pk", "kind", "severity", "status", "count", "process_id", "workflow_id", "fingerprint")
    for pk, kind, severity, status, counted, process_id, workflow_id, fingerprint in alerts.values_list(*names):
        # An alert counts every dead letter it ever had; the board counts those that are stuck now.
        count = stuck.get(fingerprint, counted)
        for place in (("process", process_id or 0), ("workflow", workflow_id or 0)):
            found[place][kind].append((pk, severity, status, count))
    return {
        place: tuple(sorted((_mark(*item) for item in kinds.items()), key=lambda mark: STATES.index(mark.state)))
        for place, kinds in found.items()
    }


def _stuck(viewer: Viewer) -> dict[str, int]:
    """Count the dead letters that are open, by the fingerprint of their alert."""
    found = visible_rows(viewer, DeadLetter).filter(state=DeadLetterState.OPEN).exclude(fingerprint="")
    return dict(found.order_by().values_list("fingerprint").annotate(Count("pk")))


def _mark(kind: str, alerts: Sequence[tuple[int, str, str, int]]) -> AlertMark:
    states = {alert_state(kind, severity): severity for _, severity, _, _ in alerts}
    state = worst(states)
    return AlertMark(
        kind=kind,
        severity=states[state],
        state=state,
        count=len(alerts),
        members=sum(count for *_, count in alerts),
        firing=sum(status == AlertStatus.FIRING for _, _, status, _ in alerts),
        alert_id=alerts[0][0] if len(alerts) == 1 else None,
    )


def _at_risk(viewer: Viewer) -> dict[int | None, int]:
    """Count running runs by process that have a quarter of their promised time left, or less, and are not late yet.

    The clock keeps a timer for each run that races a promise, so this reads as many rows as there are such runs.
    """
    racing = Timer.objects.filter(tenant=viewer.tenant, kind=TimerKind.RUN_SLA).values("ref")
    runs = visible_rows(viewer, Run).filter(pk__in=racing, sla_state=SlaState.RUNNING, sla_due_at__gt=Now())
    promised = ExpressionWrapper(F("sla_due_at") - F("started_at"), DurationField())
    left = ExpressionWrapper(F("sla_due_at") - Now(), DurationField())
    close = runs.annotate(left=left, promised=promised).filter(left__lte=F("promised") / _PARTS)
    return dict(close.order_by().values_list("process_id").annotate(Count("pk")))


def _row(process: Process, facts: _Facts, now: datetime) -> ProcessRow:
    slas, workflows = facts.slas.get(process.pk, ()), facts.workflows.get(process.pk, ())
    objective = float(slas[0].objective) / 100 if slas else None
    week = _total(facts.week.get((workflow.pk, process.pk), Figures()) for workflow in workflows)
    marks = facts.marks.get(("process", process.pk), ())
    rows = tuple(_workflow(workflow, process, facts) for workflow in sorted(workflows, key=lambda found: found.name))
    pulse = Pulse(
        sum(row.pulse.per_hour for row in rows),
        max((row.pulse.last_at for row in rows if row.pulse.last_at), default=None),
    )
    return ProcessRow(
        process=process,
        standing=process_standing(
            (mark.state for mark in marks), kept=week.kept, objective=objective, last_at=pulse.last_at, now=now
        ),
        sla=slas[0] if slas else None,
        further_slas=max(0, len(slas) - 1),
        kept=week.kept,
        objective=objective,
        measured=week.measured,
        hours=_strip([facts.hours.get((workflow.pk, process.pk), {}) for workflow in workflows], objective, now),
        at_risk=facts.at_risk.get(process.pk, 0),
        alerts=marks,
        pulse=pulse,
        workflows=rows,
    )


def _workflow(workflow: Workflow, process: Process, facts: _Facts) -> WorkflowRow:
    recent = facts.recent.get((workflow.pk, process.pk), Figures())
    return WorkflowRow(
        id=workflow.pk,
        name=workflow.name,
        source_system=workflow.source_system,
        pulse=Pulse(recent.seen, getattr(workflow, "last_at", None)),
        failed_per_hour=recent.failed,
        kept=facts.week.get((workflow.pk, process.pk), Figures()).kept,
        alerts=facts.marks.get(("workflow", workflow.pk), ()),
    )


def _strip(workflows: Sequence[Mapping[datetime, Figures]], objective: float | None, now: datetime) -> tuple[Hour, ...]:
    current = now.replace(minute=0, second=0, microsecond=0)
    starts = [current - back * _HOUR for back in range(23, -1, -1)]
    return tuple(
        Hour(at, hour_standing(_total(hours.get(at, Figures()) for hours in workflows), objective)) for at in starts
    )


def _total(figures: Iterable[Figures]) -> Figures:
    return sum(figures, Figures())


def _worst_first(row: ProcessRow) -> tuple[int, bool, int, str]:
    return (
        STATES.index(row.standing.state),
        not row.needs_you,
        _CRITICALITY.index(row.process.criticality),
        row.process.name,
    )
