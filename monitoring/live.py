"""Tells open pages, by NOTIFY and on commit, that something of a tenant changed."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from django.db import connections

CHANNEL = "andon_live"


def announce(tenant_id: int, topics: Iterable[str], *, using: str = "default") -> None:
    """Announce topics (`alerts`, `dead_letters`, `runs`, `board`, `catalogue`) of a tenant, none of their content."""
    names = sorted(set(topics))
    if not names:
        return
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, %s)", [CHANNEL, orjson.dumps({"tenant": tenant_id, "topics": names}).decode()]
        )
