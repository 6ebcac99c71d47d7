"""Shift patterns: how busy a plant is at a moment of its own local time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Shifts:
    """Activity in each shift (early 6-14, late 14-22, night 22-6 local time) against a full one, and at weekends."""

    early: float = 1.0
    late: float = 0.8
    night: float = 0.3
    saturday: float = 0.4
    sunday: float = 0.08


def activity(shifts: Shifts, local: datetime) -> float:
    """How busy the plant is, 0 to 1. The night after Friday still belongs to Friday."""
    working_day = (local - timedelta(hours=6)).weekday()
    day = {5: shifts.saturday, 6: shifts.sunday}.get(working_day, 1.0)
    if 6 <= local.hour < 14:
        return day * shifts.early
    return day * (shifts.late if 14 <= local.hour < 22 else shifts.night)


def hours(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The starts of the hours of a local day in UTC: 23 or 25 of them where the clocks change."""
    at = datetime.combine(day, time(), zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    while at < end:
        yield at
        at += _HOUR


def weighted_hours(shifts: Shifts, day: date, zone: ZoneInfo) -> list[tuple[datetime, float]]:
    """Each hour of a local day with the activity in it."""
    return [(at, activity(shifts, at.astimezone(zone))) for at in hours(day, zone)]
