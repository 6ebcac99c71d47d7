"""Where a webhook may go. A name is resolved once, every address is judged, and the connection goes to that address."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from django.conf import settings

from monitoring.notify.transport import PermanentFailure, TemporaryFailure

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Ranges that Python calls global and that still lead inside: 6to4, NAT64, Oracle's metadata service, old site-local.
_INSIDE = [
    ipaddress.ip_network(net)
    for net in ("2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "192.0.0.0/24", "::/96", "fec0::/10")
]


#: Databases, caches and brokers, which a forged request could make talk.
_NOT_WEB = frozenset({1433, 1521, 2375, 2379, 3306, 4369, 5432, 5672, 6379, 9042, 9092, 11211, 27017})


@dataclass(frozen=True, slots=True)
class Destination:
    """A webhook's address, judged: connect to `address`, speak as `host`."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def judged(url: str) -> Destination:
    """Return where to connect, or raise PermanentFailure with the reason why this address is not allowed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise PermanentFailure(f"the address can't be read: {error}") from error
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.password:
        raise PermanentFailure("the address must be https://host/path without user and password")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if port in _NOT_WEB or (port < 1024 and port not in (80, 443)):
            raise PermanentFailure(f"port {port} is no web server's")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (ValueError, UnicodeError) as error:
        raise PermanentFailure(f"{host} is no usable host name") from error
    except OSError as error:
        raise TemporaryFailure(f"the name {host} can't be resolved: {error}") from error
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    for address in addresses:
        if not _allowed(address, parts.scheme):
            raise PermanentFailure(
                f"{host} leads to {address}, which is inside or not reached over https; "
                "an administrator can allow its network with ANDON_WEBHOOK_ALLOWED_NETWORKS"
            )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port, path, str(addresses[0]))


def _allowed(address: Address, scheme: str) -> bool:
    plain = getattr(address, "ipv4_mapped", None) or address
    if any(plain in ipaddress.ip_network(network) for network in settings.WEBHOOK_ALLOWED_NETWORKS):
        return True
    inside = not plain.is_global or plain.is_multicast or any(plain in network for network in _INSIDE)
    return scheme == "https" and not inside
