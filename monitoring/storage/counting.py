"""Counts the log into figures by tenant and day: in small steps while a day runs, and as a whole once it is over.

A row belongs to a step by its id, which is given before its commit. So a step stops a minute short of now, and the
count of the whole day, an hour after its end, finds whoever was slower than that.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Max

from monitoring.models import IntakeDay
from monitoring.models.intake import first_id
from partners.scope import tenant_scope

ACTOR = "system:storage"
_SHORT_OF_NOW = timedelta(minutes=1)
_FINAL_AFTER = timedelta(hours=1)
#: A count that was down for longer leaves the days before as they were counted.
_LOOKS_BACK_DAYS = 7

_FIGURES = ("requests", "items", "rejected_items", "bytes", "bytes_stored")
_MORE = ", ".join(f"{name} = monitoring_intakeday.{name} + excluded.{name}" for name in _FIGURES)
_ANEW = ", ".join(f"{name} = excluded.{name}" for name in _FIGURES)
_COUNT = """
INSERT INTO monitoring_intakeday (tenant_id, day, signal, requests, items, rejected_items, bytes, bytes_stored,
                                  counted_to, is_final)
SELECT tenant_id, %(day)s, signal, count(*), sum(items), sum(rejected), sum(size), sum(octet_length(body)),
       %(high)s, %(final)s
FROM monitoring_intake
WHERE tenant_id = %(tenant)s AND id >= %(low)s AND id < %(high)s AND received_at >= %(start)s
GROUP BY tenant_id, signal
ON CONFLICT (tenant_id, day, signal) DO UPDATE SET counted_to = excluded.counted_to, is_final = excluded.is_final,
"""


def days_count(tenant_id: int, now: datetime) -> None:
    """Bring a tenant's figures up to a minute before now. Counting twice equals counting once."""
    today = now.astimezone(UTC).date()
    oldest = today - timedelta(days=_LOOKS_BACK_DAYS)
    with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
        # Two workers at once would both add the same step.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('monitoring_intakeday', %s))", [tenant_id])
        cursor.execute("SELECT intake_log_begins()")
        (begins,) = cursor.fetchone()
        final = set(IntakeDay.objects.filter(is_final=True, day__gte=oldest).values_list("day", flat=True))
        for ago in range(_LOOKS_BACK_DAYS, -1, -1):
            day = today - timedelta(days=ago)
            if day not in final:
                _count(tenant_id, day, now, begins)


def _count(tenant_id: int, day: date, now: datetime, begins: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    is_over = now >= end + _FINAL_AFTER
    low = first_id(start)
    if not is_over:
        low = IntakeDay.objects.filter(day=day).aggregate(at=Max("counted_to"))["at"] or low
    elif day == begins:
        # Rows of that day from before the partitions have small ids.
        low = 0
    high = min(first_id(end), first_id(now - _SHORT_OF_NOW))
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT + (_ANEW if is_over else _MORE),
            {"tenant": tenant_id, "day": day, "start": start, "low": low, "high": high, "final": is_over},
        )
