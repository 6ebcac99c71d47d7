"""Writes business events. An event that is sent again, by whatever request, is known by its source and id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from monitoring.desk import Desk
from monitoring.facts import EventFact
from monitoring.names import fitted
from monitoring.project.plain_tries import plain_tries
from monitoring.project.workflows import Workflows
from monitoring.rows import ask_to_insert
from partners.database.statements import Asked, Row

_COLUMNS = [
    ("tenant_id", "int"), ("source", "text"), ("event_id", "text"), ("type", "text"), ("entity_event", "text"),
    ("subject", "text"), ("time", "timestamptz"), ("received_at", "timestamptz"), ("workflow_id", "bigint"),
    ("process_id", "bigint"), ("site_id", "bigint"), ("mapping_rule_id", "bigint"), ("mapping_reason", "text"),
    ("trace_id", "bytea"), ("correlation_id", "text"), ("causation_id", "text"), ("sequence", "text"),
    ("process_instance", "text"), ("step", "text"), ("intake_id", "bigint"), ("intake_index", "int"),
    ("plain_tries", "text"),
]  # fmt: skip


#: What follows from the event alone, whichever request brought it first.
_SAID = {name: kind for name, kind in _COLUMNS[3:] if name not in ("received_at", "intake_id", "intake_index")}
_UPDATE = (
    "UPDATE monitoring_event AS known SET "  # noqa: S608  Column names of our own.
    + ", ".join(f"{name} = said.{name}" for name in _SAID)
    + f" FROM unnest(%s::bigint[], {', '.join(f'%s::{kind}[]' for kind in _SAID.values())})"
    + f" AS said(id, {', '.join(_SAID)})"
    + " WHERE known.tenant_id = current_setting('app.tenant_id')::int AND known.id = said.id"
    + f" AND ({', '.join(f'known.{name}' for name in _SAID)})"
    + f" IS DISTINCT FROM ({', '.join(f'said.{name}' for name in _SAID)}) RETURNING known.id"
)


@dataclass(frozen=True, slots=True)
class ProjectedEvent:
    """An event that was not known before this request."""

    fact: EventFact
    id: int
    workflow_id: int
    teller: bytes


def event_teller(source: str, event_id: str) -> bytes:
    """Return what stands for an event where a run has its trace id: 16 bytes. Migration 0004 spells it in SQL."""
    return hashlib.sha256(f"{source}\x1f{event_id}".encode()).digest()[:16]


class EventsAsked(NamedTuple):
    """Events by source and id, and what was asked of those that are new."""

    by_identity: Mapping[tuple[str, str], EventFact]
    made: Asked | None


def ask_to_write_events(facts: Sequence[EventFact], workflows: Workflows, desk: Desk) -> EventsAsked:
    """Ask, for `written_events`, that those be inserted that are new."""
    # The first of several stands, as it does where they come in several requests.
    by_identity = {event_identity(fact): fact for fact in reversed(facts)}
    rows = [
        _values(source, event_id, fact, workflows.of(fact.identity).id, desk)
        for (source, event_id), fact in sorted(by_identity.items(), key=lambda item: item[0])
    ]
    tail = "ON CONFLICT (tenant_id, source, event_id) DO NOTHING RETURNING source, event_id, id, workflow_id"
    return EventsAsked(by_identity, ask_to_insert("monitoring_event", _COLUMNS, rows, tail))


def written_events(asked: EventsAsked) -> tuple[ProjectedEvent, ...]:
    """Return the events that are new."""
    rows = asked.made.rows() if asked.made else ()
    return tuple(
        ProjectedEvent(asked.by_identity[source, event_id], identifier, workflow_id, event_teller(source, event_id))
        for source, event_id, identifier, workflow_id in rows
    )


def known_event(fact: EventFact, identifier: int, workflow_id: int) -> ProjectedEvent:
    """Return an event whose row is there already."""
    return ProjectedEvent(fact, identifier, workflow_id, event_teller(*event_identity(fact)))


def event_identity(fact: EventFact) -> tuple[str, str]:
    """Return source and id as they are stored."""
    return fitted(fact.record.source), fitted(fact.record.id)


def update_events(events: Sequence[ProjectedEvent], desk: Desk) -> set[int]:
    """Make the rows of known events what their facts say, all but when and where they arrived; return the changed."""
    if not events:
        return set()
    rows = [_values(*event_identity(event.fact), event.fact, event.workflow_id, desk) for event in events]
    columns = [list(column) for column in zip(*rows, strict=True)]
    said = [list(columns[place]) for place, (name, _) in enumerate(_COLUMNS) if name in _SAID]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [[event.id for event in events], *said])
        return {identifier for (identifier,) in cursor.fetchall()}


def _values(source: str, event_id: str, fact: EventFact, workflow_id: int, desk: Desk) -> Row:
    return (
        desk.tenant_id, source, event_id, fact.record.type[:200], fact.entity_event[:80], fact.record.subject[:300],
        fact.record.time, desk.now, workflow_id, fact.verdict.process_id, fact.verdict.site_id, fact.verdict.rule_id,
        fact.verdict.reason, fact.trace_id, fact.correlation_id, fact.causation_id, fact.sequence[:80],
        fact.process_instance, fact.step[:200], desk.intake_id, fact.index,
        plain_tries(fact.attempts, fact.record.time),
    )  # fmt: skip
