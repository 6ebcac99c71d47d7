"""Rebuilds what is projected of a tenant from its intake log, in place and in portions, while intake goes on.

Nothing is emptied first: each portion compares what the rows say with what the log says, and corrects the rows in one
transaction that also notes how far it came. So a page never sees less than there is, and a rebuild that was killed goes
on where it stopped. Rules and promises are those of now. Nobody is told anything, and alerts stay as they were decided.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from monitoring.models import Rebuild
from monitoring.settle.figures import figures_correct
from monitoring.settle.phases import (
    Portion,
    events_correct,
    letters_correct,
    log_project,
    runs_correct,
    units_correct,
)
from partners.scope import tenant_scope

ACTOR = "system:rebuild"


def _figures(tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    changed = figures_correct(tenant_id)
    return Portion(after, {"minutes corrected": changed}) if changed else None


@dataclass(frozen=True, slots=True)
class Phase:
    """One walk: what it is called, the table whose ids it follows, and what it does with the rows after an id."""

    name: str
    table: str
    step: Callable[[int, int, int, datetime], Portion | None]


PHASES = (
    Phase("log", "monitoring_intake", log_project),
    Phase("runs", "monitoring_run", runs_correct),
    Phase("events", "monitoring_event", events_correct),
    Phase("units", "monitoring_attempt", units_correct),
    Phase("dead letters", "monitoring_deadletter", letters_correct),
    Phase("figures", "monitoring_workflowminute", _figures),
)
_NAMES = [phase.name for phase in PHASES]


@dataclass(slots=True)
class Progress:
    """How far a rebuild is: ids from `first` to `mark`, of which `position` is done; what it found so far."""

    phase: str
    first: int = 0
    position: int = 0
    mark: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    resumed: bool = False

    @property
    def share(self) -> float:
        """How much of this phase is done, 0 to 1."""
        span = self.mark - self.first
        return min(1.0, (self.position - self.first) / span) if span > 0 else 1.0


class RebuildRunning(RuntimeError):
    """Another rebuild of this tenant is at work."""


def rebuild(tenant_id: int, *, dry_run: bool = False, anew: bool = False) -> Generator[Progress, None, None]:
    """Walk the phases and yield after each portion. `dry_run` takes each portion back; `anew` forgets an earlier try.

    Raises RebuildRunning. A second rebuild after one that came through changes nothing.
    """
    if not _claimed(tenant_id):
        raise RebuildRunning(f"Another rebuild of tenant {tenant_id} is running; wait for it, or stop it.")
    try:
        progress = _begun(tenant_id, anew=anew, dry_run=dry_run)
        for phase in PHASES[_NAMES.index(progress.phase) :]:
            if phase.name != progress.phase or not progress.mark:
                _enter(tenant_id, phase, progress, dry_run)
            yield replace(progress, counts=dict(progress.counts))
            while _portion(tenant_id, phase, progress, dry_run):
                yield replace(progress, counts=dict(progress.counts))
        with tenant_scope(tenant_id, actor=ACTOR):
            if not dry_run:
                Rebuild.objects.all().delete()
        yield progress
    finally:
        _released(tenant_id)


def _portion(tenant_id: int, phase: Phase, progress: Progress, dry_run: bool) -> bool:
    with tenant_scope(tenant_id, actor=ACTOR):
        done = phase.step(tenant_id, progress.position, progress.mark, timezone.now())
        if done is None:
            return False
        progress.position = done.position
        for name, count in done.counts.items():
            progress.counts[name] = progress.counts.get(name, 0) + count
        if dry_run:
            transaction.set_rollback(True)
            return phase.name != "figures"  # Taken back, it would find the same again.
        Rebuild.objects.update(position=progress.position, counts=progress.counts)
    return True


def _begun(tenant_id: int, *, anew: bool, dry_run: bool) -> Progress:
    if dry_run:
        return Progress(_NAMES[0])
    with tenant_scope(tenant_id, actor=ACTOR):
        if anew:
            Rebuild.objects.all().delete()
        row, made = Rebuild.objects.get_or_create(defaults={"phase": _NAMES[0], "started_at": timezone.now()})
        first, mark = row.marks.get(row.phase, (0, 0))
        return Progress(row.phase, first, row.position, mark, dict(row.counts), resumed=not made)


def _enter(tenant_id: int, phase: Phase, progress: Progress, dry_run: bool) -> None:
    """Begin a phase: it goes up to the newest row of now; what comes later is right from the start."""
    with tenant_scope(tenant_id, actor=ACTOR):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM {phase.table} "  # noqa: S608  Our own name.
                "WHERE tenant_id = current_setting('app.tenant_id')::int"
            )
            progress.first, progress.mark = cursor.fetchone()
        progress.phase, progress.position = phase.name, progress.first
        if not dry_run:
            marks = {phase.name: (progress.first, progress.mark)}
            Rebuild.objects.update(phase=phase.name, position=progress.position, marks=marks)


def _claimed(tenant_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('rebuild'), %s)", [tenant_id])
        return bool(cursor.fetchone()[0])


def _released(tenant_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(hashtext('rebuild'), %s)", [tenant_id])
