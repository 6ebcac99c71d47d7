"""Intake over HTTP with everything on, beside COPY of the same spans as indexed rows, and beside decode-and-drop."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.payloads import requests
from bench.table import Figure
from tests import servers
from tests.live import LiveConsole

SPANS = 512
REQUESTS = 120
ROUNDS = 3
CONNECTIONS = 4
DATABASE = "bench"

_ROWS = """
CREATE TABLE IF NOT EXISTS bench_span (
    tenant_id int NOT NULL, trace_id bytea NOT NULL, span_id bytea NOT NULL, parent_span_id bytea, name text,
    kind smallint, started_at bigint, ended_at bigint, attributes jsonb, PRIMARY KEY (tenant_id, trace_id, span_id))
"""


def main() -> list[Figure]:
    """Measure in alternating rounds and return medians. The database is on disk and durable, as in earnest."""
    os.environ["ANDON_TEST_HOME"] = tempfile.mkdtemp(prefix="andon-bench-")
    servers.environment()
    server = servers.TestServers(servers.run_home(), durable=True)
    server.start()
    try:
        console = LiveConsole(servers.run_home() / "console", DATABASE)
        try:
            return _measured(console)
        finally:
            console.stop()
    finally:
        server.stop()


def _measured(console: LiveConsole) -> list[Figure]:
    made = json.loads(console.manage("provision", "--partner", "Bench", "--tenant", "Bench", "--json").stdout)
    andon: list[float] = []
    copied: list[float] = []
    dropped: list[float] = []
    for turn in range(ROUNDS + 1):
        bodies = requests(REQUESTS, SPANS, seed=turn)
        rates = _send(console.url, made["ingest_key"], bodies), _copy(bodies), _drop(bodies)
        if turn:  # The first round warms everything up.
            for series, rate in zip((andon, copied, dropped), rates, strict=True):
                series.append(rate)
    rate, copy, drop = statistics.median(andon), statistics.median(copied), statistics.median(dropped)
    return [
        Figure("intake", f"Andon over HTTP, {CONNECTIONS} connections, until queryable", rate, "spans/s"),
        Figure("intake", "beside psycopg COPY of the same spans as rows", copy, "spans/s", "COPY", rate / copy),
        Figure("intake", "beside gunzip and protobuf parse, dropped", drop, "spans/s", "decode", rate / drop),
    ]


def _send(url: str, key: str, bodies: Sequence[bytes]) -> float:
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
    }
    address = urlsplit(url).netloc

    def post(share: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection(address)
        for body in share:
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise SystemExit(f"intake answered {answer.status}: {answer.read()[:200]!r}")
            answer.read()
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(post, [bodies[start::CONNECTIONS] for start in range(CONNECTIONS)]))
    return len(bodies) * SPANS / (time.perf_counter() - begun)


def _copy(bodies: Sequence[bytes]) -> float:
    rows = [[_row(span) for span in _spans(body)] for body in bodies]
    with psycopg.connect(servers.urls(servers.run_home(), DATABASE)["DATABASE_URL"]) as connection:
        connection.execute(_ROWS)
        connection.commit()
        begun = time.perf_counter()
        for batch in rows:
            with connection.cursor().copy("COPY bench_span FROM STDIN") as copy:
                for row in batch:
                    copy.write_row(row)
            connection.commit()
        spent = time.perf_counter() - begun
        connection.execute("TRUNCATE bench_span")
    return len(bodies) * SPANS / spent


def _drop(bodies: Sequence[bytes]) -> float:
    begun = time.perf_counter()
    for body in bodies:
        ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return len(bodies) * SPANS / (time.perf_counter() - begun)


def _spans(body: bytes) -> list[object]:
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


def _row(span: object) -> tuple[object, ...]:
    values = {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}  # type: ignore[attr-defined]
    return (
        1, span.trace_id, span.span_id, span.parent_span_id, span.name, span.kind,  # type: ignore[attr-defined]
        span.start_time_unix_nano, span.end_time_unix_nano, json.dumps(values),  # type: ignore[attr-defined]
    )  # fmt: skip
