"""OTLP over HTTP, against a running console: keys, compression, chunks, sizes. The protocol's rules stand in
tests/conformance/."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard
from django.conf import settings
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from pytest_django import DjangoDbBlocker

from monitoring.models import Intake, Run
from monitoring.selectors.payloads import payload_of
from tests.live import LiveConsole
from tests.monitoring.line import figures, span, traces
from tests.monitoring.wire import request_of, spans_in, wire
from tests.online import JSON, PROTOBUF, Answered, Online

_PATHS = ("/v1/traces", "/v1/logs", "/v1/metrics")
_number = itertools.count(1)


@pytest.fixture(scope="module")
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


def protobuf(count: int = 1) -> ExportTraceServiceRequest:
    """An export of `count` spans of a trace of its own."""
    request: ExportTraceServiceRequest = request_of(count)
    trace_id = (next(_number) + 77_000).to_bytes(16, "big")
    for each in spans_in(request):
        each.trace_id = trace_id
    return request


def status_of(answer: Answered) -> tuple[int, str]:
    """Code and message of the google.rpc.Status that the answer must hold, in the answer's encoding."""
    if answer.headers["content-type"] == JSON:
        said = json.loads(answer.body)
        return said["code"], said["message"]
    found = Status.FromString(answer.body)
    return found.code, found.message


# Encodings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, "application/json; charset=utf-8"])
def test_it_takes_an_envelope_without_content_in_both_encodings(aster: Online, path: str, content_type: str) -> None:
    # An empty protobuf message has no bytes; one empty resource is as empty as it gets on the wire.
    body = b"{}" if "json" in content_type else b"\x0a\x00"
    answer = aster.post(path, body, content_type)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type.partition(";")[0])
    assert answer.body == (b"{}" if "json" in content_type else b"")


def test_it_stores_99_of_100_spans_when_one_is_poison(aster: Online) -> None:
    request = protobuf(100)
    spans_in(request)[41].span_id = b"\x00" * 8
    answer = aster.post("/v1/traces", wire(request), PROTOBUF)
    said = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, said.rejected_spans) == (200, 1)
    assert said.error_message == "1 rejected, by index in the request. 41: the span id is all zeros"
    with aster.rows():
        run = Run.objects.get(trace_id=spans_in(request)[0].trace_id)
        kept = Intake.objects.get(pk=run.intakes[0])
    assert (run.span_count, kept.items, kept.rejected) == (99, 99, 1)


# Refusals ------------------------------------------------------------------------------------------------------------

_MALFORMED = {
    "truncated": (wire(request_of(2))[:-3], PROTOBUF, ""),
    "no protobuf": (b"\xff\xff\xff\xff", PROTOBUF, ""),
    "no json": (b"{nonsense", JSON, ""),
    "no object": (b"[]", JSON, ""),
    "null": (b"null", JSON, ""),
    "no bytes at all": (b"", PROTOBUF, ""),
    "no bytes of json": (b"", JSON, ""),
    "gzip of nothing": (gzip.compress(b""), PROTOBUF, "gzip"),
    "no gzip": (b"plain", PROTOBUF, "gzip"),
    "gzip cut short": (gzip.compress(wire(request_of(50)))[:-9], PROTOBUF, "gzip"),
    "no zstd": (b"plain", JSON, "zstd"),
}


@pytest.mark.parametrize("name", _MALFORMED)
def test_it_answers_400_with_a_status_to(aster: Online, name: str) -> None:
    body, content_type, packing = _MALFORMED[name]
    answer = aster.post("/v1/traces", body, content_type, **({"Content_Encoding": packing} if packing else {}))
    assert (answer.status, answer.headers["content-type"], status_of(answer)[0]) == (400, content_type, 3)
    if content_type == PROTOBUF:
        detail = BadRequest()
        assert Status.FromString(answer.body).details[0].Unpack(detail)
        assert detail.field_violations[0].field == "body"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    "key", ["", "nonsense", "andon_in_abcdefghij_" + "x" * 43, "andon_api_abcdefghij_" + "x" * 43], ids=str.lower
)
def test_it_answers_401_to_a_key_that_opens_nothing(aster: Online, content_type: str, key: str) -> None:
    answer = aster.post("/v1/traces", b"{}", content_type, key=key)
    assert (answer.status, answer.headers["content-type"], status_of(answer)[0]) == (401, content_type, 16)
    assert answer.headers["www-authenticate"] == 'Bearer realm="andon"'


def test_it_takes_a_key_by_its_scheme_alone(aster: Online) -> None:
    for header, expected in ((f"bearer {aster.key}", 200), (f"Basic {aster.key}", 401), (aster.key, 401)):
        answer = aster.ask("POST", "/v1/traces", b"{}", {"Content-Type": JSON, "Authorization": header})
        assert answer.status == expected


def test_it_takes_no_ingest_key_where_an_api_token_belongs_nor_the_other_way_round(aster: Online) -> None:
    swapped = aster.key.replace("andon_in_", "andon_api_")
    assert aster.post("/v1/traces", b"{}", key=swapped).status == 401


