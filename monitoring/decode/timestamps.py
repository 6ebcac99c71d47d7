"""RFC 3339 timestamps as they stand in CloudEvents: any offset, any number of decimals, either case."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


def parse_rfc3339(text: str) -> datetime:
    """The instant in UTC, cut to microseconds; a leap second is the last microsecond's next second.

    Raises ValueError, saying what is wrong, for anything else than RFC 3339 between 1970 and 2200.
    """
    match = _RFC3339.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:50]!r} is not an RFC 3339 time such as 2026-11-21T08:30:00Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    leap = second == 60
    micros = int((match[7] or "")[:6].ljust(6, "0"))
    try:
        local = datetime(year, month, day, hour, minute, 59 if leap else second, micros, tzinfo=UTC)
        offset = timedelta() if match[8] else _offset(match[9], int(match[10]), int(match[11]))
        instant = local - offset + timedelta(seconds=leap)
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"{text[:50]!r} names no real instant: {fault}") from None
    if not _FIRST <= instant <= _LAST:
        raise ValueError(f"{text[:50]!r} is outside the years 1970 to 2200")
    return instant


def _offset(sign: str, hours: int, minutes: int) -> timedelta:
    if hours > 23 or minutes > 59:
        raise ValueError("the offset is beyond a day")
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if sign == "-" else offset
