"""A request's body: unpacked within a limit, and recognised by its content type."""

from __future__ import annotations

import io
from collections.abc import Iterator

import zstandard
from zlib_ng import zlib_ng

from monitoring.decode.media_types import media_type_of
from monitoring.records import Encoding, MalformedPayload, PayloadTooLarge, Signal, UnsupportedPayload

_CHUNK = 256 * 1024
#: Telemetry shrinks by 5 to 50 times. What grows further than this is a bomb, and is left once it is seen to be one.
_MOST_TIMES = 250
_UNSUSPECTED = 16 << 20
#: The largest zstd window that is taken: 8 MiB is what RFC 9659 lets a receiver of HTTP expect.
_MAX_WINDOW = 8 << 20
#: A body is one stream; a few are borne. Thousands of empty ones would cost more time than they hold bytes.
_MAX_MEMBERS = 100
_MAX_BLOCKS = 100_000
#: Frames of zstd that say nothing of the content (RFC 8878, section 3.1.2), as parallel compressors write them.
_SKIPPABLE, _SKIPPABLE_MASK = 0x184D2A50, 0xFFFFFFF0
_GZIP = 16 + zlib_ng.MAX_WBITS
#: Deflate makes of one byte no more than this many.
_MOST_OF_DEFLATE = 1032
#: What telemetry usually shrinks to, where the sender does not say.
_USUAL_RATIO = 12
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
#: Data of a binary CloudEvent may be text in Latin-1; its charset belongs to the producer.
_DATA_CHARSETS = _CHARSETS | {"iso-8859-1", "latin1"}
_STRUCTURED = ("application/cloudevents", Encoding.CLOUDEVENT_STRUCTURED.value)
_BATCH = ("application/cloudevents-batch", Encoding.CLOUDEVENT_BATCH.value)


class LargerThanExpected(RuntimeError):
    """The body passes the room that it was given, or takes as long to read as one that does. It may still be taken."""


def decompress(body: bytes, content_encoding: str, limit: int, room: int | None = None) -> bytes:
    """The body as it was before compression; never holds more than `limit` bytes and a chunk of it.

    Raises PayloadTooLarge beyond `limit` and for what grows as only bombs do, LargerThanExpected beyond `room`,
    MalformedPayload if the stream is broken, cut short or followed by other bytes, and UnsupportedPayload for any
    encoding but gzip, zstd, deflate (zlib) and identity, or several in a row.
    """
    if len(body) > limit:
        raise _too_large(limit)
    name = content_encoding.strip().lower()
    if name in ("", "identity"):
        return body
    unpack = _UNPACKERS.get(name)
    if unpack is None:
        raise UnsupportedPayload(
            f"Content-Encoding {name[:60]!r} is not taken; send gzip, zstd, deflate or none, and only one of them."
        )
    unpacked = io.BytesIO()
    for chunk in unpack(body):
        size = unpacked.tell() + len(chunk)
        if room is not None and size > room:
            raise LargerThanExpected
        if size > limit:
            raise _too_large(limit)
        if size > _UNSUSPECTED and size > _MOST_TIMES * len(body):
            raise PayloadTooLarge(
                f"The body grows more than {_MOST_TIMES} times in decompression; send smaller batches."
            )
        unpacked.write(chunk)
    return unpacked.getvalue()


def expected_size(body: bytes, content_encoding: str) -> int:
    """How large the body says or seems to be once decompressed. It may lie: `decompress` finds out."""
    name = content_encoding.strip().lower()
    if name in ("gzip", "x-gzip") and len(body) >= 18:
        said = min(int.from_bytes(body[-4:], "little"), _MOST_OF_DEFLATE * len(body))
        return max(len(body), said)
    if name == "zstd":
        try:
            said = zstandard.frame_content_size(body[:18])
        except zstandard.ZstdError:
            return len(body)
        return max(len(body) if said >= 0 else len(body) * _USUAL_RATIO, said)
    return len(body) * (_USUAL_RATIO if name in _UNPACKERS else 1)


def negotiate(signal: Signal, content_type: str) -> Encoding:
    """How a body of this content type is written; raises UnsupportedPayload for what Andon does not speak.

    For events every other media type, and none at all, is data of a CloudEvent in binary mode: its ce- headers are
    then required, and decoding says so where they are missing.
    """
    if "," in content_type.split(";", 1)[0]:
        raise UnsupportedPayload(f"Content-Type {content_type[:60]!r} names more than one type; send one.")
    try:
        media, charset = media_type_of(content_type) if content_type.strip() else ("", "")
    except ValueError as fault:
        raise UnsupportedPayload(f"Content-Type: {fault}; send it as plain text.") from None
    encoding = _event_encoding(media) if signal is Signal.EVENTS else _otlp_encoding(media)
    charsets = _DATA_CHARSETS if encoding is Encoding.CLOUDEVENT_BINARY else _CHARSETS
    if charset not in charsets:
        raise UnsupportedPayload(f"The charset {charset[:60]!r} is not taken; send UTF-8.")
    return encoding