def test_it_stops_taking_a_revoked_key_within_about_a_second(
    live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    brief = Online(live_console, django_db_blocker, "Aster Foods")
    assert brief.post("/v1/traces", b"{}").status == 200
    brief.revoke()
    revoked = time.monotonic()
    while brief.post("/v1/traces", b"{}").status == 200:
        assert time.monotonic() - revoked < 3
        time.sleep(0.1)
    assert brief.post("/v1/traces", b"{}").status == 401


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/json; charset=utf-16"])
def test_it_answers_415_to_other_content_types(aster: Online, content_type: str) -> None:
    answer = aster.post("/v1/traces", b"{}", content_type)
    assert (answer.status, status_of(answer)[0]) == (415, 3)


@pytest.mark.parametrize("packing", ["br", "gzip, gzip", "compress"])
def test_it_answers_415_to_other_content_encodings(aster: Online, packing: str) -> None:
    answer = aster.post("/v1/traces", b"{}", JSON, Content_Encoding=packing)
    assert (answer.status, answer.headers["content-type"]) == (415, JSON)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_answers_405_to_other_methods(aster: Online, method: str) -> None:
    answer = aster.ask(method, "/v1/traces", None, {"Content-Type": PROTOBUF})
    assert (answer.status, answer.headers["allow"], status_of(answer)[0]) == (405, "POST", 12)


# Compression, chunks and sizes ---------------------------------------------------------------------------------------


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("packing", _PACKERS)
def test_it_unpacks_what_was_packed_and_keeps_it_readable(aster: Online, content_type: str, packing: str) -> None:
    request = protobuf()
    trace_id = bytes(spans_in(request)[0].trace_id)
    body = wire(request) if content_type == PROTOBUF else traces(span(trace=int.from_bytes(trace_id, "big")))
    assert aster.post("/v1/traces", _PACKERS[packing](body), content_type, Content_Encoding=packing).status == 200
    with aster.rows():
        kept = Intake.objects.get(pk=Run.objects.get(trace_id=trace_id).intakes[0])
    assert payload_of(kept).body == body


def test_it_reads_a_body_that_comes_in_chunks_to_its_end(aster: Online) -> None:
    request = protobuf(500)
    body = wire(request)
    chunks = (body[at : at + 1_000] for at in range(0, len(body), 1_000))
    assert aster.post("/v1/traces", chunks, PROTOBUF).status == 200
    with aster.rows():
        assert Run.objects.get(trace_id=spans_in(request)[0].trace_id).span_count == 500


def test_a_reader_of_content_length_alone_is_caught(aster: Online) -> None:
    """The control: the chunks above carry no Content-Length, which is what a WSGI view would go by."""
    connection = http.client.HTTPConnection("127.0.0.1", 1)
    connection.auto_open = False
    sent: list[bytes] = []
    connection.send = sent.append  # type: ignore[method-assign,assignment]
    connection.request("POST", "/v1/traces", iter([b"{}"]), encode_chunked=True)
    head = b"".join(sent).lower()
    assert (b"transfer-encoding: chunked" in head, b"content-length" in head) == (True, False)


def test_it_takes_an_identical_request_once_however_it_is_packed(aster: Online) -> None:
    body = traces(span(said={"andon.unit_id": "u-wire", "andon.attempt": 3, "andon.phase": "dead"}))
    aster.post("/v1/traces", body)
    with aster.orm():
        once = figures(aster.tenant.pk)
    for number in range(9):
        packed, packing = (gzip.compress(body), "gzip") if number % 2 else (body, "identity")
        assert aster.post("/v1/traces", packed, JSON, Content_Encoding=packing).status == 200
    with aster.orm():
        assert figures(aster.tenant.pk) == once


_LIMIT = settings.INTAKE_MAX_BYTES


def test_it_answers_413_to_a_body_that_announces_too_much(aster: Online) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aster.console.port, timeout=10)
    connection.putrequest("POST", "/v1/traces")
    for name, value in (("Content-Type", PROTOBUF), ("Authorization", f"Bearer {aster.key}")):
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(_LIMIT + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"], Status.FromString(answer.read()).code) == (413, PROTOBUF, 8)
    connection.close()


def test_it_answers_413_to_chunks_that_grow_beyond_the_limit(aster: Online) -> None:
    chunk = b"\x00" * (1 << 20)
    sent = 0

    def growing() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(_LIMIT // len(chunk) + 1):
            sent += len(chunk)
            yield chunk

    answer = aster.post("/v1/traces", growing(), PROTOBUF)
    assert (answer.status, status_of(answer)[0]) == (413, 8)


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_it_answers_413_to_what_unpacks_beyond_the_limit(aster: Online, packing: str) -> None:
    zeros = b"\x00" * (_LIMIT + 1)
    packed = gzip.compress(zeros, 6) if packing == "gzip" else zstandard.ZstdCompressor(level=1).compress(zeros)
    answer = aster.post("/v1/traces", packed, PROTOBUF, Content_Encoding=packing)
    assert (answer.status, status_of(answer)[0]) == (413, 8)


# Tenants and paths --------------------------------------------------------------------------------------------------


def test_it_ignores_a_tenant_that_the_payload_names(
    aster: Online, live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    other = Online(live_console, django_db_blocker, "Borealis Pharma")
    trace = next(_number) + 900_000
    spoof = {"tenant.id": other.tenant.pk, "tenant": other.tenant.slug, "andon.tenant": other.tenant.slug}
    answer = aster.post(
        "/v1/traces", traces(span(trace=trace), resource=spoof), X_Tenant=other.tenant.slug, X_Scope_OrgID="2"
    )
    assert answer.status == 200
    with aster.rows():
        assert Run.objects.filter(trace_id=trace.to_bytes(16, "big")).count() == 1
    with other.rows():
        assert (Run.objects.count(), Intake.objects.count()) == (0, 0)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_it_says_which_endpoints_there_are_where_there_is_none(aster: Online, content_type: str) -> None:
    answer = aster.post("/v1/profiles", b"", **{"content-type": content_type})
    code, message = status_of(answer)
    assert (answer.status, code) == (404, 5)
    assert message.startswith("There is no endpoint at this path; there are /v1/traces, ")
