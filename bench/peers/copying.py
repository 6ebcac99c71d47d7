"""The limit of storing rows: psycopg's binary COPY of the same spans into an indexed, partitioned table.

One client, one commit for each request. The rows are ready before the clock starts, so neither HTTP nor decoding
counts.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from psycopg import postgres
from psycopg.adapt import Dumper
from psycopg.pq import Format

from bench.database import Database
from bench.generator import read
from bench.system import Load, Taken

_TABLE = """
CREATE TABLE span (
    tenant_id int NOT NULL, trace_id bytea NOT NULL, span_id bytea NOT NULL, parent_span_id bytea,
    name text NOT NULL, kind smallint NOT NULL, status smallint NOT NULL, service text NOT NULL,
    started_at bigint NOT NULL, ended_at bigint NOT NULL, attributes jsonb NOT NULL,
    PRIMARY KEY (tenant_id, trace_id, span_id, started_at)
) PARTITION BY RANGE (started_at)
"""
_TYPES = ("int4", "bytea", "bytea", "bytea", "text", "int2", "int2", "text", "int8", "int8", "jsonb")
_DAY_NS = 86_400 * 1_000_000_000
_COPY = "COPY span FROM STDIN (FORMAT BINARY)"

Row = tuple[Any, ...]


class JsonText(bytes):
    """JSON as it is stored, already encoded."""


class _PackedJsonb(Dumper):
    """JSON text as jsonb's binary form. psycopg's own dumper would encode a text again, as a JSON string."""

    format = Format.BINARY
    oid = postgres.types["jsonb"].oid

    def dump(self, obj: JsonText) -> bytes:
        return b"\x01" + obj


class Copying:
    """A table of spans in a database of its own."""

    name = "COPY"

    def __init__(self, database: Database, name: str = "copying") -> None:
        database.fresh(name)
        self.database_name = name
        self._connection = database.connect(name)
        self._connection.autocommit = False
        self._connection.adapters.register_dumper(JsonText, _PackedJsonb)
        self._connection.execute(_TABLE)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in range(-1, 3):
            start = int((today + timedelta(days=day)).timestamp()) * 1_000_000_000
            self._connection.execute(
                f"CREATE TABLE span_{day + 1} PARTITION OF span FOR VALUES FROM ({start}) TO ({start + _DAY_NS})"
            )
        self._connection.commit()

    def pids(self) -> Mapping[str, int]:
        return {}

    def take(self, load: Load) -> Taken:
        batches = [list(rows(body)) for body in read(load.file)]
        connection = self._connection
        begun = time.monotonic()
        for batch in batches:
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in batch:
                    copy.write_row(row)
            connection.commit()
        taken = Taken(time.monotonic() - begun)
        self._check(batches[-1][-1])
        return taken

    def _check(self, row: Row) -> None:
        """What was stored can be asked about: real jsonb, not a text in quotes."""
        statement = "SELECT jsonb_typeof(attributes) FROM span WHERE tenant_id = 1 AND trace_id = %s AND span_id = %s"
        if self._connection.execute(statement, [row[1], row[2]]).fetchone() != ("object",):
            raise SystemExit("COPY did not store what it should.")
        self._connection.commit()

    def stop(self) -> None:
        self._connection.close()


def rows(body: bytes) -> Iterator[Row]:
    """The spans of a request as rows."""
    for group in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans:
        resource = {pair.key: pair.value.string_value for pair in group.resource.attributes}
        for scope in group.scope_spans:
            for span in scope.spans:
                said = {pair.key: _value(pair.value) for pair in span.attributes}
                yield (
                    1, span.trace_id, span.span_id, span.parent_span_id or None, span.name, span.kind,
                    span.status.code, resource["service.name"], span.start_time_unix_nano, span.end_time_unix_nano,
                    JsonText(orjson.dumps(said)),
                )  # fmt: skip


def _value(value: Any) -> str | int:
    found: str | int = value.string_value if value.HasField("string_value") else value.int_value
    return found