def _otlp_encoding(media: str) -> Encoding:
    if media in (Encoding.PROTOBUF, Encoding.JSON):
        return Encoding(media)
    raise UnsupportedPayload(
        f"Content-Type {media[:60]!r} is not taken; send OTLP as application/x-protobuf or application/json."
    )


def _event_encoding(media: str) -> Encoding:
    if media in _STRUCTURED:
        return Encoding.CLOUDEVENT_STRUCTURED
    if media in _BATCH:
        return Encoding.CLOUDEVENT_BATCH
    if media.startswith("application/cloudevents"):
        raise UnsupportedPayload(f"The event format {media[:60]!r} is not taken; send application/cloudevents+json.")
    return Encoding.CLOUDEVENT_BINARY


def _gunzip(body: bytes) -> Iterator[bytes]:
    return _inflate(body, _GZIP, "gzip")


def _unzlib(body: bytes) -> Iterator[bytes]:
    return _inflate(body, zlib_ng.MAX_WBITS, "deflate")


def _inflate(body: bytes, bits: int, name: str) -> Iterator[bytes]:
    """Each chunk of every member: gzip lets a sender append members, and zlib stops at the first one."""
    waiting, rest = memoryview(body), b""
    member, members = zlib_ng.decompressobj(bits), 1
    try:
        while True:
            if not rest:
                rest, waiting = bytes(waiting[:_CHUNK]), waiting[_CHUNK:]
            chunk = member.decompress(rest, _CHUNK)
            yield chunk
            if member.eof:
                rest = member.unused_data
                if not rest and not waiting:
                    return
                if bits != _GZIP or members == _MAX_MEMBERS:
                    raise MalformedPayload(f"Other bytes follow the end of the {name} body; send it as one stream.")
                member, members = zlib_ng.decompressobj(bits), members + 1
            elif not rest and not chunk:
                raise MalformedPayload(f"The {name} body is cut short; send it whole.")
            else:
                rest = member.unconsumed_tail
    except zlib_ng.error as fault:  # type: ignore[misc]  # Its stub says that this is an exception, not a class of them.
        raise MalformedPayload(f"The body is not {name}: {fault}. Check Content-Encoding.") from None


def _unzstd(body: bytes) -> Iterator[bytes]:
    _whole_frames(body)
    # One decompressor for each call: sharing one between threads corrupts both streams.
    reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(body, read_across_frames=True)
    try:
        while chunk := reader.read(_CHUNK):
            yield chunk
    except zstandard.ZstdError as fault:
        raise MalformedPayload(f"The body is not zstd that can be taken: {fault}.") from None


def _whole_frames(body: bytes) -> None:
    """Raise MalformedPayload unless the body is whole zstd frames: the library reads a cut one without a word."""
    pos, blocks = 0, 0
    try:
        while pos < len(body) or not body:
            pos, inside = _frame_end(body, pos, _MAX_BLOCKS - blocks)
            blocks += inside
    except (IndexError, zstandard.ZstdError):
        raise MalformedPayload(
            "The zstd body is cut short, in too many pieces or followed by other bytes; send it whole, as one frame."
        ) from None


def _frame_end(body: bytes, pos: int, most: int) -> tuple[int, int]:
    """Where the frame at `pos` ends, and how many blocks it has; raises IndexError if cut or longer than `most`."""
    if int.from_bytes(body[pos : pos + 4], "little") & _SKIPPABLE_MASK == _SKIPPABLE and most:
        size = int.from_bytes(body[pos + 4 : _reached(body, pos + 8)], "little")
        return _reached(body, pos + 8 + size), 1
    header = body[pos : pos + 18]
    parameters = zstandard.get_frame_parameters(header)
    pos += zstandard.frame_header_size(header)
    for blocks in range(1, most + 1):
        block = int.from_bytes(body[pos : _reached(body, pos + 3)], "little")
        # A run-length block holds one byte, whatever length it stands for.
        pos = _reached(body, pos + 3 + (1 if block >> 1 & 3 == 1 else block >> 3))
        if block & 1:
            return _reached(body, pos + (4 if parameters.has_checksum else 0)), blocks
    raise IndexError(pos)


def _reached(body: bytes, pos: int) -> int:
    if pos > len(body):
        raise IndexError(pos)
    return pos


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit:,} bytes after decompression; send smaller batches.")


_UNPACKERS = {"gzip": _gunzip, "x-gzip": _gunzip, "zstd": _unzstd, "deflate": _unzlib, "zlib": _unzlib}
