"""Settles runs: reads each from the log as one trace, maps it, puts rows and figures right by the difference."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitoring.alert.raising import alert, link_members
from monitoring.catalogue import catalogue
from monitoring.desk import Desk
from monitoring.detect.step import detect
from monitoring.models import Run
from monitoring.models.delivery import TimerKind
from monitoring.notify.outbox import notify
from monitoring.pipeline import map_records
from monitoring.project.anew import RunAnew, project_anew
from monitoring.project.local_root import entries_without_root, has_failed
from monitoring.project.timers import QUIET_AFTER
from monitoring.records import Decoded
from monitoring.settle.reading import TraceTold, traces_told
from monitoring.spans_once import spans_once
from monitoring.timers import timers_clear
from partners.scope import tenant_scope

ACTOR = "system:clock"
#: A run of more spans is not read into memory; it keeps the sum of what its requests told.
MOST_SPANS = 100_000
#: So many spans are read for one portion of runs, unless a single run has more.
PORTION = 20_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it: runs looked at, runs that were not exact before, runs left alone and why."""

    seen: int = 0
    changed: int = 0
    partial: int = 0
    too_long: int = 0
    removed: int = 0

    def __add__(self, other: Settled) -> Settled:
        return Settled(
            self.seen + other.seen, self.changed + other.changed, self.partial + other.partial,
            self.too_long + other.too_long, self.removed + other.removed,
        )  # fmt: skip


def runs_settle(
    tenant_id: int,
    run_ids: Iterable[int],
    now: datetime,
    *,
    told_in_full: bool = False,
    rebuilding: bool = False,
    actor: str = ACTOR,
) -> Settled:
    """Compute these runs from the log. Settling twice equals settling once.

    `told_in_full` takes a run without a root for done if nothing of it is open, however short it has been quiet.
    `rebuilding` tells nobody, and removes runs that the log knows nothing of.
    """
    with tenant_scope(tenant_id, actor=actor):
        asked = sorted(run_ids)
        rows = list(Run.objects.filter(pk__in=asked).values_list("pk", "trace_id", "intakes", "span_count"))
        timers_clear(tenant_id, TimerKind.RUN_SETTLE, sorted(set(asked) - {row[0] for row in rows}))
    done = Settled(seen=len(rows))
    for portion in _portions([_Stored(row[0], bytes(row[1]), tuple(row[2]), row[3]) for row in rows]):
        done += _portion_settle(portion, _Manner(tenant_id, now, told_in_full, rebuilding, actor))
    return done


@dataclass(frozen=True, slots=True)
class _Manner:
    tenant_id: int
    now: datetime
    told_in_full: bool
    rebuilding: bool
    actor: str


@dataclass(frozen=True, slots=True)
class _Stored:
    id: int
    trace_id: bytes
    intakes: tuple[int, ...]
    span_count: int


def _portions(rows: Sequence[_Stored]) -> Iterator[list[_Stored]]:
    portion: list[_Stored] = []
    size = 0
    for row in rows:
        if portion and size + row.span_count > PORTION:
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += row.span_count
    if portion:
        yield portion


def _portion_settle(portion: Sequence[_Stored], how: _Manner) -> Settled:
    short = [row for row in portion if row.span_count <= MOST_SPANS]
    # Reading takes its time and locks nothing; a run of which more was heard meanwhile is left to its next timer.
    with tenant_scope(how.tenant_id, actor=how.actor):
        desk = Desk(how.tenant_id, (), catalogue(), how.now)
        told = traces_told({row.trace_id: row.intakes for row in short})
        found = [_anew(row, told[row.trace_id], desk, how) for row in short if row.trace_id in told]
    anew = [run for run in found if run is not None]
    read = {run.trace_id for run in anew}
    with tenant_scope(how.tenant_id, actor=how.actor):
        projected, changed, removed = project_anew(anew, desk, quietly=how.rebuilding)
        detected = detect(projected, desk)
        if how.rebuilding:
            link_members(detected)
        else:
            notify(alert(detected, desk), desk)
        timers_clear(how.tenant_id, TimerKind.RUN_SETTLE, [row.id for row in portion if row.trace_id not in read])
    partial, too_long = len(short) - len(told), len(portion) - len(short)
    if partial or too_long:
        _log.warning("tenant %d: left as they are: %d runs that the log holds only in part, %d too long to read",
                     how.tenant_id, partial, too_long)  # fmt: skip
    return Settled(changed=changed, partial=partial, too_long=too_long, removed=removed)


def _anew(row: _Stored, told: TraceTold, desk: Desk, how: _Manner) -> RunAnew | None:
    """What all spans of a run say together; without any, that it is to go, or to be left alone."""
    if not told.spans or told.first_at is None or told.last_at is None:
        return RunAnew(row.trace_id, row.intakes, None, None) if how.rebuilding else None
    spans = spans_once(told.spans)
    fact = map_records(Decoded(spans=tuple(spans)), replace(desk, now=told.first_at)).runs[0]
    if fact.root_seen:
        return RunAnew(row.trace_id, row.intakes, fact, None)
    entries = entries_without_root(spans)
    done = fact._replace(root_seen=True, root_failed=has_failed(entries)) if entries else None
    if done and (how.told_in_full or desk.now - told.last_at >= QUIET_AFTER):
        return RunAnew(row.trace_id, row.intakes, done, None)
    return RunAnew(row.trace_id, row.intakes, fact, done)
