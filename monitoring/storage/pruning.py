"""Lets go of what serves for a while only: notes of first tries that went well, for deaths that are told of late; and
which web worker counted what of an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from monitoring.project.plain_rows import forget_plain
from monitoring.receive.outcomes import WRITTEN_WITHIN
from partners.scope import tenant_scope

ACTOR = "system:storage"
#: So long after its redrive was told of a death may be told of, and still be seen to be over.
LATENESS = timedelta(days=7)
#: So old an hour's counts are not written any more, by whatever worker, and a day longer for clocks that differ.
_SETTLED = WRITTEN_WITHIN + timedelta(days=1)
_FIGURES = ("requests", "items", "rejected", "bytes")
_KINDS = "tenant_id, hour, signal, status, reason, key_prefix"
_FOLD = f"""
WITH counted AS (
    DELETE FROM monitoring_intakeoutcome WHERE tenant_id = %s AND hour < %s AND worker <> '' RETURNING *
)
INSERT INTO monitoring_intakeoutcome ({_KINDS}, worker, {", ".join(_FIGURES)})
SELECT {_KINDS}, '', {", ".join(f"sum({name})" for name in _FIGURES)} FROM counted GROUP BY {_KINDS}
ON CONFLICT ({_KINDS}, worker) DO UPDATE SET
    {", ".join(f"{name} = monitoring_intakeoutcome.{name} + excluded.{name}" for name in _FIGURES)}
"""  # noqa: S608  Names of this module.


def plain_tries_prune(tenant_id: int, now: datetime) -> int:
    """Delete notes that were told of longer ago than any lateness that is allowed for; return how many."""
    with tenant_scope(tenant_id, actor=ACTOR):
        return forget_plain(now - LATENESS)


def outcomes_fold(tenant_id: int, now: datetime) -> int:
    """Make one row of what each web worker counted of an hour that is long over; return how many are left of them."""
    with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(_FOLD, [tenant_id, now - _SETTLED])
        return int(cursor.rowcount)
