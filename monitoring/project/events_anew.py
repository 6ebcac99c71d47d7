"""Puts events right that are known already: what their rows, keys and attempts say, or that the log knows none such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import EventFact
from monitoring.project.attempts import placed_attempts, spoken_of
from monitoring.project.events import event_teller, known_event, update_events
from monitoring.project.keys import correct_keys
from monitoring.project.plain_tries import plain_tries
from monitoring.project.rollups import Figures
from monitoring.project.told import News, ask_of_told, write_told
from monitoring.project.unit_rows import units_told_by
from monitoring.project.workflows import ensure_workflows

_LOCKED = """
SELECT id, source, event_id, workflow_id, process_id, time, plain_tries FROM monitoring_event
WHERE tenant_id = current_setting('app.tenant_id')::int AND id = ANY(%s) ORDER BY id FOR UPDATE
"""
_DELETE = "DELETE FROM monitoring_event WHERE tenant_id = current_setting('app.tenant_id')::int AND id = ANY(%s)"

_DELETE_KEYS = """
DELETE FROM monitoring_businesskey WHERE tenant_id = current_setting('app.tenant_id')::int AND event_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class EventAnew:
    """A known event, and what its row of the log says of it; None: nothing, so it is to go."""

    id: int
    fact: EventFact | None


def project_events_anew(events: Sequence[EventAnew], desk: Desk) -> tuple[News, int, int]:
    """Put these events right; return what that brought, how many were other, and how many are gone."""
    if not events:
        return News(), 0, 0
    workflows = ensure_workflows([event.fact for event in events if event.fact], desk)
    figures = Figures()
    with connection.cursor() as cursor:
        cursor.execute(_LOCKED, [[event.id for event in events]])
        before = {row[0]: _Counted(*row[1:]) for row in cursor.fetchall()}
    kept = [
        known_event(event.fact, event.id, workflows.of(event.fact.identity).id)
        for event in events
        if event.fact and event.id in before
    ]
    gone = [event.id for event in events if not event.fact and event.id in before]
    changed = update_events(kept, desk)
    _, keyed = correct_keys([], kept, desk)
    for identifier in (*changed, *gone):
        was = before[identifier]
        figures.event(was.workflow_id, was.process_id, was.time, was.plain_tries, -1)
    for event in kept:
        if event.id in changed:
            record = event.fact.record
            tries = plain_tries(event.fact.attempts, record.time)
            figures.event(event.workflow_id, event.fact.verdict.process_id, record.time, tries, 1)
    tellers = {event_teller(before[identifier].source, before[identifier].event_id) for identifier in before}
    units = units_told_by([], sorted(before))
    told = [placed for placed in placed_attempts([], kept) if not placed.plain]
    asking = ask_of_told(list(map(spoken_of, told)), desk, anew=tellers, also=units)
    news = write_told(asking, told, figures, desk)
    figures.write(desk.tenant_id)
    if gone:
        with connection.cursor() as cursor:
            cursor.execute(_DELETE_KEYS, [gone])
            cursor.execute(_DELETE, [gone])
    other = changed | keyed
    return news, max(len(other), bool(news.changed)), len(gone)


@dataclass(frozen=True, slots=True)
class _Counted:
    source: str
    event_id: str
    workflow_id: int
    process_id: int | None
    time: datetime
    plain_tries: str
