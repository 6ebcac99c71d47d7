"""Notifications as signed webhooks, after the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress

import orjson

from monitoring.notify.destinations import Destination, judged
from monitoring.notify.transport import Message, PermanentFailure, TemporaryFailure

#: For each step, and for all of them together: an answer may come byte by byte without end.
_TIMEOUT_S = 10


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` value: HMAC-SHA256 over `id.timestamp.body`. Raises PermanentFailure."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise PermanentFailure("the channel's signing secret is not base64 after whsec_") from error
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhook:
    """Posts the payload; any 2xx is delivery, 410 and other 4xx are final, everything else is tried again."""

    def send(self, target: str, secret: str, message: Message) -> None:
        """Deliver to one URL. Redirects are not followed."""
        if not secret.removeprefix("whsec_"):
            raise PermanentFailure("the channel has no signing secret")
        destination = judged(target)
        body = orjson.dumps(message.payload)
        now = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "Andon",
            "webhook-id": message.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(secret, message.id, now, body),
        }
        status = _status(destination, body, headers)
        if 200 <= status < 300:
            return
        if status in (408, 425, 429) or status >= 500:
            raise TemporaryFailure(f"{destination.host} answered {status}")
        raise PermanentFailure(f"{destination.host} answered {status}")


def _status(destination: Destination, body: bytes, headers: dict[str, str]) -> int:
    """Post and return the status; the answer's body is nobody's business and is left unread."""
    connection = _Pinned(destination)
    try:
        connection.request("POST", destination.path, body, headers)
        return connection.getresponse().status
    except http.client.InvalidURL as error:
        raise PermanentFailure(f"the address can't be asked: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise TemporaryFailure(f"{destination.host} did not answer: {error or error.__class__.__name__}") from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """Connects to the address that was judged, whatever the name resolves to by now, and for a bounded time."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination.host, destination.port, timeout=_TIMEOUT_S)
        self._destination = destination
        self._handle: socket.socket | None = None
        self._deadline = threading.Timer(_TIMEOUT_S, self._shut_down)
        self._deadline.daemon = True

    def connect(self) -> None:
        """Open the connection; over https the certificate must be the host's."""
        plain = socket.create_connection((self._destination.address, self._destination.port), _TIMEOUT_S)
        # A second handle on the same connection: shutting it down ends every wait on the first.
        self._handle = plain.dup()
        self._deadline.start()
        if self._destination.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self._destination.host)
        else:
            self.sock = plain

    def close(self) -> None:
        """Close the connection and its deadline."""
        self._deadline.cancel()
        if self._handle is not None:
            self._handle.close()
        super().close()

    def _shut_down(self) -> None:
        with suppress(OSError):
            if self._handle is not None:
                self._handle.shutdown(socket.SHUT_RDWR)
