"""The rules O1 to O19 for a receiver of OTLP/HTTP 1.11, each against a running console in both encodings."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from pytest_django import DjangoDbBlocker

from monitoring.models import Intake, Run
from monitoring.selectors.spans import spans_within
from tests.conformance.bodies import START, js_batch, js_pairs, js_span, new_trace, pb_batch, pb_span
from tests.conformance.corpus import LIMIT, MIB
from tests.live import LiveConsole
from tests.monitoring.wire import wire
from tests.online import JSON, PROTOBUF, Answered, Online
from tests.troubles import read_only, unreachable

BOTH = [PROTOBUF, JSON]
both = pytest.mark.parametrize("encoding", BOTH, ids=["protobuf", "json"])
_RESPONSES: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceResponse,
    "/v1/logs": ExportLogsServiceResponse,
    "/v1/metrics": ExportMetricsServiceResponse,
}
#: 4 MiB is what the specification lets a client expect at the most; a refusal needs far less.
MOST_ANSWER = 8 * 1024


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


def batch(encoding: str, trace: bytes, count: int = 1, bad: int = 0) -> bytes:
    """Good spans of a trace, and before them some without a span id."""
    if encoding == PROTOBUF:
        poison = [pb_span(trace, 999_000 + number, span_id=b"") for number in range(bad)]
        return pb_batch(*poison, *(pb_span(trace, number + 1) for number in range(count)))
    poison_json = [js_span(trace, 999_000 + number, spanId="") for number in range(bad)]
    return js_batch(*poison_json, *(js_span(trace, number + 1) for number in range(count)))


def status_of(answer: Answered) -> tuple[int, str]:
    """Code and message of the google.rpc.Status in the answer, which must be written in the answer's own type."""
    if answer.headers["content-type"] == JSON:
        said = json.loads(answer.body)
        return said["code"], said["message"]
    found = Status.FromString(answer.body)
    return found.code, found.message


def partial(answer: Answered) -> tuple[int, str] | None:
    """What partial_success says, or None where it is unset."""
    if answer.headers["content-type"] == JSON:
        found = json.loads(answer.body).get("partialSuccess")
        return None if found is None else (int(found.get("rejectedSpans", 0)), found.get("errorMessage", ""))
    response = ExportTraceServiceResponse.FromString(answer.body)
    if not response.HasField("partial_success"):
        return None
    return response.partial_success.rejected_spans, response.partial_success.error_message


def spans_stored(of: Online, trace: bytes) -> int:
    with of.rows():
        return sum(Run.objects.filter(trace_id=trace).values_list("span_count", flat=True))


def signals(encoding: str) -> dict[str, bytes]:
    """One good request of each signal."""
    if encoding == PROTOBUF:
        logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
        log = logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=START)
        log.body.string_value = "held"
        metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="queue.depth", unit="1")
        metric.gauge.data_points.add(time_unix_nano=START, as_int=3)
        return {"/v1/logs": wire(logs), "/v1/metrics": wire(metrics)}
    record = {"timeUnixNano": str(START), "body": {"stringValue": "held"}}
    point = {"name": "queue.depth", "gauge": {"dataPoints": [{"timeUnixNano": str(START), "asInt": "3"}]}}
    return {
        "/v1/logs": orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}),
        "/v1/metrics": orjson.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [point]}]}]}),
    }


@both
def test_o01_three_endpoints_take_both_encodings_on_one_port(aster: Online, encoding: str) -> None:
    trace = new_trace()
    assert aster.post("/v1/traces", batch(encoding, trace, 2), encoding).status == 200
    assert spans_stored(aster, trace) == 2
    for path, body in signals(encoding).items():
        assert aster.post(path, body, encoding).status == 200
        with aster.rows():
            kept = Intake.objects.order_by("-id").first()
        assert kept is not None
        assert (f"/v1/{kept.signal}", kept.encoding, kept.items, kept.rejected) == (path, encoding, 1, 0)


