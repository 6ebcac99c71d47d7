"""OTLP in JSON: from the decoded document to records, by OTLP's own rules.

protobuf's JSON mapping is not used: it reads hex ids as base64 without a word, and takes enum names and snake_case
keys, which OTLP forbids. Unknown keys are ignored here at every level, so a snake_case key counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from monitoring.records import (
    Attributes,
    Decoded,
    LogRecord,
    MalformedPayload,
    MetricPoint,
    PayloadTooLarge,
    Signal,
    SpanEvent,
    SpanKind,
    SpanLink,
    SpanRecord,
    StatusCode,
)

from .faults import MAX_NS, ZERO_SPAN_ID, ZERO_TRACE_ID, reference_fault, span_fault, time_fault
from .gathered import Gathered
from .json_body import load
from .json_values import JsonObject, attributes, enum, floating, identifier, integer, listed, text, value_of
from .limits import LIMITS, Limits, refusal
from .points import NO_RECORDED_VALUE, Series, number_point, summed_points
from .values import Poison, clean_text

#: Resource, scope name and items of one scope, and why none of them can be taken, if so.
Group: TypeAlias = "tuple[Attributes, str, list[object], str]"

_KINDS = tuple(SpanKind)
_STATUSES = tuple(StatusCode)
_NAMES = {
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans", "spans"),
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords", "log records"),
    Signal.METRICS: ("resourceMetrics", "scopeMetrics", "metrics", "data points"),
}


def decode_json(signal: Signal, body: bytes, received_ns: int, limits: Limits = LIMITS) -> Decoded:
    """Everything the body says. Raises MalformedPayload or PayloadTooLarge; a bad item rejects only itself."""
    gathered = Gathered(limits, _NAMES[signal][3])
    document = _document(body, limits)
    for resource, scope, items, fault in _scopes(signal, document):
        if signal is not Signal.METRICS:
            gathered.admit(len(items))
        for item in items:
            _take(signal, item, (resource, scope, fault), received_ns, gathered)
    decoded = gathered.decoded()
    return decoded if gathered.index else replace(decoded, warning=_unheard(signal, document))


def scopes(signal: Signal, body: bytes, limits: Limits = LIMITS) -> Iterator[Group]:
    """The scope groups of the body in their order."""
    yield from _scopes(signal, _document(body, limits))


def _document(body: bytes, limits: Limits) -> JsonObject:
    document = load(body, limits)
    if not isinstance(document, dict):
        raise MalformedPayload("The body is not a JSON object; send an OTLP export request.")
    return document


def _scopes(signal: Signal, document: JsonObject) -> Iterator[Group]:
    outer, inner, leaf, _noun = _NAMES[signal]
    for group in _envelopes(document, outer):
        resource: Attributes = {}
        fault = ""
        try:
            resource = attributes(_envelope(group, "resource").get("attributes"))
        except Poison as poison:
            fault = f"its resource: {poison}"
        for scoped in _envelopes(group, inner):
            name = _envelope(scoped, "scope").get("name")
            yield resource, clean_text(name) if isinstance(name, str) else "", _envelope_list(scoped, leaf), fault


def _unheard(signal: Signal, document: JsonObject) -> str:
    """Why a request that says something holds no items, as when it went to another signal's endpoint; or nothing.

    OTLP passes over unknown keys, and a request without items succeeds: its sender would never know.
    """
    outer, inner, leaf, noun = _NAMES[signal]
    groups = list(_envelopes(document, outer))
    around = [({outer}, document)]
    around += [({"resource", inner, "schemaUrl"}, group) for group in groups]
    around += [({"scope", leaf, "schemaUrl"}, scoped) for group in groups for scoped in _envelopes(group, inner)]
    unknown = next((key for known, said in around for key in said if key not in known and said[key]), "")
    if not unknown:
        return ""
    for other, names in _NAMES.items():
        if unknown == names[0]:
            return f"The request holds no {noun}; {unknown} belongs to /v1/{other}."
    return f"The request holds no {noun}; {clean_text(unknown, 60)!r} is no name that OTLP/JSON has at its place."


def _envelopes(parent: JsonObject, key: str) -> Iterator[JsonObject]:
    for place, item in enumerate(_envelope_list(parent, key)):
        if isinstance(item, dict):
            yield item
        elif item is not None:
            raise MalformedPayload(f"{key}[{place}] is not a JSON object; send it as OTLP/JSON describes.")


def _envelope_list(parent: JsonObject, key: str) -> list[object]:
    found = parent.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedPayload(f"{key} is not a JSON array; send it as OTLP/JSON describes.")
    return found


def _envelope(parent: JsonObject, key: str) -> JsonObject:
    found = parent.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MalformedPayload(f"{key} is not a JSON object; send it as OTLP/JSON describes.")
    return found


def _take(
    signal: Signal, item: object, group: tuple[Attributes, str, str], received_ns: int, gathered: Gathered
) -> None:
    resource, scope, fault = group
    try:
        if fault:
            raise Poison(fault)
        if not isinstance(item, dict):
            raise Poison("the item is not a JSON object")
        if signal is Signal.METRICS:
            _metric(item, resource, gathered)
            return
        if signal is Signal.TRACES:
            gathered.spans.append(span_record(item, scope, resource, gathered.limits))
        else:
            gathered.logs.append(_log_record(item, resource, received_ns))
        gathered.index += 1
    except Poison as poison:
        span_id = item.get("spanId") if isinstance(item, dict) else None
        gathered.refuse(str(poison), clean_text(span_id, 32) if isinstance(span_id, str) else "")


def span_record(span: JsonObject, scope: str, resource: Attributes, limits: Limits = LIMITS) -> SpanRecord:
    """One span; raises Poison if it can't be kept."""
    trace_id, span_id = identifier(span, "traceId"), identifier(span, "spanId")
    parent_id = identifier(span, "parentSpanId")
    start_ns, end_ns = integer(span, "startTimeUnixNano"), integer(span, "endTimeUnixNano")
    fault = span_fault(trace_id, span_id, parent_id, start_ns, end_ns)
    if fault:
        raise Poison(fault)
    kind, code, message = enum(span, "kind"), 0, ""
    status = span.get("status")
    if status is not None:
        if not isinstance(status, dict):
            raise Poison("status is not a JSON object")
        code, message = enum(status, "code"), text(status, "message")
    events, links = listed(span, "events"), listed(span, "links")
    for found, most, noun in ((events, limits.events, "span events"), (links, limits.links, "span links")):
        if len(found) > most:
            raise PayloadTooLarge(refusal(noun, most))
    return SpanRecord(
        trace_id,
        span_id,
        None if not parent_id or parent_id == ZERO_SPAN_ID else parent_id,
        text(span, "name"),
        _KINDS[kind] if 0 < kind < len(_KINDS) else SpanKind.UNSPECIFIED,
        start_ns,
        end_ns,
        _STATUSES[code] if 0 < code < len(_STATUSES) else StatusCode.UNSET,
        message,
        scope,
        resource,
        attributes(span.get("attributes")),
        tuple(map(_event, events)),
        tuple(link for link in map(_link, links) if link),
    )


