"""The intake endpoints as a small ASGI application: it reads a body itself, chunk by chunk and within its bounds.

It stands beside Django, not in it: Django spools a body of any size to disk before a view may refuse it, and under
WSGI a chunked body would look empty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from django.conf import settings

from monitoring.receive.accept import accept
from monitoring.receive.arrival import Answer, Arrival, refusal
from monitoring.receive.body import negotiate
from monitoring.receive.gate import InFlight, KeyRing, KeysUnavailable, Overloaded
from monitoring.receive.outcomes import Outcomes
from monitoring.records import Encoding, Signal, UnsupportedPayload
from partners.keys import KeyHolder, bearer

_log = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS = {
    "/v1/traces": Signal.TRACES,
    "/v1/logs": Signal.LOGS,
    "/v1/metrics": Signal.METRICS,
    "/v1/events": Signal.EVENTS,
}
#: How long a sender may take to hand over its body.
_PATIENCE_S = 30.0
#: An answer comes within this long, whatever the database does: exporters give up after ten seconds, retries included.
#: What is committed after all is known again when it is repeated.
_ANSWER_S = 5.0


class Stalled(RuntimeError):
    """The work on a request did not end in time."""


class Disconnected(Exception):
    """The sender went away before its body was complete."""


class IntakeApp:
    """Receives OTLP and CloudEvents over HTTP."""

    def __init__(self, after: Callable[[int, tuple[int, ...]], None]) -> None:
        """`after(tenant_id, notification_ids)` is called once outbox rows are committed."""
        self._after = after
        self._keys = KeyRing()
        self._in_flight = InFlight(settings.INTAKE_MAX_IN_FLIGHT_BYTES)
        self._threads = ThreadPoolExecutor(settings.INTAKE_THREADS, thread_name_prefix="intake")
        self.outcomes = Outcomes()

    @staticmethod
    def serves(path: str) -> bool:
        """Say whether the path is an intake endpoint, or would be one if it were spelled right."""
        return path.startswith("/v1/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A slash at the end of the path is forgiven."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        signal = PATHS.get(scope["path"].rstrip("/"))
        if signal is None:
            spoken = _spoken(Signal.TRACES, headers.get("content-type", ""))
            message = f"There is no endpoint at this path; there are {', '.join(PATHS)}."
            await _send(refusal(spoken, 404, "path", message), send)
            return
        if scope["method"] == "OPTIONS" and signal is Signal.EVENTS:
            await _handshake(headers, send)
            return
        try:
            answer, holder = await self._answer(scope["method"], signal, headers, receive)
        except Disconnected:
            return
        self.outcomes.count(holder, signal, answer)
        await _send(answer, send)

    async def _answer(
        self, method: str, signal: Signal, headers: dict[str, str], receive: Receive
    ) -> tuple[Answer, KeyHolder | None]:
        spoken = _spoken(signal, headers.get("content-type", ""))
        if method != "POST":
            return refusal(spoken, 405, "method", f"{method} is not taken here; POST the telemetry."), None
        holder = None
        try:
            holder = await self._holder(headers)
            if holder is None:
                message = "The ingest key is missing, unknown or revoked. Send 'Authorization: Bearer <ingest key>'."
                return refusal(spoken, 401, "unauthenticated", message), None
            encoding = negotiate(signal, headers.get("content-type", ""))
            with self._in_flight.admitted() as holding:
                body = await asyncio.wait_for(_read(receive, headers, holding.add), _PATIENCE_S)
                packing = headers.get("content-encoding", "").strip().lower()
                arrival = Arrival(holder.tenant_id, holder.prefix, signal, encoding, packing, headers, body)
                return await self._in_thread(lambda: accept(arrival, self._sender(arrival.tenant_id))), holder
        except UnsupportedPayload as error:
            return refusal(spoken, 415, "unsupported", str(error)), holder
        except BodyTooLarge as error:
            return refusal(spoken, 413, "too_large", str(error)), holder
        except Overloaded:
            return refusal(spoken, 503, "overloaded", "Too many bytes are in flight here; try again."), holder
        except TimeoutError:
            return refusal(spoken, 408, "slow", f"The body did not arrive within {_PATIENCE_S:.0f} s."), holder
        except Disconnected:
            raise
        except KeysUnavailable as error:
            _log.warning("intake is waiting for the database: %s", error)
            return refusal(spoken, 503, "database", "The database does not answer at the moment; try again."), holder
        except Stalled as error:
            _log.warning("intake gave up on a request: %s", error)
            message = f"This took longer than {_ANSWER_S:.0f} s here, more than an exporter waits; try again."
            return refusal(spoken, 503, "stalled", message), holder
        except Exception:  # noqa: BLE001  Whatever it is, the sender must keep its batch: 500 would make it drop it.
            _log.exception("intake failed")
            return refusal(spoken, 503, "fault", "Something failed here that is not your fault; try again."), holder

    async def _holder(self, headers: dict[str, str]) -> KeyHolder | None:
        key = bearer(headers.get("authorization", ""))
        if not key:
            return None
        return self._keys.remembered(key) or await self._in_thread(lambda: self._keys.holder(key))

    def _sender(self, tenant_id: int) -> Callable[[tuple[int, ...]], None]:
        return lambda ids: self._after(tenant_id, ids)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        working = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.wait_for(working, _ANSWER_S)
        except TimeoutError:
            raise Stalled(f"no answer within {_ANSWER_S:.0f} s") from None


class BodyTooLarge(ValueError):
    """The body passes the limit before it is decompressed."""


async def _read(receive: Receive, headers: dict[str, str], hold: Callable[[int], None]) -> bytes:
    most = settings.INTAKE_MAX_BYTES
    too_large = BodyTooLarge(f"The body is larger than {most} bytes; send smaller batches.")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise too_large
        hold(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _spoken(signal: Signal, content_type: str) -> Encoding:
    """The encoding that errors are written in, also where the request's own is not taken."""
    if signal is Signal.EVENTS or "json" in content_type.lower():
        return Encoding.JSON
    return Encoding.PROTOBUF


async def _send(answer: Answer, send: Send) -> None:
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body)).encode())]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="andon"'))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _handshake(headers: dict[str, str], send: Send) -> None:
    """CloudEvents' abuse protection: say that the origin may deliver here, at any rate."""
    origin = headers.get("webhook-request-origin", "")
    allowed = [(b"allow", b"POST")]
    if origin:
        allowed += [(b"webhook-allowed-origin", origin.encode("latin-1")), (b"webhook-allowed-rate", b"*")]
    await send({"type": "http.response.start", "status": 200 if origin else 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})
