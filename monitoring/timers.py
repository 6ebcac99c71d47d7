"""The clock's index: what falls due when, for whom. Its cost follows what is due, not what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from monitoring.models.delivery import TimerKind
from monitoring.rows import arrays
from partners.database.statements import tell

#: A worker that claims a timer and dies leaves it to be claimed again after this long.
LEASE = timedelta(seconds=60)

_SET = """
INSERT INTO monitoring_timer (tenant_id, kind, ref, due_at)
SELECT %s::int, %s::text, * FROM unnest(%s::bigint[], %s::timestamptz[])
ON CONFLICT (tenant_id, kind, ref) DO UPDATE SET due_at = excluded.due_at
"""
_CLEAR = "DELETE FROM monitoring_timer WHERE tenant_id = %s::int AND kind = %s::text AND ref = ANY(%s::bigint[])"
_DONE = f"{_CLEAR} AND due_at <= %s::timestamptz"


@dataclass(frozen=True, slots=True)
class Due:
    """A timer that this process has claimed."""

    tenant_id: int
    kind: TimerKind
    ref: int


def timers_set(tenant_id: int, kind: TimerKind, dues: Iterable[tuple[int, datetime]]) -> None:
    """Set or move timers: (ref, due) pairs. Setting one again moves it."""
    rows = sorted(dict(dues).items())
    if not rows:
        return
    tell(_SET, [tenant_id, kind.value, *arrays(["bigint", "timestamptz"], zip(*rows, strict=True))])


def timers_done(tenant_id: int, kind: TimerKind, refs: Sequence[int], now: datetime) -> None:
    """Remove timers that were dealt with, unless they were set anew since they were claimed."""
    if refs:
        tell(_DONE, [tenant_id, kind.value, *arrays(["bigint"], [refs]), now + LEASE])


def timers_clear(tenant_id: int, kind: TimerKind, refs: Sequence[int]) -> None:
    """Remove timers; clearing what is not set changes nothing."""
    if refs:
        tell(_CLEAR, [tenant_id, kind.value, *arrays(["bigint"], [refs])])


def timers_claim(now: datetime, *, most: int = 500) -> list[Due]:
    """Claim what is due: each timer is moved a lease ahead by whoever gets it, and goes once it is dealt with."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_timer SET due_at = %s WHERE id IN (SELECT id FROM monitoring_timer WHERE due_at <= %s "
            "ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING tenant_id, kind, ref",
            [now + LEASE, now, most],
        )
        return [Due(tenant_id, TimerKind(kind), ref) for tenant_id, kind, ref in cursor.fetchall()]
