"""OTLP in protobuf: from the wire messages to records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as WireLog
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from monitoring.records import (
    Attributes,
    Decoded,
    LogRecord,
    MetricPoint,
    Signal,
    SpanEvent,
    SpanKind,
    SpanLink,
    SpanRecord,
    StatusCode,
    Value,
)

from .envelope import groups
from .faults import MAX_NS, ZERO_SPAN_ID, ZERO_TRACE_ID, reference_fault, span_fault, time_fault
from .gathered import Gathered
from .limits import LIMITS, Limits
from .points import NO_RECORDED_VALUE, Series, number_point, summed_points
from .values import DEEPER, MAX_DEPTH, SHORT_TEXT, Poison, clean_bytes, clean_float, clean_text
from .wire_scan import check

Item = TypeVar("Item", Span, WireLog, Metric)
#: Resource, scope name and items of one scope; an item that can't be parsed stands there as None.
Groups: TypeAlias = "Iterator[tuple[Attributes, str, Iterable[Item | None]]]"
SummedDataPoint: TypeAlias = HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint

_KINDS = tuple(SpanKind)
_STATUSES = tuple(StatusCode)
_UNREADABLE = "the item can't be parsed: text that is not UTF-8, nesting beyond 100 levels or a broken field"


def decode_protobuf(signal: Signal, body: bytes, received_ns: int, limits: Limits = LIMITS) -> Decoded:
    """Everything the body says. Raises MalformedPayload or PayloadTooLarge; a bad item rejects only itself."""
    check(signal, body, limits)
    if signal is Signal.TRACES:
        return _spans(_trace_groups(body), Gathered(limits, "spans"))
    if signal is Signal.LOGS:
        return _logs(_log_groups(body), Gathered(limits, "log records"), received_ns)
    return _metrics(_metric_groups(body), Gathered(limits, "data points"))


def _trace_groups(body: bytes) -> Groups[Span]:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        yield from _one_by_one(body, Span)
        return
    for group in request.resource_spans:
        resource = attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            yield resource, clean_text(scoped.scope.name), scoped.spans


def _log_groups(body: bytes) -> Groups[WireLog]:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError:
        yield from _one_by_one(body, WireLog)
        return
    for group in request.resource_logs:
        resource = attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            yield resource, clean_text(scoped.scope.name), scoped.log_records


def _metric_groups(body: bytes) -> Groups[Metric]:
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        yield from _one_by_one(body, Metric)
        return
    for group in request.resource_metrics:
        resource = attributes(group.resource.attributes)
        for scoped in group.scope_metrics:
            yield resource, clean_text(scoped.scope.name), scoped.metrics


def _one_by_one(body: bytes, kind: type[Item]) -> Groups[Item]:
    """The slow way, taken when one unreadable item has made protobuf refuse the whole body."""
    for group in groups(body):
        resource, scope = shared(group.resource, group.scope)
        if resource is None:
            yield {}, "", [None] * len(group.items)
            continue
        yield resource, scope, [_parsed(kind, body[start:end]) for start, end in group.items]


def _parsed(kind: type[Item], data: bytes) -> Item | None:
    try:
        item: Item = kind.FromString(data)
    except DecodeError:
        return None
    return item


def shared(resource: bytes, scope: bytes) -> tuple[Attributes | None, str]:
    """The resource's attributes and the scope's name; the attributes are None if either can't be parsed."""
    try:
        pairs = Resource.FromString(resource).attributes
        name = InstrumentationScope.FromString(scope).name
    except DecodeError:
        return None, ""
    return attributes(pairs), clean_text(name)


def _spans(found: Groups[Span], gathered: Gathered) -> Decoded:
    for resource, scope, spans in found:
        for span in spans:
            if span is None:
                gathered.refuse(_UNREADABLE)
                continue
            try:
                gathered.spans.append(span_record(span, scope, resource))
                gathered.index += 1
            except Poison as poison:
                gathered.refuse(str(poison), span.span_id[:8].hex())
    return gathered.decoded()


def _logs(found: Groups[WireLog], gathered: Gathered, received_ns: int) -> Decoded:
    for resource, _scope, logs in found:
        for log in logs:
            if log is None:
                gathered.refuse(_UNREADABLE)
                continue
            try:
                gathered.logs.append(_log_record(log, resource, received_ns))
                gathered.index += 1
            except Poison as poison:
                gathered.refuse(str(poison))
    return gathered.decoded()


def _metrics(found: Groups[Metric], gathered: Gathered) -> Decoded:
    for resource, _scope, metrics in found:
        for metric in metrics:
            if metric is None:
                gathered.refuse(_UNREADABLE)
                continue
            _metric(metric, resource, gathered)
    return gathered.decoded()