@both
@pytest.mark.parametrize("status", [200, 400, 401, 404, 405, 413, 415])
def test_o02_and_o06_the_answer_has_the_type_of_the_request_and_every_error_is_a_status(
    aster: Online, encoding: str, status: int
) -> None:
    body = batch(encoding, new_trace())
    answer = {
        200: lambda: aster.post("/v1/traces", body, encoding),
        400: lambda: aster.post("/v1/traces", body[:-3], encoding),
        401: lambda: aster.post("/v1/traces", body, encoding, key="nonsense"),
        404: lambda: aster.post("/v1/profiles", body, encoding),
        405: lambda: aster.ask("GET", "/v1/traces", None, {"Content-Type": encoding}),
        413: lambda: aster.post("/v1/traces", gzip.compress(bytes(LIMIT + 1)), encoding, Content_Encoding="gzip"),
        415: lambda: aster.post("/v1/traces", body, encoding, Content_Encoding="br"),
    }[status]()
    assert (answer.status, answer.headers["content-type"]) == (status, encoding)
    assert len(answer.body) < MOST_ANSWER
    if status != 200:
        code, message = status_of(answer)
        assert code == {400: 3, 401: 16, 404: 5, 405: 12, 413: 8, 415: 3}[status]
        assert message


@both
def test_o03_partial_success_is_unset_when_all_was_taken(aster: Online, encoding: str) -> None:
    answer = aster.post("/v1/traces", batch(encoding, new_trace(), 5), encoding)
    assert (answer.status, partial(answer)) == (200, None)
    for path, body in signals(encoding).items():
        said = aster.post(path, body, encoding).body
        assert said == (b"{}" if encoding == JSON else _RESPONSES[path]().SerializeToString())


@both
def test_o04_three_bad_spans_of_ten_are_rejected_and_seven_stored(aster: Online, encoding: str) -> None:
    trace = new_trace()
    answer = aster.post("/v1/traces", batch(encoding, trace, 7, bad=3), encoding)
    told = partial(answer)
    assert (answer.status, told is not None and told[0]) == (200, 3)
    assert told is not None
    assert told[1].startswith("3 rejected, by index in the request. 0: the span id is missing; 1: ")
    assert "retry-after" not in answer.headers
    assert spans_stored(aster, trace) == 7


@both
def test_o05_nothing_is_warned_of_where_there_is_nothing_to_warn_of(aster: Online, encoding: str) -> None:
    """The warning form is nought rejected and a message; a sender must never read a plain success as one."""
    answer = aster.post("/v1/traces", b"{}" if encoding == JSON else b"\x0a\x00", encoding)
    assert answer.body == (b"{}" if encoding == JSON else b"")


@both
def test_o07_only_retryable_answers_ask_to_come_back(aster: Online, encoding: str) -> None:
    for body, key, expected in (
        (batch(encoding, new_trace())[:-3], aster.key, 400),
        (batch(encoding, new_trace()), "nonsense", 401),
    ):
        answer = aster.post("/v1/traces", body, encoding, key=key)
        assert (answer.status, "retry-after" in answer.headers) == (expected, False)


_UNDECODABLE: dict[str, Callable[[str], tuple[bytes, str]]] = {
    "truncated": lambda encoding: (batch(encoding, new_trace(), 2)[:-3], ""),
    "bad gzip": lambda encoding: (gzip.compress(batch(encoding, new_trace(), 50))[:-9], "gzip"),
    "another encoding": lambda encoding: (batch(PROTOBUF if encoding == JSON else JSON, new_trace()), ""),
}


@both
@pytest.mark.parametrize("name", _UNDECODABLE)
def test_o08_what_can_not_be_decoded_is_a_400_with_a_bad_request_detail(
    aster: Online, encoding: str, name: str
) -> None:
    body, packing = _UNDECODABLE[name](encoding)
    answer = aster.post("/v1/traces", body, encoding, **({"Content_Encoding": packing} if packing else {}))
    assert (answer.status, status_of(answer)[0]) == (400, 3)
    if encoding == JSON:
        detail = json.loads(answer.body)["details"][0]
        assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
        assert detail["fieldViolations"][0]["field"] == "body"
    else:
        found = BadRequest()
        assert Status.FromString(answer.body).details[0].Unpack(found)
        assert found.field_violations[0].field == "body"


@both
@pytest.mark.parametrize("trouble", [unreachable, read_only], ids=lambda trouble: trouble.__name__)
def test_o09_what_will_pass_is_a_503_to_repeat_in_a_second_and_nothing_is_lost(
    aster: Online, encoding: str, trouble: Any
) -> None:
    """Exporters give up at once when told to wait for longer than they have time, so it is one second."""
    trace = new_trace()
    body = batch(encoding, trace, 2)
    with trouble(aster.console):
        answer = aster.post("/v1/traces", body, encoding)
    assert (answer.status, answer.headers["content-type"], answer.headers["retry-after"]) == (503, encoding, "1")
    assert status_of(answer)[0] == 14
    deadline = time.monotonic() + 10
    while aster.post("/v1/traces", body, encoding).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert spans_stored(aster, trace) == 2


