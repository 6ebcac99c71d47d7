"""The telemetry that benchmarks send: made from a fixed seed, so that two runs send the same bytes."""

from __future__ import annotations

import gzip
import random
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SERVICES = ("erp-bridge", "mes-gateway", "wms-sync", "quality", "edi")
SPANS_IN_TRACE = 12


def requests(count: int, spans: int = 512, *, seed: int = 4711) -> list[bytes]:
    """Return gzip-packed OTLP requests of whole traces, nine attributes a span."""
    rng = random.Random(seed)
    now = time.time_ns()
    return [gzip.compress(_request(rng, spans, now).SerializeToString(), 6, mtime=0) for _ in range(count)]


def _request(rng: random.Random, spans: int, now: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    groups = {}
    for service in SERVICES:
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
        groups[service] = resource.scope_spans.add()
    trace_id, root, order = b"", b"", ""
    service = SERVICES[0]
    for number in range(spans):
        place = number % SPANS_IN_TRACE
        if place == 0:
            trace_id, root, service = rng.randbytes(16), rng.randbytes(8), rng.choice(SERVICES)
            order = str(rng.randrange(10**6, 10**7))
        span = groups[service].spans.add(
            trace_id=trace_id,
            span_id=root if place == 0 else rng.randbytes(8),
            parent_span_id=b"" if place == 0 else root,
            name="order.release" if place == 0 else f"step {place}",
            kind=Span.SPAN_KIND_SERVER if place == 0 else Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=now - rng.randrange(10**9),
            end_time_unix_nano=now,
        )
        _describe(span, order, rng)
    return request


def _describe(span: Span, order: str, rng: random.Random) -> None:
    texts = {
        "http.request.method": "POST",
        "http.route": "/orders/{id}/release",
        "server.address": "erp.plant.example",
        "order.id": order,
        "plant": "one",
        "step.name": rng.choice(("validate", "map", "post", "confirm")),
    }
    for key, text in texts.items():
        span.attributes.add(key=key).value.string_value = text
    for key in ("http.response.status_code", "http.response.body.size", "thread.id"):
        span.attributes.add(key=key).value.int_value = rng.randrange(200, 10_000)