def span_record(span: Span, scope: str, resource: Attributes) -> SpanRecord:
    """One span; raises Poison if it can't be kept."""
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    fault = span_fault(trace_id, span_id, parent_id, start_ns, end_ns)
    if fault:
        raise Poison(fault)
    kind, code, message = span.kind, 0, ""
    if span.HasField("status"):
        code, message = span.status.code, clean_text(span.status.message)
    events, links = span.events, span.links
    return SpanRecord(
        trace_id,
        span_id,
        None if not parent_id or parent_id == ZERO_SPAN_ID else parent_id,
        clean_text(span.name),
        _KINDS[kind] if 0 < kind < len(_KINDS) else SpanKind.UNSPECIFIED,
        start_ns,
        end_ns,
        _STATUSES[code] if 0 < code < len(_STATUSES) else StatusCode.UNSET,
        message,
        scope,
        resource,
        attributes(span.attributes),
        tuple(map(_event, events)) if events else (),
        tuple(_link(link) for link in links if _names_a_span(link)) if links else (),
    )


def _event(event: Span.Event) -> SpanEvent:
    if event.time_unix_nano > MAX_NS:
        raise Poison(time_fault(f"time of the event {clean_text(event.name, 200)!r}", event.time_unix_nano))
    return SpanEvent(clean_text(event.name), event.time_unix_nano, attributes(event.attributes))


def _names_a_span(link: Span.Link) -> bool:
    # A link that names no span says nothing; it is left out, and its span stays.
    return len(link.trace_id) == 16 and len(link.span_id) == 8


def _link(link: Span.Link) -> SpanLink:
    return SpanLink(link.trace_id, link.span_id, attributes(link.attributes))


def _log_record(log: WireLog, resource: Attributes, received_ns: int) -> LogRecord:
    trace_id, span_id = log.trace_id, log.span_id
    time_ns = log.time_unix_nano or log.observed_time_unix_nano or received_ns
    fault = reference_fault(trace_id, span_id)
    if not fault and time_ns > MAX_NS:
        fault = time_fault("time", time_ns)
    if fault:
        raise Poison(fault)
    return LogRecord(
        time_ns=time_ns,
        severity_number=log.severity_number if 0 < log.severity_number <= 24 else 0,
        severity_text=clean_text(log.severity_text),
        body=value_of(log.body),
        trace_id=trace_id if trace_id and trace_id != ZERO_TRACE_ID else None,
        span_id=span_id if span_id and span_id != ZERO_SPAN_ID else None,
        event_name=clean_text(log.event_name),
        resource=resource,
        attributes=attributes(log.attributes),
    )


def _metric(metric: Metric, resource: Attributes, gathered: Gathered) -> None:
    """Keep or refuse each data point of the metric; one without data says nothing."""
    which = metric.WhichOneof("data")
    if which is None:
        return
    series = Series(clean_text(metric.name), clean_text(metric.unit), resource)
    read = _number_points if which in ("gauge", "sum") else _summed_points
    for point in getattr(metric, which).data_points:
        try:
            gathered.keep(() if point.flags & NO_RECORDED_VALUE else read(point, series))
        except Poison as poison:
            gathered.refuse(str(poison), series.name)


def _number_points(point: NumberDataPoint, series: Series) -> tuple[MetricPoint, ...]:
    which = point.WhichOneof("value")
    value = float(getattr(point, which)) if which else None
    return number_point(series, point.time_unix_nano, value, attributes(point.attributes))


def _summed_points(point: SummedDataPoint, series: Series) -> tuple[MetricPoint, ...]:
    # A summary's sum is not optional, so protobuf can't say whether it was sent.
    total = point.sum if isinstance(point, SummaryDataPoint) or point.HasField("sum") else None
    return summed_points(series, point.time_unix_nano, point.count, total, attributes(point.attributes))


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    """The pairs as a mapping; of a key that is sent twice the last value counts."""
    found: dict[str, Value] = {}
    for pair in pairs:
        value, key = pair.value, pair.key
        if len(key) > SHORT_TEXT or "\x00" in key:
            key = clean_text(key)
        text = value.string_value
        if not text:
            found[key] = value_of(value)
        elif len(text) <= SHORT_TEXT and "\x00" not in text:
            found[key] = text
        else:
            found[key] = clean_text(text)
    return found


def value_of(value: AnyValue, depth: int = 0) -> Value:
    """The AnyValue as plain Python; None where it holds nothing that this version of OTLP knows."""
    which = value.WhichOneof("value")
    if which in _NESTED:
        return DEEPER if depth >= MAX_DEPTH else _NESTED[which](value, depth + 1)
    read = _PLAIN.get(which)
    return read(value) if read else None


def _list(value: AnyValue, depth: int) -> Value:
    return [value_of(item, depth) for item in value.array_value.values]


def _map(value: AnyValue, depth: int) -> Value:
    return {clean_text(pair.key): value_of(pair.value, depth) for pair in value.kvlist_value.values}


_NESTED: dict[str | None, Callable[[AnyValue, int], Value]] = {"array_value": _list, "kvlist_value": _map}
_PLAIN: dict[str | None, Callable[[AnyValue], Value]] = {
    "string_value": lambda value: clean_text(value.string_value),
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: clean_float(value.double_value),
    "bytes_value": lambda value: clean_bytes(value.bytes_value),
}
