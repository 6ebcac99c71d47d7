"""What a sender reads: full success, partial success and errors, in its own encoding and always short."""

from __future__ import annotations

import json

import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from monitoring.decode.answers import content_type, failure, success
from monitoring.records import Encoding, Rejection, Signal

OTLP = (Signal.TRACES, Signal.LOGS, Signal.METRICS)
REJECTED = [Rejection(3, "the trace id is all zeros", "00f067aa0ba902b7")]
LONG = "é\ud800" * 5_000
MANY = [Rejection(number, LONG, LONG) for number in range(100_000)]


@pytest.mark.parametrize("signal", OTLP)
def test_it_leaves_partial_success_unset_on_full_success(signal: Signal) -> None:
    assert success(signal, Encoding.PROTOBUF, []) == b""
    assert success(signal, Encoding.JSON, []) == b"{}"


def test_it_tells_how_many_were_rejected_and_why() -> None:
    trace = ExportTraceServiceResponse.FromString(success(Signal.TRACES, Encoding.PROTOBUF, REJECTED))
    assert trace.partial_success.rejected_spans == 1
    assert "3: the trace id is all zeros" in trace.partial_success.error_message
    logs = ExportLogsServiceResponse.FromString(success(Signal.LOGS, Encoding.PROTOBUF, REJECTED * 2))
    assert logs.partial_success.rejected_log_records == 2
    metrics = ExportMetricsServiceResponse.FromString(success(Signal.METRICS, Encoding.PROTOBUF, REJECTED * 3))
    assert metrics.partial_success.rejected_data_points == 3


@pytest.mark.parametrize(
    ("signal", "key"),
    [
        (Signal.TRACES, "rejectedSpans"),
        (Signal.LOGS, "rejectedLogRecords"),
        (Signal.METRICS, "rejectedDataPoints"),
    ],
)
def test_it_tells_the_same_in_json(signal: Signal, key: str) -> None:
    answer = json.loads(success(signal, Encoding.JSON, REJECTED))
    assert answer["partialSuccess"][key] == "1"
    assert "3: the trace id is all zeros" in answer["partialSuccess"]["errorMessage"]


def test_it_warns_without_rejecting() -> None:
    data = success(Signal.TRACES, Encoding.PROTOBUF, [], warning="The body was empty.")
    answer = ExportTraceServiceResponse.FromString(data)
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (0, "The body was empty.")


def test_it_answers_events_with_what_was_taken_and_refused() -> None:
    rejections = [Rejection(1, "id is missing", "9")]
    answer = json.loads(success(Signal.EVENTS, Encoding.CLOUDEVENT_BATCH, rejections, accepted=4))
    assert answer == {
        "accepted": 4,
        "rejected": [{"index": 1, "id": "9", "reason": "id is missing"}],
        "rejected_count": 1,
    }


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("encoding", [Encoding.PROTOBUF, Encoding.JSON])
def test_it_stays_short_whatever_was_rejected(signal: Signal, encoding: Encoding) -> None:
    assert len(success(signal, encoding, MANY)) < 16 * 1024
    assert b"100000" in success(signal, Encoding.JSON, MANY)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 3), (401, 16), (403, 7), (404, 5), (413, 8), (415, 3), (429, 8), (500, 13), (502, 14), (503, 14), (418, 2)],
)
def test_it_writes_errors_as_status(status: int, code: int) -> None:
    error = Status.FromString(failure(Encoding.PROTOBUF, status, "what happened"))
    assert (error.code, error.message) == (code, "what happened")
    answer = json.loads(failure(Encoding.JSON, status, "what happened"))
    assert (answer["code"], answer["message"]) == (code, "what happened")


def test_it_adds_a_bad_request_detail_to_400() -> None:
    error = Status.FromString(failure(Encoding.PROTOBUF, 400, "cut short"))
    detail = BadRequest()
    assert error.details[0].Unpack(detail)
    assert detail.field_violations[0].description == "cut short"
    (found,) = json.loads(failure(Encoding.JSON, 400, "cut short"))["details"]
    assert found["fieldViolations"] == [{"field": "body", "description": "cut short"}]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_it_keeps_an_error_short_and_sendable(encoding: Encoding) -> None:
    assert len(failure(encoding, 400, "é\ud800" * 100_000)) < 8 * 1024


def test_it_answers_in_the_requests_content_type() -> None:
    assert content_type(Encoding.PROTOBUF) == "application/x-protobuf"
    assert content_type(Encoding.JSON) == "application/json"
    assert content_type(Encoding.CLOUDEVENT_BATCH) == "application/json"
