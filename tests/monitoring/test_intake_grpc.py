"""OTLP over gRPC: the real exporter's requests are taken as HTTP's are, and errors say whether to come back."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from pytest_django import DjangoDbBlocker

from monitoring.models import Intake, Run
from monitoring.receive.grpc_server import packing
from tests.live import LiveConsole
from tests.monitoring.wire import request_of, spans_in, wire
from tests.online import PROTOBUF, Online
from tests.troubles import unreachable

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


@contextmanager
def channel(online: Online, compression: grpc.Compression = grpc.Compression.NoCompression) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{online.console.grpc()}", compression=compression) as opened:
        yield opened


def send(
    online: Online, body: bytes, *, key: str | None = None, method: str = TRACES, **how: grpc.Compression
) -> bytes:
    """The answer's bytes; raises grpc.RpcError for any other."""
    with channel(online, **how) as opened:
        given = (("authorization", f"Bearer {online.key if key is None else key}"),)
        answer: bytes = opened.unary_unary(method)(body, metadata=given, timeout=15)
        return answer


def refused(online: Online, body: bytes, *, key: str | None = None) -> tuple[grpc.StatusCode, bool]:
    """The code of the error, and whether the exporter is told to come back."""
    with pytest.raises(grpc.RpcError) as caught:
        send(online, body, key=key)
    error = caught.value
    (details,) = (value for name, value in error.trailing_metadata() if name == "grpc-status-details-bin")
    status = Status.FromString(details)
    assert status.message == error.details()
    return error.code(), any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)


def test_it_takes_what_the_real_exporter_sends(aster: Online) -> None:
    exporter = OTLPSpanExporter(
        endpoint=f"http://127.0.0.1:{aster.console.grpc()}",
        headers={"authorization": f"Bearer {aster.key}"},
        compression=grpc.Compression.Gzip,
        insecure=True,
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("tests").start_span("over grpc", attributes={"order.id": "4711" * 100}).end()
    provider.shutdown()
    with aster.rows():
        run = Run.objects.get(root_name="over grpc")
        kept = Intake.objects.get(pk=run.intakes[0])
        # So short a body zstd makes smaller or not, as its random ids fall.
        assert (kept.compression, bytes(kept.body[:2]), kept.items) in (
            ("gzip", b"\x1f\x8b", 1),
            ("zstd", b"\x28\xb5", 1),
        )


def test_it_is_one_row_whichever_way_the_same_request_comes(aster: Online) -> None:
    body = wire(request_of(40))
    with aster.rows():
        before = Intake.objects.count()
    assert aster.post("/v1/traces", body, PROTOBUF).status == 200
    assert send(aster, body) == b""
    assert send(aster, body, compression=grpc.Compression.Gzip) == b""
    assert send(aster, body, compression=grpc.Compression.Deflate) == b""
    with aster.rows():
        assert Intake.objects.count() == before + 1


def test_it_says_what_was_rejected_of_a_request_that_was_taken(aster: Online) -> None:
    request = request_of(10)
    spans_in(request)[3].trace_id = b"short"
    answer = ExportTraceServiceResponse.FromString(send(aster, wire(request)))
    assert answer.partial_success.rejected_spans == 1


def test_it_takes_logs(aster: Online) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1, severity_text="INFO")
    answer = ExportLogsServiceResponse.FromString(send(aster, request.SerializeToString(), method=LOGS))
    assert answer.partial_success.rejected_log_records == 0


def test_it_refuses_for_good_what_no_repeat_would_mend(aster: Online) -> None:
    good = wire(request_of(1))
    assert refused(aster, good, key="nonsense") == (grpc.StatusCode.UNAUTHENTICATED, False)
    assert refused(aster, b"\xff\xff\xff\xff") == (grpc.StatusCode.INVALID_ARGUMENT, False)
    assert refused(aster, b"") == (grpc.StatusCode.INVALID_ARGUMENT, False)
    # A compressed message that would unpack to more than HTTP takes.
    assert refused(aster, gzip.compress(bytes(65 << 20))) == (grpc.StatusCode.RESOURCE_EXHAUSTED, False)


def test_what_grpc_itself_refuses_as_too_large_is_counted_for_its_tenant(aster: Online) -> None:
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as caught:
            send(aster, bytes((16 << 20) + 1), method=LOGS)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    aster.wait_until_counted(2, signal="logs", status=413, reason="too_large")


def test_it_asks_to_come_back_while_the_database_is_away(aster: Online) -> None:
    body = wire(request_of(3))
    with unreachable(aster.console):
        assert refused(aster, body) == (grpc.StatusCode.UNAVAILABLE, True)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            assert send(aster, body) == b""
        except grpc.RpcError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("it never came back")


def test_it_tells_compressed_messages_from_plain_ones() -> None:
    bodies = (b"", b"\n\x03abc", gzip.compress(b""), b"\x78\x9c\x03")
    assert [packing(body) for body in bodies] == ["", "", "gzip", "deflate"]
