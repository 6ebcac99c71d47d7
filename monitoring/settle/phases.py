"""The walks of a rebuild: each deals with the rows after an id, in the open scope, and says how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import connection

from monitoring.alert.raising import link_members
from monitoring.catalogue import catalogue
from monitoring.decode import decode
from monitoring.desk import Desk
from monitoring.detect.step import detect
from monitoring.facts import EventFact
from monitoring.models import Event, Intake, Run
from monitoring.pipeline import map_records
from monitoring.project import project
from monitoring.project.anew import project_units
from monitoring.project.events import event_identity
from monitoring.project.events_anew import EventAnew, project_events_anew
from monitoring.records import Decoded
from monitoring.selectors.payloads import payload_of
from monitoring.settle.runs import PORTION, runs_settle

#: At most so many decompressed bytes of the log are dealt with in one transaction, unless one request is larger.
_MOST_BYTES = 8_000_000
_MOST_REQUESTS = 64
_RUNS = 200
_EVENTS = 500
_UNITS = 500

_REQUESTS = """
SELECT id, size FROM monitoring_intake
WHERE tenant_id = current_setting('app.tenant_id')::int AND id > %s AND id <= %s ORDER BY id LIMIT %s
"""
_UNITS_OF = """
SELECT id, unit_id FROM {table} WHERE tenant_id = current_setting('app.tenant_id')::int AND id > %s AND id <= %s
ORDER BY id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Portion:
    """The last id that is done, and what was found."""

    position: int
    counts: dict[str, int] = field(default_factory=dict)


def log_project(tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    """Project what requests of the log told and no row knows: traces, events. The next walks put them right."""
    ids = _requests(after, mark)
    if not ids:
        return None
    desk = Desk(tenant_id, (), catalogue(), now)
    done = 0
    for intake in Intake.objects.filter(pk__in=ids).order_by("pk"):
        done += 1
        missing = _missing(intake.pk, decode(payload_of(intake)))
        if missing.spans or missing.events or missing.logs:
            at = replace(desk, intakes=(intake.pk,), now=intake.received_at)
            projected = project(map_records(missing, at), at)
            link_members(detect(projected, at))
            # One request in one transaction, as intake has it: else the two could lock each other out.
            found = {"runs missing": projected.runs, "events missing": projected.events}
            return Portion(intake.pk, {"requests": done, **found})
    return Portion(ids[-1], {"requests": done})


def _requests(after: int, mark: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_REQUESTS, [after, mark, _MOST_REQUESTS])
        rows = cursor.fetchall()
    ids: list[int] = []
    size = 0
    for identifier, length in rows:
        if ids and size + length > _MOST_BYTES:
            break
        ids.append(identifier)
        size += length
    return ids


def _missing(intake_id: int, decoded: Decoded) -> Decoded:
    """What of a request no row speaks of. Log records are known by their trace; noting one again changes nothing."""
    traces = {span.trace_id for span in decoded.spans}
    known = {
        bytes(trace_id)
        for trace_id, intakes in Run.objects.filter(trace_id__in=traces).values_list("trace_id", "intakes")
        if intake_id in intakes
    }
    names = {(event.source, event.id) for event in decoded.events}
    held = set(
        Event.objects.filter(source__in={name[0] for name in names}, event_id__in={name[1] for name in names})
        .values_list("source", "event_id")
    )  # fmt: skip
    return Decoded(
        spans=tuple(span for span in decoded.spans if span.trace_id not in known),
        logs=decoded.logs,
        events=tuple(event for event in decoded.events if (event.source, event.id) not in held),
    )


def runs_correct(tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    """Compute runs anew from all that the log tells of them."""
    ids = _runs(after, mark)
    if not ids:
        return None
    done = runs_settle(tenant_id, ids, now, rebuilding=True, actor="system:rebuild")
    counts = {
        "runs": done.seen,
        "runs corrected": done.changed,
        "runs removed": done.removed,
        "runs left alone, as the log holds them only in part": done.partial,
        "runs left alone, as they are too long": done.too_long,
    }
    return Portion(ids[-1], counts)


def events_correct(tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    """Compare events with the requests that brought them."""
    rows = list(
        Event.objects.filter(pk__gt=after, pk__lte=mark)
        .order_by("pk").values_list("pk", "source", "event_id", "intake_id")[:_EVENTS]
    )  # fmt: skip
    if not rows:
        return None
    desk = Desk(tenant_id, (), catalogue(), now)
    said: dict[tuple[int, str, str], EventFact] = {}
    held = set()
    for intake in Intake.objects.filter(pk__in={row[3] for row in rows}).order_by("pk"):
        held.add(intake.pk)
        for fact in map_records(decode(payload_of(intake)), desk).events:
            said.setdefault((intake.pk, *event_identity(fact)), fact)
    events = [EventAnew(row[0], said.get((row[3], row[1], row[2]))) for row in rows if row[3] in held]
    _, changed, removed = project_events_anew(events, desk)
    counts = {
        "events": len(rows),
        "events corrected": changed,
        "events removed": removed,
        "events left alone, as the log no longer holds them": len(rows) - len(events),
    }
    return Portion(rows[-1][0], counts)


def units_correct(tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    """Look how each unit stands of which attempts are told: a dead letter may be missing."""
    return _units_correct("monitoring_attempt", tenant_id, after, mark, now)


def letters_correct(tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    """Look how each dead letter stands: its unit may never have died."""
    return _units_correct("monitoring_deadletter", tenant_id, after, mark, now)


def _units_correct(table: str, tenant_id: int, after: int, mark: int, now: datetime) -> Portion | None:
    with connection.cursor() as cursor:
        cursor.execute(_UNITS_OF.format(table=table), [after, mark, _UNITS])
        rows: Sequence[tuple[int, str]] = cursor.fetchall()
    if not rows:
        return None
    desk = Desk(tenant_id, (), catalogue(), now)
    projected, changed = project_units(_distinct(unit for _, unit in rows), desk)
    link_members(detect(projected, desk))
    return Portion(rows[-1][0], {"dead letters corrected": changed})


def _distinct(units: Iterable[str]) -> list[str]:
    return sorted(set(units))


def _runs(after: int, mark: int) -> list[int]:
    """The next runs, as many as are settled in one portion: one transaction locks rows in one order."""
    rows = Run.objects.filter(pk__gt=after, pk__lte=mark).order_by("pk").values_list("pk", "span_count")[:_RUNS]
    ids: list[int] = []
    size = 0
    for identifier, spans in rows:
        if ids and size + spans > PORTION:
            break
        ids.append(identifier)
        size += spans
    return ids
