"""Hostile inputs by size and structure: how each is sent, what it is answered, and what is kept of it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import zstandard

from tests.conformance.bodies import JSON, PROTOBUF, js_batch, js_pairs, js_span, pb_batch, pb_span, text_attribute
from tests.monitoring.wire import in_scope, in_span, length_delimited, wire

MIB = 1 << 20
LIMIT = 64 * MIB
TRACES, EVENTS = "/v1/traces", "/v1/events"
BATCH = "application/cloudevents-batch+json"
_TRACE = b"conform!" + bytes(7) + b"\xff"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One input. `stored` and `rejected` are items; `words` stand in the answer's message.

    `cpu_ms` and `mib` are the most processor time and memory that it may cost the web worker together with its process
    for large bodies, each of which holds the body. A body that just fits into the limit on bytes is no bomb: what costs
    there is reading 64 MiB, handing them over, and the text that they are.
    """

    body: Callable[[], bytes]
    status: int
    words: str = ""
    stored: int = 0
    rejected: int = 0
    content_type: str = PROTOBUF
    packing: str = ""
    path: str = TRACES
    cpu_ms: int = 100
    mib: int = 64

    def extra(self) -> dict[str, str]:
        """The headers that belong to the body, besides its type."""
        return {"Content-Encoding": self.packing} if self.packing else {}


def _good(count: int = 2) -> bytes:
    return pb_batch(*(pb_span(_TRACE, number + 1) for number in range(count)))


def _deflate_raw() -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(_good()) + packer.flush()


