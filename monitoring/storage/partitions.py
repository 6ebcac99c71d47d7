"""The days of the log: made ahead, and dropped once they are older than their retention and no legal hold covers them.

Making and dropping run as functions of the tables' owner, because the app owns nothing. The second one looks for holds
of all tenants itself, whatever its caller says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

#: Days that stand ready when beat stops; a request that finds none makes its own.
DAYS_AHEAD = 7
#: The database refuses to drop anything younger, so a shorter retention would be a promise not kept.
LEAST_RETENTION_DAYS = 7

_DAYS = """
SELECT intake_log_begins(), c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'monitoring_intake'::regclass ORDER BY c.relname
"""
_BEFORE = "monitoring_intake_before"


@dataclass(frozen=True, slots=True)
class DaysKept:
    """The days that have a partition, oldest first, and the day before which all are kept together, if they still are.

    `before` is the day from which on the log has partitions.
    """

    days: tuple[date, ...]
    before: date | None

    def has(self, day: date) -> bool:
        """Say whether what was received on a day is kept."""
        return day in self.days or (self.before is not None and day < self.before)


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


def days_kept() -> DaysKept:
    """Read which days are kept."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        found = cursor.fetchall()
    days = (datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date() for _, name in found if name != _BEFORE)
    return DaysKept(tuple(days), next((begins for begins, name in found if name == _BEFORE), None))


def partitions_drop(*, today: date, retention_days: int) -> Dropped:
    """Drop every day that is older than its retention. One transaction a day: each takes the log for a moment.

    Raises OperationalError where the log was busy for a second; the next run tries again.
    """
    horizon = today - timedelta(days=max(retention_days, LEAST_RETENTION_DAYS))
    kept = days_kept()
    # The days from before the partitions go together, with the last of them.
    together = (kept.before - timedelta(days=1),) if kept.before else ()
    verdicts = {day: _drop(day) for day in (*together, *kept.days) if day < horizon}
    return Dropped(
        tuple(day for day, verdict in verdicts.items() if verdict == "dropped"),
        tuple(day for day, verdict in verdicts.items() if verdict == "held"),
    )


def _drop(day: date) -> str:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT intake_partition_drop(%s)", [day])
        return str(cursor.fetchone()[0])