def _event(event: object) -> SpanEvent:
    if not isinstance(event, dict):
        raise Poison("an event is not a JSON object")
    name, time_ns = text(event, "name"), integer(event, "timeUnixNano")
    if not 0 <= time_ns <= MAX_NS:
        raise Poison(time_fault(f"time of the event {name[:50]!r}", time_ns))
    return SpanEvent(name, time_ns, attributes(event.get("attributes")))


def _link(link: object) -> SpanLink | None:
    if not isinstance(link, dict):
        raise Poison("a link is not a JSON object")
    trace_id, span_id = identifier(link, "traceId"), identifier(link, "spanId")
    if len(trace_id) != 16 or len(span_id) != 8:
        # A link that names no span says nothing; it is left out, and its span stays.
        return None
    return SpanLink(trace_id, span_id, attributes(link.get("attributes")))


def _log_record(log: JsonObject, resource: Attributes, received_ns: int) -> LogRecord:
    trace_id, span_id = identifier(log, "traceId"), identifier(log, "spanId")
    time_ns = integer(log, "timeUnixNano") or integer(log, "observedTimeUnixNano") or received_ns
    fault = reference_fault(trace_id, span_id)
    if not fault and not 0 < time_ns <= MAX_NS:
        fault = time_fault("time", time_ns)
    if fault:
        raise Poison(fault)
    severity = enum(log, "severityNumber")
    return LogRecord(
        time_ns=time_ns,
        severity_number=severity if 0 < severity <= 24 else 0,
        severity_text=text(log, "severityText"),
        body=value_of(log.get("body")),
        trace_id=trace_id if trace_id and trace_id != ZERO_TRACE_ID else None,
        span_id=span_id if span_id and span_id != ZERO_SPAN_ID else None,
        event_name=text(log, "eventName"),
        resource=resource,
        attributes=attributes(log.get("attributes")),
    )


def _metric(metric: JsonObject, resource: Attributes, gathered: Gathered) -> None:
    """Keep or refuse each data point of the metric; one without data says nothing."""
    series = Series(text(metric, "name"), text(metric, "unit"), resource)
    for which, read in _DATA.items():
        data = metric.get(which)
        if data is None:
            continue
        if not isinstance(data, dict):
            raise Poison(f"{which} is not a JSON object")
        points = listed(data, "dataPoints")
        gathered.admit(len(points))
        for point in points:
            try:
                if not isinstance(point, dict):
                    raise Poison("the data point is not a JSON object")
                gathered.keep(() if integer(point, "flags") & NO_RECORDED_VALUE else read(point, series))
            except Poison as poison:
                gathered.refuse(str(poison), series.name)
        return


def _number_point(point: JsonObject, series: Series) -> tuple[MetricPoint, ...]:
    value = floating(point, "asDouble")
    if value is None and point.get("asInt") is not None:
        value = float(integer(point, "asInt"))
    return number_point(series, integer(point, "timeUnixNano"), value, attributes(point.get("attributes")))


def _summed_point(point: JsonObject, series: Series) -> tuple[MetricPoint, ...]:
    pairs = attributes(point.get("attributes"))
    return summed_points(series, integer(point, "timeUnixNano"), integer(point, "count"), floating(point, "sum"), pairs)


def _summary_point(point: JsonObject, series: Series) -> tuple[MetricPoint, ...]:
    # A summary's sum is not optional in OTLP: left out, it is nought.
    total = floating(point, "sum") or 0.0
    pairs = attributes(point.get("attributes"))
    return summed_points(series, integer(point, "timeUnixNano"), integer(point, "count"), total, pairs)


_DATA: dict[str, Callable[[JsonObject, Series], tuple[MetricPoint, ...]]] = {
    "gauge": _number_point,
    "sum": _number_point,
    "histogram": _summed_point,
    "exponentialHistogram": _summed_point,
    "summary": _summary_point,
}