def _little_packed(body: bytes) -> bytes:
    """Gzip that grows 100 times, as telemetry never does and yet is taken."""
    return gzip.compress(body[: -MIB // 2], 9) + gzip.compress(body[-MIB // 2 :], 0)


def _bad_crc() -> bytes:
    packed = bytearray(gzip.compress(_good()))
    packed[-6] ^= 1
    return bytes(packed)


def _nested(levels: int) -> bytes:
    value = length_delimited(1, b"deep")
    for _ in range(levels):
        value = length_delimited(5, length_delimited(1, value))
    return pb_batch(wire(pb_span(_TRACE)) + length_delimited(9, length_delimited(1, b"k") + length_delimited(2, value)))


def _json_nested(levels: int) -> bytes:
    deep = b'{"k":' * levels + b"1" + b"}" * levels
    return js_batch(js_span(_TRACE, future="HERE")).replace(b'"HERE"', deep)


def _long_integer() -> bytes:
    said = js_pairs(n={"intValue": "HERE"})
    return js_batch(js_span(_TRACE, 1, attributes=said), js_span(_TRACE, 2)).replace(b'"HERE"', b"9" * 10_000_000)


def _json_text(escapes: bytes) -> bytes:
    """Text that a strict reader refuses at its beginning and a lenient one reads to its end."""
    return js_batch(js_span(_TRACE, future="HERE")).replace(b"HERE", b"\\ud800" + escapes)


def _of_size(size: int) -> bytes:
    """A body of one span that is exactly so long."""
    span = wire(pb_span(_TRACE))
    room = size - len(pb_batch(span + text_attribute(size - 200)))
    body = pb_batch(span + text_attribute(size - 200 + room))
    assert len(body) == size
    return body


def _tiny_events() -> bytes:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    return json.dumps([{**event, "id": str(number)} for number in range(100_000)]).encode()


def _spans(field: bytes) -> Callable[[], bytes]:
    return lambda: pb_batch(wire(pb_span(_TRACE)) + field)


def _packed_json(body: Callable[[], bytes]) -> Hostile:
    return Hostile(lambda: gzip.compress(body()), 400, "not JSON", content_type=JSON, packing="gzip")


_BIG_ZEROS = 100 * MIB

SIZES: dict[str, Hostile] = {
    "gzip-zeros-1000x": Hostile(lambda: gzip.compress(bytes(_BIG_ZEROS), 6), 413, "250 times", packing="gzip"),
    "zstd-zeros-32000x": Hostile(
        lambda: zstandard.ZstdCompressor(level=19).compress(bytes(_BIG_ZEROS)), 413, "250 times", packing="zstd"
    ),
    "gzip-in-gzip": Hostile(lambda: gzip.compress(gzip.compress(_good())), 415, "only one", packing="gzip, gzip"),
    "gzip-two-members": Hostile(
        lambda: gzip.compress(_good()[:50]) + gzip.compress(_good()[50:]), 200, stored=2, packing="gzip"
    ),
    "gzip-truncated": Hostile(lambda: gzip.compress(_good())[:-9], 400, "cut short", packing="gzip"),
    "gzip-bad-crc": Hostile(_bad_crc, 400, "incorrect data check", packing="gzip"),
    "gzip-trailing-garbage": Hostile(lambda: gzip.compress(_good()) + b"garbage", 400, "not gzip", packing="gzip"),
    "gzip-claimed-identity": Hostile(lambda: gzip.compress(_good()), 400, "protobuf body"),
    "deflate-raw": Hostile(_deflate_raw, 400, "not deflate", packing="deflate"),
    "deflate-zlib": Hostile(lambda: zlib.compress(_good()), 200, stored=2, packing="deflate"),
    "unknown-encoding-br": Hostile(_good, 415, "'br'", packing="br"),
    "unknown-encoding-x": Hostile(_good, 415, "'x'", packing="x"),
    "five-million-empty-spans-10kB": Hostile(
        lambda: gzip.compress(in_scope(b"\x12\x00" * 5_000_000)), 413, "20,000 spans", packing="gzip"
    ),
    "one-span-1M-attributes": Hostile(_spans(b"\x4a\x07\x0a\x01a\x12\x02\x10\x01" * 1_000_000), 413, "attributes"),
    "one-span-100k-events": Hostile(_spans(b"\x5a\x03\x12\x01e" * 100_000), 413, "span events"),
    "one-span-100k-links": Hostile(_spans(b"\x6a\x02\x28\x01" * 100_000), 413, "span links"),
    "attribute-value-16MiB": Hostile(_spans(text_attribute(16 * MIB)), 200, stored=1, mib=112),
    "attribute-key-1MiB": Hostile(_spans(text_attribute(1, key=b"k" * MIB)), 200, stored=1),
    "anyvalue-nest-40": Hostile(lambda: _nested(40), 200, stored=1),
    "anyvalue-nest-60": Hostile(lambda: _nested(60), 200, "can't be parsed", rejected=1),
    "json-nest-1025": Hostile(lambda: _json_nested(1_025), 400, "not JSON", content_type=JSON),
    "json-nest-100k": Hostile(lambda: _json_nested(100_000), 400, "not JSON", content_type=JSON),
    "json-10M-digit-int": Hostile(_long_integer, 200, "64 bits", stored=1, rejected=1, content_type=JSON),
    "json-backslashes-1000x": _packed_json(lambda: _json_text(b"\\\\" * (15 * MIB // 2))),
    "json-lone-surrogates-1000x": _packed_json(lambda: _json_text(b"\\ud800" * (15 * MIB // 6))),
    "length-prefix-2GiB": Hostile(lambda: b"\x0a\xff\xff\xff\xff\x07" + _good(), 400, "breaks off"),
    "varint-11-bytes": Hostile(lambda: b"\x0a" + b"\xff" * 11, 400, "without an end"),
    "sgroup-flood": Hostile(lambda: in_span(b"\x7b\x7c" * 5_000_000), 413, "no use for"),
    "unknown-fields-10MB": Hostile(lambda: in_span(b"\x78\x01" * 5_000_000), 413, "no use for"),
    "unknown-fields-60MiB": Hostile(lambda: b"\x78\x01" * (30 * MIB), 413, "no use for", cpu_ms=200, mib=130),
    "unknown-fields-60MiB-gzip": Hostile(
        lambda: gzip.compress(b"\x78\x01" * (30 * MIB)), 413, "250 times", packing="gzip"
    ),
    "413-boundary-exact": Hostile(lambda: _of_size(LIMIT), 200, stored=1, cpu_ms=550, mib=400),
    "413-boundary-plus-1": Hostile(lambda: _of_size(LIMIT + 1), 413, "larger than"),
    "413-boundary-plus-1-gzip": Hostile(
        lambda: _little_packed(_of_size(LIMIT + 1)), 413, "larger than", packing="gzip", cpu_ms=300, mib=96
    ),
    "empty-body": Hostile(lambda: b"", 400, "empty"),
    "empty-object": Hostile(lambda: b"{}", 200, content_type=JSON),
    "empty-array": Hostile(lambda: b"[]", 400, "not a JSON object", content_type=JSON),
    "null": Hostile(lambda: b"null", 400, "not a JSON object", content_type=JSON),
    "resourceSpans-null-element": Hostile(lambda: b'{"resourceSpans":[null]}', 200, content_type=JSON),
    "wrong-content-type": Hostile(_good, 415, "text/plain", content_type="text/plain"),
    "charset-utf-16": Hostile(
        lambda: '{"a":1}'.encode("utf-16"), 415, "utf-16", content_type="application/json; charset=utf-16"
    ),
    "batch-CE-100k-tiny": Hostile(_tiny_events, 413, "10,000 events", content_type=BATCH, path=EVENTS),
}  # fmt: skip


@cache
def body_of(name: str) -> bytes:
    """The input's body, made once."""
    return SIZES[name].body()
