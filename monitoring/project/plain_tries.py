"""First tries that went well: counted by minute on the run or event that tells of them, never kept one by one. Pure.

Written as text, `29734567:2 29734568:1`: minutes since 1970 and how many tries ended in each. What a row counts for is
so a function of the row alone, and can be taken back when the row changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from monitoring.facts import AttemptFact, Phase

_OK = Phase.OK


def sorted_out(attempts: Sequence[AttemptFact]) -> tuple[list[AttemptFact], list[AttemptFact]]:
    """Return the facts about units that went well at once, and those about all other units, of one run or event."""
    if not attempts:
        return [], []
    troubled = {fact.unit_id for fact in attempts if fact.phase is not _OK or fact.attempt > 1}
    if not troubled:
        return list(attempts), []
    plain = [fact for fact in attempts if fact.unit_id not in troubled]
    return plain, [fact for fact in attempts if fact.unit_id in troubled]


def plain_tries(attempts: Sequence[AttemptFact], otherwise: datetime) -> str:
    """Return the plain tries among a run's or event's facts; `otherwise` is the time of those that state none."""
    if not attempts:
        return ""
    firsts: dict[tuple[str, int], datetime] = {}
    for fact in sorted_out(attempts)[0]:
        key, at = (fact.unit_id, fact.attempt), fact.ended_at or fact.started_at or otherwise
        firsts[key] = min(at, firsts.get(key, at))
    return _written(Counter(int(at.timestamp()) // 60 for at in firsts.values()))


def both(one: str, other: str) -> str:
    """Return the sum of two such texts."""
    if not one or not other:
        return one or other
    return _written(Counter(dict(_read(one))) + Counter(dict(_read(other))))


@lru_cache(maxsize=1024)
def by_minute(text: str) -> tuple[tuple[datetime, int], ...]:
    """Return each minute and the tries that ended in it. The runs of one time say the same."""
    return tuple((datetime.fromtimestamp(minute * 60, UTC), count) for minute, count in _read(text))


def _read(text: str) -> Iterable[tuple[int, int]]:
    for part in text.split():
        minute, _, count = part.partition(":")
        yield int(minute), int(count)


def _written(counts: Counter[int]) -> str:
    return " ".join(f"{minute}:{count}" for minute, count in sorted(counts.items()))
