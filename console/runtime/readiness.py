"""Asks a running console whether it is ready."""

from __future__ import annotations

import http.client


def status(port: int, path: str = "/readyz") -> int | None:
    """The HTTP status that the console on this machine answers with, None while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
