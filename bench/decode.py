"""What reading a request costs: µs per span of each step for a 512-span request, beside protobuf's own parser.

Records are made twice: of bodies that all differ, as senders' do, and of one body again and again, when all that it
says is known. Both are shown for the compiled walk, where there is one, and for Python; a line says which is in use.
"""

from __future__ import annotations

import gc
import gzip
import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from zlib_ng import zlib_ng

from bench.payloads import requests
from bench.table import Figure, show
from monitoring.decode import LIMITS, decode, native, spans_of
from monitoring.decode.otlp_spans import decode_spans
from monitoring.decode.wire_scan import check
from monitoring.receive.body import decompress
from monitoring.records import Decoded, Encoding, Payload, PayloadTooLarge, Signal

SEED, SPANS, SPANS_PER_TRACE = 20261121, 512, 12
FRESH = 120
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
START_NS = 1_795_250_000_000_000_000
LIMIT = 64 << 20
SERVICES = ("mes-bridge", "order-release", "quality-hold", "supplier-asn", "erp-sync")
RESOURCE = {"service.version": "2.1.0", "host.name": "ulm-07", "deployment.environment": "production"}


def request(chance: random.Random) -> Any:
    """Traces of a dozen spans over five services, nine attributes each, one span in twenty with an exception."""
    made = ExportTraceServiceRequest()
    scopes = []
    for service in SERVICES:
        group = made.resource_spans.add()
        for key, value in ({"service.name": service} | RESOURCE).items():
            group.resource.attributes.add(key=key).value.string_value = value
        scopes.append(group.scope_spans.add())
        scopes[-1].scope.name = "opentelemetry.instrumentation.celery"
    trace, parent = b"", b""
    for number in range(SPANS):
        if number % SPANS_PER_TRACE == 0:
            trace, parent = chance.randbytes(16), b""
        span = chance.choice(scopes).spans.add(trace_id=trace, span_id=chance.randbytes(8), parent_span_id=parent)
        parent = span.span_id
        fill(span, chance)
    return made


def fill(span: Any, chance: random.Random) -> None:
    """A Celery consumer's span."""
    span.name, span.kind = "run/plant.release_order", 5
    span.start_time_unix_nano = START_NS + chance.randrange(10**12)
    span.end_time_unix_nano = span.start_time_unix_nano + chance.randrange(10**9)
    texts = {
        "celery.task_name": "plant.release_order",
        "messaging.message.id": f"{chance.getrandbits(128):032x}",
        "celery.state": "SUCCESS",
        "messaging.destination": "orders.release",
        "mes.order.id": f"PO-{chance.randrange(10**6):07}",
        "mes.site": "ulm-werk-2",
        "celery.hostname": f"celery@worker-{chance.randrange(8):02}.plant.local",
    }
    for key, value in texts.items():
        span.attributes.add(key=key).value.string_value = value
    for key in ("celery.retries", "mes.quantity"):
        span.attributes.add(key=key).value.int_value = chance.randrange(500)
    if chance.random() < 0.05:
        span.status.code, span.status.message = 2, "Supplier did not answer"
        event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
        event.attributes.add(key="exception.type").value.string_value = "TimeoutError"


def as_json(made: Any) -> bytes:
    """The same request as OTLP/JSON."""
    groups = []
    for group in made.resource_spans:
        scoped = group.scope_spans[0]
        spans = [json_span(span) for span in scoped.spans]
        scope = {"scope": {"name": scoped.scope.name}, "spans": spans}
        groups.append({"resource": {"attributes": pairs(group.resource.attributes)}, "scopeSpans": [scope]})
    return orjson.dumps({"resourceSpans": groups})


def json_span(span: Any) -> dict[str, object]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": pairs(span.attributes),
        "status": {"code": span.status.code, "message": span.status.message},
        "events": [
            {"name": event.name, "timeUnixNano": str(event.time_unix_nano), "attributes": pairs(event.attributes)}
            for event in span.events
        ],
    }


def pairs(found: Any) -> list[dict[str, object]]:
    return [
        {
            "key": pair.key,
            "value": {"stringValue": pair.value.string_value}
            if pair.value.HasField("string_value")
            else {"intValue": pair.value.int_value},
        }
        for pair in found
    ]


def per_span(work: Callable[[], object], times: int = 60) -> float:
    """The fastest of many calls, in µs per span: on a shared machine the fastest is the least disturbed."""
    gc.collect()
    gc.disable()
    taken = []
    for _ in range(times):
        begun = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - begun)
    gc.enable()
    return min(taken) / 1_000 / SPANS


def per_fresh_span(work: Callable[[bytes], object], bodies: Iterable[bytes]) -> float:
    """The fastest of many calls, each with another body, in µs per span; freeing what it made is included."""
    gc.collect()
    taken = []
    for body in bodies:
        begun = time.perf_counter_ns()
        work(body)
        taken.append(time.perf_counter_ns() - begun)
    return min(taken) / 1_000 / SPANS


