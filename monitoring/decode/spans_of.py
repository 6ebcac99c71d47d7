"""Reads one trace back out of a payload, converting only what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from monitoring.records import Encoding, Payload, SpanRecord

from . import native, otlp_json
from .envelope import Group, groups
from .json_values import identifier
from .otlp_spans import span_record
from .remembered import shared
from .values import Poison
from .wire_spans import WireSpan, wire_span


def spans_of(payload: Payload, trace_id: bytes) -> tuple[SpanRecord, ...]:
    """The trace's spans in the payload's order: those that `decode` returns for it, and no others."""
    if payload.encoding is Encoding.PROTOBUF:
        return tuple(_from_protobuf(payload.body, trace_id))
    return tuple(_from_json(payload, trace_id))


def _from_protobuf(body: bytes, trace_id: bytes) -> Iterator[SpanRecord]:
    if trace_id not in body:
        return
    if (found := native.spans_of(body, trace_id)) is not None:
        yield from found
        return
    for group in groups(body):
        wanted = list(_wanted(body, group, trace_id))
        if not wanted:
            continue
        resource, scope = shared(group.resource, group.scope)
        if resource is None:
            continue
        for span in wanted:
            try:
                yield span_record(span, scope, resource)
            except Poison:
                # It was rejected when the payload arrived, and is no part of the trace.
                continue


def _wanted(body: bytes, group: Group, trace_id: bytes) -> Iterator[WireSpan]:
    for start, end in group.items:
        if body.find(trace_id, start, end) < 0:
            continue
        try:
            span = wire_span(body[start:end])
        except DecodeError:
            continue
        if span.trace_id == trace_id:
            yield span


def _from_json(payload: Payload, trace_id: bytes) -> Iterator[SpanRecord]:
    for resource, scope, items, fault in otlp_json.scopes(payload.signal, payload.body):
        if fault:
            continue
        for item in items:
            try:
                if isinstance(item, dict) and identifier(item, "traceId") == trace_id:
                    yield otlp_json.span_record(item, scope, resource)
            except Poison:
                continue
