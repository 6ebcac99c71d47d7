"""The days of the log: made ahead, and dropped once they are older than their retention and no legal hold covers them.

Making and dropping run as functions of the tables' owner, because the app owns nothing. The second one looks for holds
of all tenants itself, whatever its caller says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection, transaction

#: Days that stand ready when beat stops; a request that finds none makes its own.
DAYS_AHEAD = 7
#: The database refuses to drop anything younger, so a shorter retention would be a promise not kept.
LEAST_RETENTION_DAYS = 7

_DAYS = """
SELECT CASE WHEN c.relname = 'monitoring_intake_before' THEN intake_log_begins() - 1
            ELSE to_date(right(c.relname, 8), 'YYYYMMDD') END AS day
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'monitoring_intake'::regclass ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What retention did: the days dropped, and those it left because a hold covers them."""

    dropped: tuple[date, ...]
    held: tuple[date, ...]


def partitions_make() -> int:
    """Make the days ahead that are missing; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT intake_partitions_make(%s)", [DAYS_AHEAD])
        return int(cursor.fetchone()[0])


def days_kept() -> list[date]:
    """Return the days that have a partition, oldest first; all days before the partitions stand for one, the last."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        return [day for (day,) in cursor.fetchall()]


def partitions_drop(*, today: date, retention_days: int) -> Dropped:
    """Drop every day that is older than its retention. One transaction a day: each takes the log for a moment.

    Raises OperationalError where the log was busy for a second; the next run tries again.
    """
    horizon = today - timedelta(days=max(retention_days, LEAST_RETENTION_DAYS))
    verdicts = {day: _drop(day) for day in days_kept() if day < horizon}
    return Dropped(
        tuple(day for day, verdict in verdicts.items() if verdict == "dropped"),
        tuple(day for day, verdict in verdicts.items() if verdict == "held"),
    )


def _drop(day: date) -> str:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT intake_partition_drop(%s)", [day])
        return str(cursor.fetchone()[0])
