"""Lets go of what serves for a while only: notes of first tries that went well, for deaths that are told of late."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitoring.project.plain_rows import forget_plain
from partners.scope import tenant_scope

ACTOR = "system:storage"
#: So long after its redrive was told of a death may be told of, and still be seen to be over.
LATENESS = timedelta(days=7)


def plain_tries_prune(tenant_id: int, now: datetime) -> int:
    """Delete notes that were told of longer ago than any lateness that is allowed for; return how many."""
    with tenant_scope(tenant_id, actor=ACTOR):
        return forget_plain(now - LATENESS)
