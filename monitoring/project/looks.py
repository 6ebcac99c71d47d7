"""When a window of retries is read in whole: again once enough has changed, or enough time has passed.

Reading a window costs as much as it holds. Read with every request, a storm would cost the square of its length, and
would be at its most expensive when there is most to do. So an alert's figures may be a third behind while a storm
builds up, a tenth after ten seconds; and a storm that goes on unchanged is seen to do so each minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from django.db import transaction

from monitoring.findings import TrySums

#: Tenant, workflow and process.
Place: TypeAlias = tuple[int, int, int | None]

#: Places remembered in one process. Forgetting them costs one look more at each.
_MOST = 20_000
_HALF, _TENTH = 2, 10
_SOON, _AGAIN = timedelta(seconds=10), timedelta(seconds=60)


class Look(NamedTuple):
    """What was in a window, which one it was, and when it was looked at."""

    sums: TrySums
    end: datetime
    at: datetime


_last: dict[Place, Look] = {}


def is_due(place: Place, look: Look) -> bool:
    """Whether to take this look after the last one there; it counts as taken once its transaction is committed."""
    known = _last.get(place)
    if known is not None and not _is_news(known, look):
        return False
    transaction.on_commit(lambda: _remember(place, look))
    return True


def _is_news(known: Look, look: Look) -> bool:
    passed = look.at - known.at
    # Windows end each minute. One of another hour has nothing to do with the last one.
    if passed >= _AGAIN or abs(look.end - known.end) > _AGAIN:
        return True
    part = _TENTH if passed >= _SOON else _HALF
    return _differs(known.sums.retries, look.sums.retries, part) or _differs(_all(known.sums), _all(look.sums), part)


def _all(sums: TrySums) -> int:
    return sums.first_attempts + sums.retries


def _differs(known: int, now: int, part: int) -> bool:
    return abs(now - known) * part >= max(known, 1)


def _remember(place: Place, look: Look) -> None:
    if len(_last) >= _MOST:
        _last.clear()
    _last[place] = look
