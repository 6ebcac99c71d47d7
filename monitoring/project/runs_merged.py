"""What a run looks like once one more request has spoken about its trace. Pure: rows in, rows out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from monitoring.facts import DEAD_PHASES, AttemptFact, Confidence, Phase, RunFact
from monitoring.names import fitted
from monitoring.project.money import money
from monitoring.project.plain_tries import both, plain_tries

#: Phases that describe an actual try; the others are what became of the unit afterwards.
TRY_PHASES = frozenset({Phase.OK, Phase.ERROR, Phase.RETRY_SCHEDULED, Phase.REDELIVERED, Phase.DEAD, Phase.RE_DEAD})
_WEAKEST_FIRST = (Confidence.INFERRED, Confidence.DERIVED, Confidence.DECLARED)
_MOST_SERVICES = 20
_OK = Phase.OK


class RunRow(NamedTuple):
    """One row of monitoring_run. `id`, the last, is None until the row exists."""

    trace_id: bytes
    workflow_id: int
    process_id: int | None
    site_id: int | None
    rank: int
    mapping_rule_id: int | None
    mapping_reason: str
    version: str
    status: str
    started_at: datetime
    ended_at: datetime
    root_seen: bool
    root_name: str
    error_class: str
    span_count: int
    error_count: int
    attempts: int
    retries: int
    dead_letters: int
    confidence: str
    value: float | None
    stated_due_at: datetime | None
    sla_id: int | None
    sla_due_at: datetime | None
    sla_state: str
    services: tuple[str, ...]
    intakes: tuple[int, ...]
    plain_tries: str = ""
    id: int | None = None


class Tries(NamedTuple):
    """Counts over attempt facts; a try that two spans report counts once."""

    first: int
    retries: int
    successes: int
    retry_successes: int
    dead: int

    @property
    def all(self) -> int:
        return self.first + self.retries


_NONE = Tries(0, 0, 0, 0, 0)


def count_tries(attempts: Collection[AttemptFact]) -> Tries:
    """Count tries by (unit, attempt) and dead units."""
    if not attempts:
        return _NONE
    if len({fact.unit_id for fact in attempts if fact.phase is _OK and fact.attempt == 1}) == len(attempts):
        return Tries(len(attempts), 0, len(attempts), 0, 0)
    tried: dict[tuple[str, int], bool] = {}
    dead = set()
    for fact in attempts:
        if fact.phase in DEAD_PHASES:
            dead.add(fact.unit_id)
        if fact.phase in TRY_PHASES:
            key = (fact.unit_id, fact.attempt)
            tried[key] = tried.get(key, False) or fact.phase is _OK
    retries = sum(1 for _, attempt in tried if attempt > 1)
    retry_successes = sum(1 for (_, attempt), well in tried.items() if well and attempt > 1)
    return Tries(len(tried) - retries, retries, sum(tried.values()), retry_successes, len(dead))


def fresh_row(fact: RunFact, workflow_id: int, intakes: tuple[int, ...]) -> RunRow:
    """Return the row of a trace that nobody has heard of before; `intakes` told of it."""
    tries = count_tries(fact.attempts)
    return RunRow(
        trace_id=fact.trace_id,
        workflow_id=workflow_id,
        process_id=fact.verdict.process_id,
        site_id=fact.verdict.site_id,
        rank=int(fact.identity.rank),
        mapping_rule_id=fact.verdict.rule_id,
        mapping_reason=fact.verdict.reason,
        version=fact.identity.version[:80],
        status=_status(dead=tries.dead, failed=fact.root_failed, root_seen=fact.root_seen),
        started_at=fact.started_at,
        ended_at=fact.ended_at,
        root_seen=fact.root_seen,
        root_name=fact.root_name[:300],
        error_class=fact.error_class[:200],
        span_count=fact.span_count,
        error_count=fact.error_count,
        attempts=tries.all,
        retries=tries.retries,
        dead_letters=tries.dead,
        confidence=_weakest(fact.attempts),
        value=money(fact.value),
        stated_due_at=fact.due_at,
        sla_id=None,
        sla_due_at=None,
        sla_state="none",
        services=_known_as(fact.services),
        intakes=intakes,
        plain_tries=plain_tries(fact.attempts, fact.ended_at),
    )


@lru_cache(maxsize=4096)
def _known_as(services: tuple[str, ...]) -> tuple[str, ...]:
    """The services as a row names them; a plant has few sets of them."""
    return tuple(sorted({fitted(name, 200) for name in services}))[:_MOST_SERVICES]


def merged_row(known: RunRow, fresh: RunRow) -> RunRow:
    """Return `known` with what `fresh` adds. Who the run is follows the surer of the two.

    The order in which requests arrive decides nothing but the order of `intakes`, provided that a trace states one
    site: of two that do not agree, what is kept is chosen by its value, never by its turn.
    """
    surer, other = (fresh, known) if _sureness(fresh) > _sureness(known) else (known, fresh)
    root_seen = known.root_seen or fresh.root_seen
    dead = known.dead_letters + fresh.dead_letters
    failed = "error" in (known.status, fresh.status)
    return known._replace(
        workflow_id=surer.workflow_id,
        process_id=surer.process_id,
        site_id=surer.site_id if surer.site_id is not None else other.site_id,
        rank=surer.rank,
        mapping_rule_id=surer.mapping_rule_id,
        mapping_reason=surer.mapping_reason,
        version=surer.version,
        status=_status(dead=dead, failed=failed, root_seen=root_seen),
        started_at=min(known.started_at, fresh.started_at),
        ended_at=max(known.ended_at, fresh.ended_at),
        root_seen=root_seen,
        root_name=_first_said(known.root_name, fresh.root_name),
        error_class=_first_said(known.error_class, fresh.error_class),
        span_count=known.span_count + fresh.span_count,
        error_count=known.error_count + fresh.error_count,
        attempts=known.attempts + fresh.attempts,
        retries=known.retries + fresh.retries,
        dead_letters=dead,
        confidence=_weaker(known.confidence, fresh.confidence),
        value=max((row.value for row in (known, fresh) if row.value is not None), default=None),
        stated_due_at=min((row.stated_due_at for row in (known, fresh) if row.stated_due_at), default=None),
        services=tuple(sorted({*known.services, *fresh.services}))[:_MOST_SERVICES],
        intakes=(*known.intakes, *fresh.intakes),
        plain_tries=both(known.plain_tries, fresh.plain_tries),
    )


def _sureness(row: RunRow) -> tuple[int, bool, int, str, int, int, str]:
    """By rank, then rather mapped than not; what follows only makes the choice the same in any order."""
    mapped = row.process_id is not None
    rule_id, process_id = row.mapping_rule_id or 0, row.process_id or 0
    return row.rank, mapped, -row.workflow_id, row.version, process_id, rule_id, row.mapping_reason


def _first_said(one: str, other: str) -> str:
    return min(filter(None, (one, other)), default="")


def _status(*, dead: int, failed: bool, root_seen: bool) -> str:
    if dead:
        return "dead"
    if failed:
        return "error"
    return "ok" if root_seen else "running"


def _weakest(attempts: Iterable[AttemptFact]) -> str:
    found = {fact.confidence for fact in attempts}
    return next((level.value for level in _WEAKEST_FIRST if level in found), "")


def _weaker(one: str, other: str) -> str:
    return next((level.value for level in _WEAKEST_FIRST if level.value in (one, other)), "")
