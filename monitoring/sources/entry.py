"""Which names stay the same from run to run."""

from __future__ import annotations

import re
from functools import lru_cache

from monitoring.names import fitted

_ID = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # a UUID
    r"|[0-9a-fA-F]{16,}"  # a hash or a trace id
    r"|\d{3,}"  # an order number
    r"|(?<=/)\d+"  # a short number that is a whole path segment
    r")(?![0-9A-Za-z])"
)


@lru_cache(maxsize=4096)
def stable_name(name: str) -> str:
    """The name without what changes from run to run: `POST /orders/4711/release` is `POST /orders/{id}/release`.

    Without this, each order number in a span name would make an automation of its own.
    """
    return fitted(_ID.sub("{id}", name.split("?", 1)[0].strip()), 200)
