"""What the benchmark sends is what it says it sends: fresh in every request, and split and failing as promised."""

from __future__ import annotations

import gzip
from collections import Counter
from itertools import pairwise

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.payloads import Batch, Source

NOW_NS = 1_795_250_000_000_000_000


def traces_of(body: bytes) -> Counter[bytes]:
    """Spans by trace id."""
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return Counter(
        span.trace_id for group in request.resource_spans for scope in group.scope_spans for span in scope.spans
    )


def batches(count: int) -> list[Batch]:
    source = Source(1)
    return [source.batch(lambda: NOW_NS) for _ in range(count)]


def test_a_batch_tells_of_128_traces_of_twelve_spans_two_of_them_split() -> None:
    (batch,) = batches(1)
    requests = [traces_of(body) for body in batch.bodies]
    assert [sum(request.values()) for request in requests] == [512, 512, 512]
    assert sum(requests, Counter()) == Counter(dict.fromkeys(batch.traces, 12))
    assert [len(one & other) for one, other in pairwise(requests)] == [1, 1]


def test_no_request_and_no_trace_comes_twice_also_when_the_templates_come_round() -> None:
    found = batches(40)
    assert len({body for batch in found for body in batch.bodies}) == 120
    assert len({trace for batch in found for trace in batch.traces}) == 40 * 128


def test_two_sources_of_one_seed_give_the_same_bytes() -> None:
    assert batches(2) == batches(2)
