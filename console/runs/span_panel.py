"""One span as its panel shows it: when, how long, what it said, what it points to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from console.runs.attributes import AttributeRow, attribute_rows
from console.runs.waterfall import Bar, Waterfall, span_duration
from monitoring.records import SpanEvent, SpanLink, SpanRecord
from monitoring.selectors.runs import visible_runs
from partners.roles import Right
from partners.viewer import Viewer

#: A span with more events or links than this is shown in part, and says so.
_MOST = 100


@dataclass(frozen=True, slots=True)
class EventLine:
    """A timed note inside the span; `after` counts from the span's start."""

    name: str
    after: str
    attributes: tuple[AttributeRow, ...]
    failed: bool


@dataclass(frozen=True, slots=True)
class LinkLine:
    """A reference to another span; with `href` its run is here to be opened."""

    trace_id: str
    span_id: str
    attributes: tuple[AttributeRow, ...]
    href: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class SpanPanel:
    """Everything about one span. `attributes` is empty where the viewer may not see payloads."""

    bar: Bar
    service: str
    after: str
    parent: str
    attributes: tuple[AttributeRow, ...]
    resource: tuple[AttributeRow, ...]
    events: tuple[EventLine, ...]
    links: tuple[LinkLine, ...]
    more_events: int
    more_links: int
    payload_hidden: bool

    @property
    def span(self) -> SpanRecord:
        """The span itself."""
        return self.bar.span

    @property
    def kind(self) -> str:
        """How the span calls itself."""
        return self.bar.span.kind.name.lower()


def span_panel(viewer: Viewer, picture: Waterfall, span_id: bytes) -> SpanPanel | None:
    """Return the panel of a span in the picture, or None where there is no such span."""
    bar = next((bar for bar in picture.bars if bar.span.span_id == span_id), None)
    if bar is None:
        return None
    span = bar.span
    return SpanPanel(
        bar=bar,
        service=bar.service,
        after=span_duration(max(0, span.start_ns - picture.start_ns)),
        parent=span.parent_span_id.hex() if span.parent_span_id else "",
        attributes=attribute_rows(span.attributes),
        resource=attribute_rows(span.resource),
        events=tuple(_event(event, span) for event in span.events[:_MOST]),
        links=_links(viewer, span.links[:_MOST]),
        more_events=max(0, len(span.events) - _MOST),
        more_links=max(0, len(span.links) - _MOST),
        payload_hidden=not viewer.may(Right.VIEW_PAYLOAD),
    )


def _event(event: SpanEvent, span: SpanRecord) -> EventLine:
    return EventLine(
        name=event.name,
        after=span_duration(max(0, event.time_ns - span.start_ns)),
        attributes=attribute_rows(event.attributes),
        failed=event.name == "exception",
    )


def _links(viewer: Viewer, links: Sequence[SpanLink]) -> tuple[LinkLine, ...]:
    if not links:
        return ()
    runs = {bytes(run.trace_id): run for run in visible_runs(viewer).filter(trace_id__in=[x.trace_id for x in links])}
    lines = []
    for link in links:
        run = runs.get(link.trace_id)
        href = f"{reverse('run', args=[viewer.tenant.slug, run.pk])}?span={link.span_id.hex()}#span" if run else ""
        name = run.workflow.name if run else ""
        lines.append(LinkLine(link.trace_id.hex(), link.span_id.hex(), attribute_rows(link.attributes), href, name))
    return tuple(lines)