def in_python(body: bytes) -> Decoded:
    """Read it as where nothing is compiled."""
    check(Signal.TRACES, body)
    return decode_spans(body, LIMITS)


def readings(repeated: bytes) -> dict[str, float]:
    """What both ways of reading spans cost, the one in use first."""
    bodies = [gzip.decompress(packed) for packed in requests(2 * FRESH)]
    found = {
        "protobuf to records in Python, fresh bodies": per_fresh_span(in_python, bodies[:FRESH]),
        "protobuf to records in Python, one body": per_span(lambda: in_python(repeated)),
    }
    if native.ABSENT:
        print(f"Traces are read in Python: {native.ABSENT}")
        return found
    print("Traces are read by the compiled walk.")
    if any(native.decoded(body, LIMITS) != in_python(body) for body in (repeated, bodies[0])):
        raise SystemExit(
            "The compiled walk and Python do not make the same records; the figures would compare nothing."
        )
    compiled = {
        "protobuf to records, compiled, fresh bodies": per_fresh_span(
            lambda body: native.decoded(body, LIMITS), bodies[FRESH:]
        ),
        "protobuf to records, compiled, one body": per_span(lambda: native.decoded(repeated, LIMITS)),
    }
    return compiled | found


def steps() -> dict[str, float]:
    """Each step's µs per span; the key of protobuf's own parser stands first."""
    made = request(random.Random(SEED))
    body, text = made.SerializeToString(), as_json(made)
    packed = gzip.compress(body, 6)
    wire = Payload(Signal.TRACES, Encoding.PROTOBUF, body, {}, NOW)
    document = Payload(Signal.TRACES, Encoding.JSON, text, {}, NOW)
    decoded = decode(wire)
    if len(decoded.spans) != SPANS or decode(document).spans != decoded.spans:
        raise SystemExit("The two encodings do not decode to the same spans; the figures would compare nothing.")
    trace_id = decoded.spans[0].trace_id
    sizes = {"protobuf": body, "gzip": packed, "JSON": text}
    print(f"{SPANS} spans, bytes per span:", {name: round(len(data) / SPANS, 1) for name, data in sizes.items()})
    return {
        "limit: protobuf parse alone (upb)": per_span(lambda: ExportTraceServiceRequest.FromString(body)),
        "gunzip alone, Python's zlib": per_span(lambda: zlib.decompress(packed, 31)),
        "limit: gunzip alone (zlib-ng)": per_span(lambda: zlib_ng.decompress(packed, 31)),
        "limit: JSON parse alone (orjson)": per_span(lambda: orjson.loads(text)),
        "bounded gunzip": per_span(lambda: decompress(packed, "gzip", LIMIT)),
        "wire scan": per_span(lambda: check(Signal.TRACES, body)),
        **readings(body),
        "JSON to records": per_span(lambda: decode(document)),
        "one trace read back, per span of the body": per_span(lambda: spans_of(wire, trace_id)),
    }


def bomb() -> tuple[float, float]:
    """CPU in ms and memory in MiB (Linux only) that it takes to refuse 10 kB of gzip that hold five million spans."""
    spans = b"\x12\x00" * 5_000_000
    scope = b"\x12" + _varint(len(spans)) + spans
    packed = gzip.compress(b"\x0a" + _varint(len(scope)) + scope)
    child = subprocess.run(
        [sys.executable, "-m", "bench.decode", "--bomb"], input=packed, capture_output=True, check=True
    )
    milliseconds, mebibytes = json.loads(child.stdout)
    return milliseconds, mebibytes


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def _refuse_bomb() -> None:
    packed = sys.stdin.buffer.read()
    before, begun = _peak_kib(), time.process_time()
    try:
        decode(Payload(Signal.TRACES, Encoding.PROTOBUF, decompress(packed, "gzip", LIMIT), {}, NOW))
    except PayloadTooLarge:
        spent = (time.process_time() - begun) * 1_000
        print(json.dumps([spent, (_peak_kib() - before) / 1024]))


def _peak_kib() -> int:
    """The most memory this program has held; getrusage would count what the parent held before the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main() -> list[Figure]:
    """Measure every step beside the parse that nothing can go below."""
    measured = steps()
    limit = next(iter(measured.values()))
    figures = [Figure("decode", name, spent, "µs/span", "parse", spent / limit) for name, spent in measured.items()]
    milliseconds, mebibytes = bomb()
    bombed = "five million empty spans in 10 kB of gzip, refused"
    return [
        *figures,
        Figure("decode", f"{bombed}: CPU", milliseconds, "ms"),
        Figure("decode", f"{bombed}: memory", mebibytes, "MiB"),
    ]


if __name__ == "__main__":
    if "--bomb" in sys.argv:
        _refuse_bomb()
    else:
        show(main())
