"""The intake endpoints as a small ASGI application: it reads a body itself, chunk by chunk and within its bounds.

It stands beside Django, not in it: Django spools a body of any size to disk before a view may refuse it, and under
WSGI a chunked body would look empty.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from django.conf import settings

from monitoring.receive.accept import After
from monitoring.receive.apart import CommandLine
from monitoring.receive.arrival import Answer, refusal
from monitoring.receive.body import negotiate
from monitoring.receive.door import Ask, Disconnected, Door, too_large
from monitoring.receive.large_pages import room_for
from monitoring.receive.pace import UNPACED_BYTES, Pace, Receive
from monitoring.records import Encoding, Signal, UnsupportedPayload
from partners.keys import bearer

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: How long what is left of a refused body is read on at its own pace.
_DISCARD_S = 30.0

PATHS = {
    "/v1/traces": Signal.TRACES,
    "/v1/logs": Signal.LOGS,
    "/v1/metrics": Signal.METRICS,
    "/v1/events": Signal.EVENTS,
}


class IntakeApp:
    """Receives OTLP and CloudEvents over HTTP."""

    def __init__(self, after: After, large_bodies: CommandLine | None = None) -> None:
        """What they mean stands at Door."""
        self.door = Door(after, large_bodies)
        self._counting: set[asyncio.Task[None]] = set()

    @staticmethod
    def serves(path: str) -> bool:
        """Say whether the path is an intake endpoint, or would be one if it were spelled right."""
        return path.startswith("/v1/")

    def unreadable(
        self, path: str, fields: Iterable[tuple[bytes, bytes]], status: int, message: str
    ) -> tuple[str, bytes] | None:
        """Count a request that the server itself refuses, for whoever its key names; its answer's content type and
        body, None where the path is no endpoint."""
        if not path.startswith("/"):
            # A proxy may be asked with the whole address.
            path = "/" + path.partition("://")[2].partition("/")[2]
        path = unquote(path)
        if not self.serves(path):
            return None
        signal, headers = PATHS.get(path.rstrip("/")), _headers(fields)
        spoken = _spoken(signal or Signal.TRACES, headers.get("content-type", ""))
        answer = refusal(spoken, status, "unreadable", message)
        key = bearer(headers.get("authorization", ""))
        counting = asyncio.get_running_loop().create_task(self.door.refuse_unread(signal, answer, key))
        self._counting.add(counting)
        counting.add_done_callback(self._counting.discard)
        return answer.content_type, answer.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A slash at the end of the path is forgiven."""
        headers = _headers(scope["headers"])
        signal = PATHS.get(scope["path"].rstrip("/"))
        spoken = _spoken(signal or Signal.TRACES, headers.get("content-type", ""))
        if signal is None:
            message = f"There is no endpoint at this path; there are {', '.join(PATHS)}."
            await self._refuse_unread(None, refusal(spoken, 404, "path", message), headers, receive, send)
        elif scope["method"] == "OPTIONS" and signal is Signal.EVENTS:
            await _handshake(headers, send)
        elif scope["method"] != "POST":
            message = f"{scope['method']} is not taken here; POST the telemetry."
            await self._refuse_unread(signal, refusal(spoken, 405, "method", message), headers, receive, send)
        else:
            body = _Body(receive, self.door.pace, _announced(headers))
            try:
                answer = await self.door.answer(_ask(signal, spoken, headers, body))
            except Disconnected:
                return
            await _send(answer, send, _left(body, answer, headers))

    async def _refuse_unread(
        self, signal: Signal | None, answer: Answer, headers: dict[str, str], receive: Receive, send: Send
    ) -> None:
        await self.door.refuse_unread(signal, answer, bearer(headers.get("authorization", "")))
        await _send(answer, send, _left(_Body(receive, self.door.pace), answer, headers))


def _ask(signal: Signal, spoken: Encoding, headers: dict[str, str], body: _Body) -> Ask:
    return Ask(
        signal=signal,
        spoken=spoken,
        key=bearer(headers.get("authorization", "")),
        encoding=lambda: _encoding(signal, headers),
        packing=lambda _: headers.get("content-encoding", "").strip().lower(),
        headers=headers,
        announced=_announced(headers),
        read=body.read,
    )


def _announced(headers: dict[str, str]) -> int:
    announced = headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else 0


def _headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The fields by name. One that stands twice says both, as a list: it is not for us to choose. Alike, it says one
    thing, unless each time is a coding of its own."""
    found: dict[str, str] = {}
    for raw, value in fields:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        if name in found and (found[name] != text or name.endswith("-encoding")):
            text = f"{found[name]}, {text}"
        found[name] = text
    return found


def _encoding(signal: Signal, headers: dict[str, str]) -> Encoding:
    transfer = headers.get("transfer-encoding", "chunked").strip().lower()
    if transfer != "chunked":
        raise UnsupportedPayload(
            f"Transfer-Encoding {transfer[:60]!r} is not taken; name the compression in Content-Encoding."
        )
    return negotiate(signal, headers.get("content-type", ""))


class _Body:
    """The body of one request, which is read as far as it is wanted."""

    def __init__(self, receive: Receive, pace: Pace, announced: int = 0) -> None:
        self._receive, self._pace, self._announced = receive, pace, announced
        self._is_over = False

    async def read(self, hold: Callable[[int], None]) -> bytes:
        """Return all of it, and tell each chunk's size before it is kept. Raises PayloadTooLarge or Disconnected."""
        body, unpaced = room_for(self._announced), UNPACED_BYTES
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            self._is_over = not message.get("more_body")
            if body.tell() + len(chunk) > settings.INTAKE_MAX_BYTES:
                raise too_large()
            hold(len(chunk))
            if self._is_over:
                if not body.tell():
                    return bytes(chunk)
                body.write(chunk)
                body.truncate()
                return body.getvalue()
            body.write(chunk)
            if body.tell() > unpaced:
                await self._pace.next()
                unpaced = body.tell() + UNPACED_BYTES

    async def discard(self) -> None:
        """Read what has not been read, for a while."""
        if not self._is_over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DISCARD_S):
                    await self._pace.discard(self._receive)


def _left(body: _Body, answer: Answer, headers: dict[str, str]) -> _Body | None:
    """The body, where the sender goes on with it after this answer, as most do that do not ask first."""
    is_sent_anyway = answer.status not in (200, 408) and "100-continue" not in headers.get("expect", "").lower()
    return body if is_sent_anyway else None


def _spoken(signal: Signal, content_type: str) -> Encoding:
    """The encoding that errors are written in, also where the request's own is not taken."""
    if signal is Signal.EVENTS or "json" in content_type.lower():
        return Encoding.JSON
    return Encoding.PROTOBUF


async def _send(answer: Answer, send: Send, left: _Body | None = None) -> None:
    """Send an answer; then, where the request has not been read to its end, read on before it counts as over."""
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body)).encode())]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="andon"'))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": left is not None})
    if left is not None:
        await left.discard()
        await send({"type": "http.response.body", "body": b""})


async def _handshake(headers: dict[str, str], send: Send) -> None:
    """CloudEvents' abuse protection: say that the origin may deliver here, at any rate."""
    origin = headers.get("webhook-request-origin", "")
    allowed = [(b"allow", b"POST")]
    if origin:
        allowed += [(b"webhook-allowed-origin", origin.encode("latin-1")), (b"webhook-allowed-rate", b"*")]
    await send({"type": "http.response.start", "status": 200 if origin else 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})
