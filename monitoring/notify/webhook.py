"""Notifications as signed webhooks, after the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
import time

import orjson

from monitoring.notify.destinations import Destination, judged
from monitoring.notify.transport import Message, PermanentFailure, TemporaryFailure

_TIMEOUT_S = 10
_MOST_READ = 4096


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` value: HMAC-SHA256 over `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhook:
    """Posts the payload; any 2xx is delivery, 410 and other 4xx are final, everything else is tried again."""

    def send(self, target: str, secret: str, message: Message) -> None:
        """Deliver to one URL. Redirects are not followed."""
        if not secret:
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
        connection = _Pinned(destination)
        try:
            connection.request("POST", destination.path, body, headers)
            response = connection.getresponse()
            response.read(_MOST_READ)
        except (OSError, http.client.HTTPException) as error:
            raise TemporaryFailure(f"{destination.host} did not answer: {error}") from error
        finally:
            connection.close()
        if 200 <= response.status < 300:
            return
        if response.status in (408, 425, 429) or response.status >= 500:
            raise TemporaryFailure(f"{destination.host} answered {response.status}")
        raise PermanentFailure(f"{destination.host} answered {response.status}")


class _Pinned(http.client.HTTPConnection):
    """Connects to the address that was judged, whatever the name resolves to by now."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination.host, destination.port, timeout=_TIMEOUT_S)
        self._destination = destination

    def connect(self) -> None:
        """Open the connection; over https the certificate must be the host's."""
        plain = socket.create_connection((self._destination.address, self._destination.port), _TIMEOUT_S)
        if self._destination.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self._destination.host)
        else:
            self.sock = plain
