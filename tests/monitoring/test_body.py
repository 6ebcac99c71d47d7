"""Bodies as they come in: every compression within its limit, every content type recognised or refused."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.receive.body import decompress, expected_size, negotiate
from monitoring.records import Encoding, MalformedPayload, PayloadTooLarge, Signal, UnsupportedPayload

MIB = 1 << 20
TEXT = b"release order 4711; " * 50_000


def zstd(data: bytes, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(data)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("name", ["", "identity", " GZIP ", "gzip", "x-gzip", "deflate", "zstd"])
def test_it_unpacks_every_encoding(name: str) -> None:
    packed = COMPRESSORS.get(name.strip().lower(), bytes)(TEXT)
    assert decompress(packed, name, 2 * MIB) == TEXT


@pytest.mark.parametrize("name", ["identity", *COMPRESSORS])
def test_it_holds_the_limit_exactly(name: str) -> None:
    packed = COMPRESSORS.get(name, bytes)(TEXT)
    assert decompress(packed, name, len(TEXT)) == TEXT
    with pytest.raises(PayloadTooLarge, match="larger than 999,999 bytes"):
        decompress(packed, name, len(TEXT) - 1)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip-zeros-1000x": ("gzip", lambda: gzip.compress(bytes(200 * MIB))),
    "zstd-zeros-32000x": ("zstd", lambda: zstd(bytes(200 * MIB), 19)),
    "deflate-zeros": ("deflate", lambda: zlib.compress(bytes(200 * MIB))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_it_never_holds_more_of_a_bomb_than_the_limit_and_a_chunk(name: str) -> None:
    encoding, make = BOMBS[name]
    bomb = make()
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge):
        decompress(bomb, encoding, 8 * MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 11 * MIB


def test_it_reads_all_members_of_a_gzip_body() -> None:
    assert decompress(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", 100) == b"one two"


def test_it_counts_all_members_against_the_limit() -> None:
    with pytest.raises(PayloadTooLarge):
        decompress(gzip.compress(bytes(60)) + gzip.compress(bytes(60)), "gzip", 100)


def test_it_reads_all_frames_of_a_zstd_body() -> None:
    assert decompress(zstd(b"one ") + zstd(b"two"), "zstd", 100) == b"one two"


def test_it_reads_a_body_larger_than_its_chunks() -> None:
    data = zlib.compress(TEXT, 0) * 3
    for name, pack in COMPRESSORS.items():
        assert decompress(pack(data), name, 4 * MIB) == data


@pytest.mark.parametrize("name", COMPRESSORS)
def test_it_calls_every_cut_body_malformed(name: str) -> None:
    packed = COMPRESSORS[name](b"release order 4711 " * 3)
    for length in range(len(packed)):
        with pytest.raises(MalformedPayload):
            decompress(packed[:length], name, MIB)


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("garbage", [b"\x00", b"garbage after the end", b"\x1f\x8b"])
def test_it_calls_trailing_garbage_malformed(name: str, garbage: bytes) -> None:
    with pytest.raises(MalformedPayload):
        decompress(COMPRESSORS[name](b"order") + garbage, name, MIB)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_it_calls_a_wrong_checksum_malformed(name: str) -> None:
    packed = bytearray(COMPRESSORS[name](b"order 4711"))
    packed[-6 if "gzip" in name else -1] ^= 1
    with pytest.raises(MalformedPayload):
        decompress(bytes(packed), name, MIB)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_it_calls_a_plain_body_that_claims_compression_malformed(name: str) -> None:
    with pytest.raises(MalformedPayload):
        decompress(b'{"resourceSpans":[]}', name, MIB)


def test_it_takes_deflate_as_zlib_only() -> None:
    raw = zlib.compressobj(wbits=-15)
    with pytest.raises(MalformedPayload):
        decompress(raw.compress(TEXT) + raw.flush(), "deflate", MIB)


def test_it_refuses_a_zstd_window_above_8_mib() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(MalformedPayload, match="too much memory"):
        decompress(packer.compress(b"x") + packer.flush(), "zstd", MIB)


FLOODS = {
    "gzip-empty-members": ("gzip", gzip.compress(b"") * 100_000),
    "zstd-empty-frames": ("zstd", zstd(b"") * 200_000),
    "zstd-empty-blocks": ("zstd", zstd(b"")[:-7] + bytes(3) * 1_000_000),
}


@pytest.mark.parametrize("name", FLOODS)
def test_it_stops_early_in_a_flood_of_empty_members(name: str) -> None:
    encoding, body = FLOODS[name]
    begun = time.process_time()
    with pytest.raises(MalformedPayload):
        decompress(body, encoding, 64 * MIB)
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("name", ["gzip, gzip", "gzip,zstd", "br", "x", "compress", "gzip;q=1"])
def test_it_refuses_other_encodings_and_several_in_a_row(name: str) -> None:
    with pytest.raises(UnsupportedPayload, match="send gzip, zstd, deflate or none"):
        decompress(b"", name, MIB)


def test_it_unpacks_in_many_threads_at_once() -> None:
    bodies = [zstd(bytes([number]) * MIB) for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        unpacked = list(pool.map(lambda body: decompress(body, "zstd", MIB), bodies))
    assert [data[:1] * MIB == data for data in unpacked] == [True] * 32


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(COMPRESSORS)))
def test_it_answers_any_bytes_with_a_body_or_a_named_error(data: bytes, name: str) -> None:
    assert decompress(COMPRESSORS[name](data), name, 300) == data
    for head in (b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x78\x9c"):
        try:
            decompress(head + data, name, 300)
        except (MalformedPayload, PayloadTooLarge):
            continue


@pytest.mark.parametrize(
    ("signal", "content_type", "encoding"),
    [
        (Signal.TRACES, "application/x-protobuf", Encoding.PROTOBUF),
        (Signal.LOGS, "Application/JSON", Encoding.JSON),
        (Signal.METRICS, "application/json; charset=UTF-8", Encoding.JSON),
        (Signal.TRACES, 'application/json;charset="utf-8"; x=y', Encoding.JSON),
        (Signal.EVENTS, "application/cloudevents+json", Encoding.CLOUDEVENT_STRUCTURED),
        (Signal.EVENTS, "application/cloudevents", Encoding.CLOUDEVENT_STRUCTURED),
        (Signal.EVENTS, "application/cloudevents-batch+json; charset=utf-8", Encoding.CLOUDEVENT_BATCH),
        (Signal.EVENTS, "application/json", Encoding.CLOUDEVENT_BINARY),
        (Signal.EVENTS, "text/plain; charset=iso-8859-1", Encoding.CLOUDEVENT_BINARY),
        (Signal.EVENTS, "", Encoding.CLOUDEVENT_BINARY),
    ],
)
def test_it_recognises_content_types(signal: Signal, content_type: str, encoding: Encoding) -> None:
    assert negotiate(signal, content_type) is encoding


@pytest.mark.parametrize(
    ("signal", "content_type"),
    [
        (Signal.TRACES, ""),
        (Signal.TRACES, "text/plain"),
        (Signal.TRACES, "application/cloudevents+json"),
        (Signal.TRACES, "application/json; charset=utf-16"),
        (Signal.EVENTS, "application/cloudevents+json; charset=utf-16"),
        (Signal.EVENTS, "application/cloudevents+xml"),
        (Signal.EVENTS, "application/cloudevents-batch+avro"),
        (Signal.EVENTS, "text/plain; charset=utf-16"),
        (Signal.TRACES, "application/json\r\nX: y"),
        (Signal.TRACES, "x" * 10_000),
    ],
)
def test_it_refuses_other_content_types(signal: Signal, content_type: str) -> None:
    with pytest.raises(UnsupportedPayload) as refused:
        negotiate(signal, content_type)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("number", [0, 15])
def test_frames_of_zstd_that_say_nothing_are_passed_over(number: int) -> None:
    silent = (0x184D2A50 + number).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"aside"
    packed = zstandard.compress(TEXT)
    assert decompress(silent + packed + silent + silent + packed + silent, "zstd", 64 * MIB) == TEXT * 2
    assert decompress(silent, "zstd", 64 * MIB) == b""
    with pytest.raises(MalformedPayload):
        decompress(packed + silent[:-1], "zstd", 64 * MIB)
    with pytest.raises(MalformedPayload):
        decompress(silent * 100_001, "zstd", 64 * MIB)


def test_a_stream_cannot_be_expected_to_hold_more_than_deflate_can_make_of_it() -> None:
    lying = gzip.compress(TEXT)[:-4] + b"\xff" * 4
    assert expected_size(lying, "gzip") == 1_032 * len(lying)
    assert expected_size(gzip.compress(bytes(MIB)), "gzip") == MIB
