"""Business events, as a viewer may see them."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import QuerySet

from monitoring.decode import decode
from monitoring.models import Event, Intake
from monitoring.records import EventRecord, MalformedPayload
from monitoring.selectors.keys import keys_matching
from monitoring.selectors.payloads import UnreadablePayload, payload_of
from monitoring.selectors.visibility import visible_rows
from partners.roles import Right
from partners.viewer import Viewer

logger = logging.getLogger(__name__)


def visible_events(viewer: Viewer) -> QuerySet[Event]:
    """Return the events the viewer may see, newest first, with what a row of a list shows."""
    events = visible_rows(viewer, Event).select_related("workflow", "process__owner", "process__site")
    return events.prefetch_related("keys").order_by("-time", "-id")


def events_filtered(
    viewer: Viewer,
    *,
    key: str = "",
    event_type: str = "",
    entity_event: str = "",
    source: str = "",
    subject: str = "",
    trace_id: bytes | None = None,
    workflow: int | None = None,
    process: int | None = None,
    site: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Event]:
    """Return visible events that happened in [since, until). `key` is `order:4711` or a bare value."""
    events = visible_events(viewer)
    if key:
        events = events.filter(pk__in=keys_matching(key).exclude(event=None).values("event_id"))
    named = {
        "type": event_type or None,
        "entity_event": entity_event or None,
        "source": source or None,
        "subject": subject or None,
        "trace_id": trace_id,
        "workflow": workflow,
        "process": process,
        "site_id": site,
    }
    events = events.filter(**{name: value for name, value in named.items() if value is not None})
    if since is not None:
        events = events.filter(time__gte=since)
    return events.filter(time__lt=until) if until is not None else events


def event_get(viewer: Viewer, pk: int) -> Event:
    """Return one event; raises Event.DoesNotExist where the viewer may not see it."""
    return visible_events(viewer).get(pk=pk)


def events_of_trace(viewer: Viewer, trace_id: bytes) -> QuerySet[Event]:
    """Return the visible events that name a trace, oldest first."""
    return visible_events(viewer).filter(trace_id=trace_id).order_by("time", "id")


def event_record(viewer: Viewer, event: Event) -> EventRecord | None:
    """Return a visible event as it arrived, None without the right to see payloads or once they are no longer kept."""
    if not viewer.may(Right.VIEW_PAYLOAD):
        return None
    intake: Intake | None = Intake.objects.filter(pk=event.intake_id).first()
    if intake is None:
        return None
    try:
        records = decode(payload_of(intake)).events
    except (MalformedPayload, UnreadablePayload):
        # What was accepted once reads again, unless the log is damaged; the event itself is still worth seeing.
        logger.exception("intake %s can't be read back", intake.pk)
        return None
    return records[event.intake_index] if event.intake_index < len(records) else None
