"""OTLP in protobuf: logs and metrics from the wire messages to records; traces in `otlp_spans`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as WireLog
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from monitoring.records import (
    Attributes,
    Decoded,
    LogRecord,
    MetricPoint,
    Signal,
)

from . import native
from .any_values import attributes_of, value_of
from .envelope import groups
from .faults import MAX_NS, ZERO_SPAN_ID, ZERO_TRACE_ID, reference_fault, time_fault
from .gathered import Gathered
from .limits import LIMITS, Limits
from .otlp_spans import decode_spans
from .points import NO_RECORDED_VALUE, Series, number_point, summed_points
from .remembered import UNREADABLE, shared
from .values import Poison, clean_text
from .wire_scan import check

Item = TypeVar("Item", WireLog, Metric)
#: Resource, scope name and items of one scope; an item that can't be parsed stands there as None.
Groups: TypeAlias = "Iterator[tuple[Attributes, str, Iterable[Item | None]]]"
SummedDataPoint: TypeAlias = HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint


def decode_protobuf(signal: Signal, body: bytes, received_ns: int, limits: Limits = LIMITS) -> Decoded:
    """Everything the body says. Raises MalformedPayload or PayloadTooLarge; a bad item rejects only itself."""
    if signal is Signal.TRACES and (found := native.decoded(body, limits)):
        return found
    check(signal, body, limits)
    if signal is Signal.TRACES:
        return decode_spans(body, limits)
    if signal is Signal.LOGS:
        return _logs(_log_groups(body), Gathered(limits, "log records"), received_ns)
    return _metrics(_metric_groups(body), Gathered(limits, "data points"))


def _log_groups(body: bytes) -> Groups[WireLog]:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError:
        yield from _one_by_one(body, WireLog)
        return
    for group in request.resource_logs:
        resource = attributes_of(group.resource.attributes)
        for scoped in group.scope_logs:
            yield resource, clean_text(scoped.scope.name), scoped.log_records


def _metric_groups(body: bytes) -> Groups[Metric]:
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        yield from _one_by_one(body, Metric)
        return
    for group in request.resource_metrics:
        resource = attributes_of(group.resource.attributes)
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


def _logs(found: Groups[WireLog], gathered: Gathered, received_ns: int) -> Decoded:
    for resource, _scope, logs in found:
        for log in logs:
            if log is None:
                gathered.refuse(UNREADABLE)
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
                gathered.refuse(UNREADABLE)
                continue
            _metric(metric, resource, gathered)
    return gathered.decoded()


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
        attributes=attributes_of(log.attributes),
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
    return number_point(series, point.time_unix_nano, value, attributes_of(point.attributes))


def _summed_points(point: SummedDataPoint, series: Series) -> tuple[MetricPoint, ...]:
    # A summary's sum is not optional, so protobuf can't say whether it was sent.
    total = point.sum if isinstance(point, SummaryDataPoint) or point.HasField("sum") else None
    return summed_points(series, point.time_unix_nano, point.count, total, attributes_of(point.attributes))