@both
@pytest.mark.parametrize("packing", ["", "identity", "gzip"])
def test_o10_gzip_and_no_compression_are_taken(aster: Online, encoding: str, packing: str) -> None:
    trace = new_trace()
    body = batch(encoding, trace, 3)
    packed = gzip.compress(body) if packing == "gzip" else body
    answer = aster.post("/v1/traces", packed, encoding, **({"Content_Encoding": packing} if packing else {}))
    assert (answer.status, spans_stored(aster, trace)) == (200, 3)


@both
def test_o11_a_body_beyond_the_limit_is_a_413_plain_packed_and_in_chunks(aster: Online, encoding: str) -> None:
    plain = os.urandom(MIB) * (LIMIT // MIB) + b"x"

    def chunks() -> Iterator[bytes]:
        yield from (plain[at : at + MIB] for at in range(0, len(plain), MIB))

    for body, packing in ((plain, "identity"), (gzip.compress(plain, 1), "gzip"), (chunks(), "identity")):
        answer = aster.post("/v1/traces", body, encoding, Content_Encoding=packing)
        assert (answer.status, answer.headers["content-type"], status_of(answer)[0]) == (413, encoding, 8)


@both
def test_o12_the_answer_stays_short_whatever_was_rejected(aster: Online, encoding: str) -> None:
    answer = aster.post("/v1/traces", batch(encoding, new_trace(), 0, bad=20_000), encoding)
    told = partial(answer)
    assert (answer.status, told is not None and told[0]) == (200, 20_000)
    assert len(answer.body) < MOST_ANSWER


def test_o13_empty_envelopes_succeed_and_an_empty_body_does_not(aster: Online) -> None:
    for body in (b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":[{}]}', b'{"resourceSpans":[{"scopeSpans":[{}]}]}'):
        assert aster.post("/v1/traces", body, JSON).body == b"{}"
    assert aster.post("/v1/traces", b"\x0a\x00", PROTOBUF).status == 200
    # A chunked body that a proxy lost looks like this: a plain 200 would lose the batch without a word.
    assert aster.post("/v1/traces", b"", PROTOBUF).status == 400


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/logs", b'{"resourceSpans":[{"scopeSpans":[]}]}', "no log records; resourceSpans belongs to /v1/traces."),
        ("/v1/traces", b'{"resource_spans":[{}]}', "no spans; 'resource_spans' is no name"),
        ("/v1/traces", b'{"resourceSpans":[{"instrumentationLibrarySpans":[{}]}]}', "'instrumentationLibrarySpans'"),
        ("/v1/metrics", b'{"resourceMetrics":[{"scopeMetrics":[{"Metrics":[{}]}]}]}', "no data points; 'Metrics'"),
    ],
)
def test_o13_a_request_without_items_that_says_something_is_told_so(
    aster: Online, path: str, body: bytes, told: str
) -> None:
    answer = aster.post(path, body, JSON)
    said = json.loads(answer.body)["partialSuccess"]
    assert answer.status == 200
    assert told in said.pop("errorMessage")
    assert list(said.values()) == ["0"]


@pytest.mark.parametrize("written", ["lower", "upper", "mixed"])
def test_o14_json_ids_are_hex_in_any_case_and_come_back_as_they_went(aster: Online, written: str) -> None:
    trace = bytes.fromhex("abcdef") + new_trace()[3:]
    span_id = "00f067aa0ba902b7"
    changes: dict[str, Callable[[str], str]] = {
        "lower": str.lower,
        "upper": str.upper,
        "mixed": lambda text: text[:5].upper() + text[5:].lower(),
    }
    change = changes[written]
    body = js_batch(js_span(trace, traceId=change(trace.hex()), spanId=change(span_id)))
    assert aster.post("/v1/traces", body).body == b"{}"
    with aster.rows():
        run = Run.objects.get(trace_id=trace)
        span = spans_within(Intake.objects.filter(pk__in=run.intakes), trace)[0]
    assert (span.trace_id, span.span_id.hex()) == (trace, span_id)


@pytest.mark.parametrize("wrong", ["S/kvNXezTaajzpKdDg5HNg==", "not hex", "4bf92f3577b34da6a3ce929d0e0e473"])
def test_o14_an_id_that_is_no_hex_is_rejected(aster: Online, wrong: str) -> None:
    told = partial(aster.post("/v1/traces", js_batch(js_span(new_trace(), traceId=wrong))))
    assert told is not None
    assert (told[0], "traceId is not hexadecimal" in told[1]) == (1, True)


