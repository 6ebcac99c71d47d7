"""Keeps a payload in the intake log: byte for byte what was said, once, before anything is concluded from it.

Only how it is packed may change: the digest is over the body unpacked, and that is what reading the log gives back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
import zstandard
from psycopg.types.numeric import Int4

from monitoring.receive.arrival import Arrival
from monitoring.records import Decoded, Encoding, Payload, Rejection
from partners.database.statements import Asked, ask

#: Below this many bytes compression costs more than it saves.
_SMALL = 256
#: Of five hundred spans zstd leaves a sixth less than gzip at its level 6, for 0.2 ms; level 4 would cost four times
#: that for a fiftieth less. Reading back costs a third of what it does from gzip.
_LEVEL = 2
#: A body larger than this that came as gzip stays so: packing holds as much again in memory.
_LARGE = 4 << 20
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

    @classmethod
    def of(cls, asked: Asked) -> Kept:
        """What became of a payload that was asked to be kept."""
        [found] = asked.rows()
        return cls(*found)


@dataclass(frozen=True, slots=True)
class Packed:
    """A body as the log holds it; `compression` is "zstd", "gzip" or, for plain, ""."""

    compression: str
    body: bytes


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


def packed(arrival: Arrival, payload: Payload) -> Packed:
    """Return the body as the log holds it: with zstd, or as it came where that is no larger. No database is needed."""
    name = arrival.content_encoding.strip().lower()
    if name == "zstd":
        return Packed("zstd", arrival.body)
    came = Packed("gzip", arrival.body) if name == "gzip" else Packed("", payload.body)
    if len(payload.body) < _SMALL or (came.compression and len(payload.body) > _LARGE):
        return came
    # One compressor for each call: sharing one between threads corrupts its output. The checksum says, as gzip's own
    # does, when what is read back is not what was kept.
    body = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(payload.body)
    return Packed("zstd", body) if len(body) < len(came.body) else came


def ask_to_keep(arrival: Arrival, payload: Payload, decoded: Decoded, mark: bytes, stored: Packed) -> Asked:
    """Insert the payload with its digest, or find that it is there: `Kept.of` says which. Twice equals once.

    The digest is locked until the transaction ends, so one that keeps several must do so in the order of digests.
    """
    count = len(decoded.spans) + len(decoded.logs) + len(decoded.metrics) + len(decoded.events)
    # Django's own cursor would write the body into the statement, as twice its size of hexadecimal text.
    return ask(
        _KEEP,
        [
            Int4(arrival.tenant_id), payload.received_at, payload.signal.value, payload.encoding.value,
            json.dumps(_headers(payload)), mark, stored.compression, stored.body, Int4(len(payload.body)),
            Int4(count), Int4(len(decoded.rejections)), json.dumps(_told(decoded.rejections)), arrival.key_prefix,
        ],
    )  # fmt: skip


def _headers(payload: Payload) -> Mapping[str, str]:
    """What decoding needs again: the content type says nothing more than the encoding unless headers carry an event."""
    return dict(payload.headers) if payload.encoding is Encoding.CLOUDEVENT_BINARY else {}


def _told(rejections: Sequence[Rejection]) -> list[dict[str, object]]:
    return [
        {"index": rejection.index, "id": rejection.item_id, "reason": rejection.reason}
        for rejection in rejections[:_MOST_REJECTIONS]
    ]
