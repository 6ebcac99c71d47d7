"""What Andon answers, in the request's own encoding and never longer than a few kilobytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from monitoring.records import Encoding, Rejection, Signal

#: How many rejections an answer spells out, and how long each may be; their number is always told in full.
SHOWN = 20
MAX_REASON = 160
MAX_MESSAGE = 1_000

#: HTTP status -> gRPC code, as the OpenTelemetry Collector and gRPC's HTTP mapping have it. 413 is RESOURCE_EXHAUSTED
#: because that is what gRPC answers to a message above its size limit; without RetryInfo OTLP does not retry it.
GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 411: 3, 413: 8, 415: 3, 429: 8}
GRPC_CODES |= dict.fromkeys((502, 503, 504), 14)
_INTERNAL = 13
_UNKNOWN = 2

_RESPONSES: dict[Signal, Callable[[], Any]] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
}
_REJECTED = {
    Signal.TRACES: ("rejected_spans", "rejectedSpans"),
    Signal.LOGS: ("rejected_log_records", "rejectedLogRecords"),
    Signal.METRICS: ("rejected_data_points", "rejectedDataPoints"),
}


def content_type(encoding: Encoding) -> str:
    """The answer's Content-Type: the request's own for OTLP, JSON for CloudEvents."""
    return Encoding.PROTOBUF.value if encoding is Encoding.PROTOBUF else Encoding.JSON.value


def success(
    signal: Signal, encoding: Encoding, rejections: Sequence[Rejection], *, accepted: int = 0, warning: str = ""
) -> bytes:
    """The body of a 200. A full success of OTLP leaves partial_success unset; `warning` is OTLP's warning form.

    `accepted` is told to CloudEvents senders only: OTLP has no field for it.
    """
    if signal is Signal.EVENTS:
        return _event_answer(rejections, accepted, warning)
    message = _message(rejections) if rejections else warning[:MAX_MESSAGE]
    field, key = _REJECTED[signal]
    if encoding is not Encoding.PROTOBUF:
        if not message:
            return b"{}"
        return orjson.dumps({"partialSuccess": {key: str(len(rejections)), "errorMessage": message}})
    response = _RESPONSES[signal]()
    if message:
        setattr(response.partial_success, field, len(rejections))
        response.partial_success.error_message = message
    data: bytes = response.SerializeToString()
    return data


def failure(encoding: Encoding, status: int, message: str) -> bytes:
    """The body of an error: google.rpc.Status in the request's encoding, with a BadRequest detail for 400."""
    message = _sendable(message, MAX_MESSAGE)
    code = GRPC_CODES.get(status, _INTERNAL if status >= 500 else _UNKNOWN)
    if encoding is not Encoding.PROTOBUF:
        answer: dict[str, object] = {"code": code, "message": message}
        if status == 400:
            violation = {"field": "body", "description": message}
            answer["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
        return orjson.dumps(answer)
    error = Status(code=code, message=message)
    if status == 400:
        detail = BadRequest(field_violations=[BadRequest.FieldViolation(field="body", description=message)])
        error.details.add().Pack(detail)
    data: bytes = error.SerializeToString()
    return data


def _event_answer(rejections: Sequence[Rejection], accepted: int, warning: str) -> bytes:
    shown = [
        {
            "index": rejection.index,
            "id": _sendable(rejection.item_id, MAX_REASON),
            "reason": _sendable(rejection.reason, MAX_REASON),
        }
        for rejection in rejections[:SHOWN]
    ]
    answer: dict[str, object] = {"accepted": accepted, "rejected": shown, "rejected_count": len(rejections)}
    if warning:
        answer["warning"] = _sendable(warning, MAX_MESSAGE)
    return orjson.dumps(answer)


def _message(rejections: Sequence[Rejection]) -> str:
    told = [f"{rejection.index}: {_sendable(rejection.reason, MAX_REASON)}" for rejection in rejections[:SHOWN]]
    if len(rejections) > SHOWN:
        told.append(f"and {len(rejections) - SHOWN} more")
    return f"{len(rejections)} rejected, by index in the request. " + "; ".join(told)


def _sendable(text: str, most: int) -> str:
    return text[:most].encode(errors="replace").decode()