def test_o15_json_enums_are_numbers_and_names_are_rejected(aster: Online) -> None:
    trace = new_trace()
    body = js_batch(
        js_span(trace, 1, kind="SPAN_KIND_SERVER"),
        js_span(trace, 2, status={"code": "STATUS_CODE_ERROR"}),
        js_span(trace, 3, kind=2, status={"code": 2}),
        js_span(trace, 4, kind=99),
    )
    told = partial(aster.post("/v1/traces", body))
    assert told is not None
    assert (told[0], spans_stored(aster, trace)) == (2, 2)


def test_o16_json_fields_that_are_not_known_are_ignored_at_every_level(aster: Online) -> None:
    trace, future = new_trace(), {"deep": [1, {"er": None}]}
    value = {"stringValue": "x", "future": future}
    span = js_span(
        trace,
        future=future,
        status={"future": future},
        attributes=[{"key": "k", "value": value, "future": future}],
        events=[{"name": "e", "future": future}],
        links=[{"traceId": trace.hex(), "spanId": "1" * 16, "future": future}],
    )
    scope = {"scope": {"name": "s", "future": future}, "spans": [span], "future": future}
    group = {"resource": {"attributes": [], "future": future}, "scopeSpans": [scope], "future": future}
    answer = aster.post("/v1/traces", orjson.dumps({"resourceSpans": [group], "future": future}))
    assert (answer.body, spans_stored(aster, trace)) == (b"{}", 1)


def test_o17_snake_case_is_a_field_that_is_not_known(aster: Online) -> None:
    trace = new_trace()
    told = partial(aster.post("/v1/traces", js_batch(js_span(trace, traceId=..., trace_id=trace.hex()))))
    assert told is not None
    assert (told[0], "the trace id is missing" in told[1]) == (1, True)
    answer = aster.post("/v1/traces", b'{"resource_spans":[{"scope_spans":[]}]}')
    told = partial(answer)
    assert told is not None
    assert (answer.status, told[0], "'resource_spans' is no name" in told[1]) == (200, 0, True)


@pytest.mark.parametrize(
    ("written", "rejected"),
    [
        (str(START), 0),
        (START, 0),
        (float(START), 0),
        ("1", 0),
        (1, 0),
        (1.5, 1),
        (-1, 1),
        ("-1", 1),
        (2**64, 1),
        ("x", 1),
    ],
)
def test_o18_64_bit_numbers_are_text_or_numbers(aster: Online, written: object, rejected: int) -> None:
    trace = new_trace()
    told = partial(aster.post("/v1/traces", js_batch(js_span(trace, startTimeUnixNano=written))))
    assert (0 if told is None else told[0], spans_stored(aster, trace)) == (rejected, 1 - rejected)


def test_o18_whole_numbers_of_attributes_keep_all_their_digits(aster: Online) -> None:
    trace = new_trace()
    said = js_pairs(
        a={"intValue": str(2**63 - 1)}, b={"intValue": 2**63 - 1}, c={"intValue": str(-(2**63))}, d={"intValue": 1e18}
    )
    assert aster.post("/v1/traces", js_batch(js_span(trace, attributes=said))).body == b"{}"
    with aster.rows():
        span = spans_within(Intake.objects.filter(pk__in=Run.objects.get(trace_id=trace).intakes), trace)[0]
    assert span.attributes == {"a": 2**63 - 1, "b": 2**63 - 1, "c": -(2**63), "d": 10**18}


@both
def test_o19_a_batch_that_comes_again_counts_once(aster: Online, encoding: str) -> None:
    trace = new_trace()
    body = batch(encoding, trace, 4)
    for packed, packing in ((body, "identity"), (body, "identity"), (gzip.compress(body), "gzip")):
        answer = aster.post("/v1/traces", packed, encoding, Content_Encoding=packing)
        assert (answer.status, partial(answer)) == (200, None)
    assert spans_stored(aster, trace) == 4
    with aster.rows():
        assert len(Run.objects.get(trace_id=trace).intakes) == 1


def test_a_connection_serves_one_request_after_another_whatever_became_of_the_first(aster: Online) -> None:
    """Exporters keep their connection: a refusal must leave it usable, or close it for all to see."""
    connection = http.client.HTTPConnection("127.0.0.1", aster.console.port, timeout=10)
    headers = {"Content-Type": PROTOBUF, "Authorization": f"Bearer {aster.key}"}
    statuses = []
    for body in (b"\xff\xff", batch(PROTOBUF, new_trace()), b"", batch(PROTOBUF, new_trace())):
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [400, 200, 400, 200]
