"""What the console must show for a set of stored requests: every derived counter, from the plans alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bench.campaign.plans import DURATION_MS, EVENT_KINDS, SHAPES, Plan

#: Minute of event time and name of a counter.
Figure = tuple[datetime, str]


@dataclass(slots=True)
class Expected:
    """One tenant's figures. A run is (spans, attempts, retries, dead letters) by trace id."""

    runs: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    minutes: Counter[Figure] = field(default_factory=Counter)
    attempts: int = 0
    dead_letters: set[str] = field(default_factory=set)
    alerts: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    items: int = 0
    rejected: int = 0


def expected(plans: Iterable[Plan]) -> dict[int, Expected]:
    """Return what each tenant must show if exactly these requests are stored."""
    tenants: dict[int, Expected] = defaultdict(Expected)
    for plan in plans:
        own = tenants[plan.tenant]
        own.requests += 1
        own.items += plan.items - plan.rejected
        own.rejected += plan.rejected
        if plan.kind in EVENT_KINDS:
            own.events |= {f"{plan.stamp}:{number:03d}" for number in range(plan.items)}
            own.minutes[plan.minute, "events"] += plan.items
        elif plan.kind != "again":
            # What is told again is known by its span ids and changes nothing.
            _add_runs(own, plan)
    return tenants


def _add_runs(own: Expected, plan: Plan) -> None:
    spans, traces = SHAPES[plan.kind]
    is_dead, tries = plan.kind == "dead", 2 if plan.kind in ("dead", "retry") else 0
    for number in range(traces):
        name = plan.trace_id(number).hex()
        known = own.runs.get(name, (0, 0, 0, 0))
        said = (spans - plan.rejected, tries, tries // 2, int(is_dead))
        own.runs[name] = (known[0] + said[0], known[1] + said[1], known[2] + said[2], known[3] + said[3])
        if plan.kind != "tail":
            _add_root(own, plan)
    own.attempts += tries
    if is_dead:
        own.dead_letters.add(plan.stamp)
        own.alerts[plan.error_class] += 1


def _add_root(own: Expected, plan: Plan) -> None:
    """A run counts with its root; each has made a first try."""
    is_dead, is_retry = plan.kind == "dead", plan.kind == "retry"
    figures = {
        "runs": 1, "failed": int(is_dead), "duration_ms": DURATION_MS, "first_attempts": 1,
        "retries": int(is_dead or is_retry), "successes": int(not is_dead), "retry_successes": int(is_retry),
        "dead_letters": int(is_dead),
    }  # fmt: skip
    for name, figure in figures.items():
        own.minutes[plan.minute, name] += figure
