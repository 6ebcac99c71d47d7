"""OTLP traces in protobuf: from the wire to span records. The hottest path of all, so it makes few objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from monitoring.records import Attributes, Decoded, SpanEvent, SpanKind, SpanLink, SpanRecord

from .any_values import attributes_of
from .envelope import groups
from .faults import MAX_NS, ZERO_SPAN_ID, ZERO_TRACE_ID, span_fault, time_fault
from .gathered import Gathered
from .limits import Limits
from .remembered import LONGEST_REMEMBERED, PAIRS, STATUSES, TEXTS, UNREADABLE, pair_of, shared
from .values import Poison, clean_text
from .wire_spans import WireSpan, wire_request, wire_span

_KINDS = tuple(SpanKind)
_new = tuple.__new__


def decode_spans(body: bytes, limits: Limits) -> Decoded:
    """Every span of the body. Raises MalformedPayload or PayloadTooLarge; a bad span rejects only itself."""
    gathered = Gathered(limits, "spans")
    keep = gathered.spans.append
    for resource, scope, spans in _groups(body):
        for span in spans:
            try:
                if span is None or resource is None:
                    raise Poison(UNREADABLE)
                keep(span_record(span, scope, resource))
                gathered.index += 1
            except Poison as poison:
                gathered.refuse(str(poison), span.span_id[:8].hex() if span else "")
    return gathered.decoded()


def _groups(body: bytes) -> Iterator[tuple[Attributes | None, str, Iterable[WireSpan | None]]]:
    """Resource, scope name and spans of each scope; what can't be parsed is None."""
    try:
        request = wire_request(body)
    except DecodeError:
        # The slow way, taken when one unreadable span has made protobuf refuse the whole body.
        for group in groups(body):
            yield *shared(group.resource, group.scope), [_parsed(body[start:end]) for start, end in group.items]
        return
    for found in request.resource_spans:
        resource = b"".join(found.resource)
        for scoped in found.scope_spans:
            yield *shared(resource, b"".join(scoped.scope)), scoped.spans


def _parsed(data: bytes) -> WireSpan | None:
    try:
        return wire_span(data)
    except DecodeError:
        return None


def span_record(span: WireSpan, scope: str, resource: Attributes) -> SpanRecord:
    """One span; raises Poison if it can't be kept."""
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    if (
        len(trace_id) != 16
        or len(span_id) != 8
        or trace_id == ZERO_TRACE_ID
        or span_id == ZERO_SPAN_ID
        or (parent_id and len(parent_id) != 8)
        or not 0 < start_ns <= end_ns <= MAX_NS
    ) and (fault := span_fault(trace_id, span_id, parent_id, start_ns, end_ns)):
        raise Poison(fault)
    kind, pairs = span.kind, PAIRS
    code, message = STATUSES[b"".join(span.status)]
    events, links = span.events, span.links
    fields = (
        trace_id,
        span_id,
        None if not parent_id or parent_id == ZERO_SPAN_ID else parent_id,
        TEXTS[span.name],
        _KINDS[kind] if 0 < kind < len(_KINDS) else SpanKind.UNSPECIFIED,
        start_ns,
        end_ns,
        code,
        message,
        scope,
        resource,
        # To look bytes up costs a pass over them: not worth it where they are too long to be remembered.
        dict([pairs[raw] if len(raw) <= LONGEST_REMEMBERED else pair_of(raw) for raw in span.attributes]),
        tuple(map(_event, events)) if events else (),
        tuple(filter(None, map(_link, links))) if links else (),
    )
    # A named tuple's own constructor costs more than all the fields above it.
    return _new(SpanRecord, fields)


def _event(data: bytes) -> SpanEvent:
    try:
        event = Span.Event.FromString(data)
    except DecodeError:
        raise Poison(UNREADABLE) from None
    if event.time_unix_nano > MAX_NS:
        raise Poison(time_fault(f"time of the event {clean_text(event.name, 200)!r}", event.time_unix_nano))
    return SpanEvent(clean_text(event.name), event.time_unix_nano, attributes_of(event.attributes))


def _link(data: bytes) -> SpanLink | None:
    """The link; one that names no span says nothing: it is left out, and its span stays."""
    try:
        link = Span.Link.FromString(data)
    except DecodeError:
        raise Poison(UNREADABLE) from None
    if len(link.trace_id) != 16 or len(link.span_id) != 8:
        return None
    return SpanLink(link.trace_id, link.span_id, attributes_of(link.attributes))
