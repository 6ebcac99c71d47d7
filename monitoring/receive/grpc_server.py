"""OTLP over gRPC: the same door as HTTP, so that a request is the same row in the log whichever way it came.

Messages are taken as the bytes that came, compressed ones too: gRPC would unpack a bomb of any size before a handler
hears of it, and what is kept is what was received. A handler is called before its message is read, so that the key is
checked and the tenant's share asked for first; that is why the unary calls of OTLP are declared as streams, which look
the same on the wire.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio
from django.conf import settings
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from monitoring.receive.arrival import Answer
from monitoring.receive.door import Ask, Door
from monitoring.receive.share import Share
from monitoring.records import Encoding, PayloadTooLarge, Signal
from partners.keys import bearer

Handler: TypeAlias = Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]

_SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": Signal.METRICS,
}
#: gRPC reads a message in one piece. So many at once, of at most this size, bound what it holds meanwhile.
_READ_AT_ONCE = 16
_LARGEST_MESSAGE = 16 << 20
_SAMPLE = 1 << 12
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_DETAILS = "grpc-status-details-bin"


async def serve(door: Door, address: str) -> tuple[grpc.aio.Server, int]:
    """Start to listen; the server and the port it has. Raises RuntimeError where the address can't be had."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _largest()),
            ("grpc.per_message_decompression", 0),
            # Two servers on one port would each get half of the requests.
            ("grpc.so_reuseport", 0),
        ]
    )
    reading = Share(_READ_AT_ONCE)
    for name, signal in _SERVICES.items():
        method = grpc.stream_unary_rpc_method_handler(_export(door, signal, reading))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": method}),))
    port: int = server.add_insecure_port(address)
    await server.start()
    return server, port


def _largest() -> int:
    return min(_LARGEST_MESSAGE, settings.INTAKE_MAX_BYTES)


def packing(message: bytes) -> str:
    """How a message is compressed, in HTTP's words. gRPC keeps to itself what the sender said; no OTLP message begins
    like a gzip stream, and none goes on like a zlib stream."""
    if message.startswith(b"\x1f\x8b"):
        return "gzip"
    if message[:1] == b"\x78" and int.from_bytes(message[:2], "big") % 31 == 0 and _inflates(message):
        return "deflate"
    return ""


def _inflates(message: bytes) -> bool:
    """Whether it goes on as it begins: a field that a later version of OTLP may add has these first bytes too."""
    try:
        zlib.decompressobj().decompress(message[:_SAMPLE], _SAMPLE)
    except zlib.error:
        return False
    return True


def _export(door: Door, signal: Signal, reading: Share) -> Handler:
    async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
        headers = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}

        async def read(hold: Callable[[int], None]) -> bytes:
            async for message in messages:
                hold(len(message))
                return message
            # gRPC itself has refused one that is larger. Its sender has heard so already; what is said here is counted.
            raise PayloadTooLarge(f"No message of at most {_largest()} bytes came; send smaller batches.")

        ask = Ask(
            signal=signal,
            spoken=Encoding.PROTOBUF,
            key=bearer(headers.get("authorization", "")),
            encoding=lambda: Encoding.PROTOBUF,
            packing=packing,
            # A request is the same whichever way it came: what HTTP would say of it is said here.
            headers={"content-type": Encoding.PROTOBUF.value},
            announced=0,
            read=read,
            reading=reading,
        )
        answer = await door.answer(ask)
        if answer.status != 200:
            await _abort(context, answer)
        return answer.body

    return export


async def _abort(context: Any, answer: Answer) -> None:
    """Say what HTTP's status would say. RetryInfo is what tells an exporter to come back."""
    status = Status.FromString(answer.body)
    if answer.retry_after_s is not None:
        wait = RetryInfo()
        wait.retry_delay.FromSeconds(answer.retry_after_s)
        status.details.add().Pack(wait)
    await context.abort(_CODES[status.code], status.message, ((_DETAILS, status.SerializeToString()),))
