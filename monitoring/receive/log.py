"""Keeps a payload in the intake log: as it arrived, once, before anything is concluded from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
import psycopg
import zstandard
from django.db import connection
from psycopg.types.numeric import Int4

from monitoring.receive.arrival import Arrival
from monitoring.records import Decoded, Encoding, Payload, Rejection

#: Below this many bytes compression costs more than it saves.
_SMALL = 256
_LEVEL = 3
_MOST_REJECTIONS = 100

_KEEP = """
SELECT kept_id, repeated FROM intake_keep(
    %s, %b, %s, %s, %s::jsonb, %b, %s, %b, %s, %s, %s, %s::jsonb, %s)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The payload's place in the log; `repeated` when the very same request had been kept before."""

    intake_id: int
    repeated: bool


def payload_of_arrival(arrival: Arrival, body: bytes, received_at: datetime) -> Payload:
    """Return what decoding needs: the decompressed body, and the headers that carry data (`ce-`, content type)."""
    headers = {
        name: value for name, value in arrival.headers.items() if name.startswith("ce-") or name == "content-type"
    }
    return Payload(arrival.signal, arrival.encoding, body, headers, received_at)


def digest(payload: Payload) -> bytes:
    """SHA-256 of what was said, whatever its compression: a client that repeats itself gives the same digest."""
    hasher = hashlib.sha256()
    hasher.update(f"{payload.signal}\n{payload.encoding}\n".encode())
    carried = {name: value for name, value in payload.headers.items() if name.startswith("ce-")}
    hasher.update(orjson.dumps(carried, option=orjson.OPT_SORT_KEYS) + b"\n")
    hasher.update(payload.body)
    return hasher.digest()


def keep(arrival: Arrival, payload: Payload, decoded: Decoded, mark: bytes) -> Kept:
    """Insert the payload with its digest, or find that it is there. Keeping twice equals keeping once.

    The digest is locked until the transaction ends, so one that keeps several must do so in the order of digests.
    """
    compression, stored = _stored(arrival, payload)
    count = len(decoded.spans) + len(decoded.logs) + len(decoded.metrics) + len(decoded.events)
    # Django's own cursor writes values into the statement, which turns a body into twice its size of hexadecimal text.
    # This one sends it as it is and has the statement prepared. Its errors become Django's, as everywhere.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            _KEEP,
            [
                Int4(arrival.tenant_id), payload.received_at, payload.signal.value, payload.encoding.value,
                json.dumps(_headers(payload)), mark, compression, stored, Int4(len(payload.body)), Int4(count),
                Int4(len(decoded.rejections)), json.dumps(_told(decoded.rejections)), arrival.key_prefix,
            ],
            prepare=True,
        )  # fmt: skip
        found = cursor.fetchone()
    assert found is not None
    return Kept(*found)


def _headers(payload: Payload) -> Mapping[str, str]:
    """What decoding needs again: the content type says nothing more than the encoding unless headers carry an event."""
    return dict(payload.headers) if payload.encoding is Encoding.CLOUDEVENT_BINARY else {}


def _stored(arrival: Arrival, payload: Payload) -> tuple[str, bytes]:
    if arrival.content_encoding in ("gzip", "zstd"):
        return arrival.content_encoding, arrival.body
    if len(payload.body) < _SMALL:
        return "", payload.body
    # One compressor for each call: sharing one between threads corrupts its output.
    return "zstd", zstandard.ZstdCompressor(level=_LEVEL).compress(payload.body)


def _told(rejections: Sequence[Rejection]) -> list[dict[str, object]]:
    return [
        {"index": rejection.index, "id": rejection.item_id, "reason": rejection.reason}
        for rejection in rejections[:_MOST_REJECTIONS]
    ]
