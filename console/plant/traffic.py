"""The schedule: which runs start when. The same seed gives the same plans for the same time, asked for in any pieces.

There are two schedules. The usual one is what a plant of this size does, and fills the past. The dense one is the same
plant watched through a magnifying glass, so that a person who looks at the console sees something happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from console.plant.faults import EXTRA_RUNS, Fault, FaultKind
from console.plant.flows.registry import FLOWS
from console.plant.plan import DENSE, Plan
from console.plant.plants import Plant
from console.plant.randomness import poisson, stream
from console.plant.shifts import activity, weighted_hours

SLOT_S = 15
#: How likely a run of a flow is in a slot of the dense schedule at full activity, for one run a day of the usual one.
_DENSITY = 1 / 60
#: A demo is watched at any hour, so no plant sleeps altogether in the dense schedule.
_LEAST_ACTIVITY = 0.7
#: A working plant has trouble on about every third day.
_FAULTS_PER_DAY = 0.35
#: Numbers of runs that faults add, apart from those of the day and of the slots.
_EXTRA = 700
_PERIOD = timedelta(minutes=4)
#: Whoever watches should see a fault end as well.
_REPAIRED_SOON_S = 480.0
#: What happened in the past was dealt with, and a run that never ended can't be.
_PAST = {
    FaultKind.DEAD_LETTER: 8,
    FaultKind.RETRY_STORM: 3,
    FaultKind.API_TIMEOUT: 4,
    FaultKind.DUPLICATE_RECEIPT: 3,
    FaultKind.SLOW_STEP: 5,
    FaultKind.SILENT_SOURCE: 1,
}
_LIVELY = {
    FaultKind.DEAD_LETTER: 9,
    FaultKind.RETRY_STORM: 4,
    FaultKind.API_TIMEOUT: 4,
    FaultKind.SLOW_STEP: 4,
    FaultKind.DUPLICATE_RECEIPT: 2,
    FaultKind.STUCK_RUN: 1,
    FaultKind.SILENT_SOURCE: 1,
}


def usual(plants: Sequence[Plant], since: datetime, until: datetime, seed: int) -> list[Plan]:
    """The runs of the usual schedule that start in [since, until), in order of time."""
    plans: list[Plan] = []
    for plant in plants:
        day = since.astimezone(plant.zone).date()
        while day <= until.astimezone(plant.zone).date():
            plans += [plan for plan in day_plans(plant, day, seed) if since <= plan.started_at < until]
            day += timedelta(days=1)
    return sorted(plans, key=_order)


def dense(plants: Sequence[Plant], since: datetime, until: datetime, seed: int) -> list[Plan]:
    """The runs of the dense schedule that start in [since, until), in order of time."""
    first = int(since.timestamp()) // SLOT_S
    last = int(until.timestamp()) // SLOT_S
    plans = [
        plan for slot in range(first, last + 1) for plant in plants for plan in _slot_plans(plants, plant, slot, seed)
    ]
    period = _period_start(since) - _PERIOD
    while period < until:
        if fault := period_fault(plants, period, seed):
            plans += _extra(fault, seed)
        period += _PERIOD
    return sorted((plan for plan in plans if since <= plan.started_at < until), key=_order)


def day_plans(plant: Plant, day: date, seed: int) -> list[Plan]:
    """The runs of one local day of one plant, faults included."""
    faults = list(day_faults(plant, day, seed))
    plans = [plan for fault in faults for plan in _extra(fault, seed)]
    weights = weighted_hours(plant.shifts, day, plant.zone)
    starts, loads = [at for at, _ in weights], [load for _, load in weights]
    full_day = 8 * (plant.shifts.early + plant.shifts.late + plant.shifts.night)
    for flow, per_day in plant.per_day.items():
        rng = stream(seed, plant.slug, flow, day)
        count = poisson(rng, per_day * sum(loads) / full_day) if sum(loads) else 0
        hours = rng.choices(starts, loads, k=count) if count else []
        times = sorted(at + timedelta(seconds=rng.uniform(0, 3600)) for at in hours)
        for number, at in enumerate(times):
            plan = Plan(plant.slug, flow, at, number, f"{plant.slug}/{flow}/{day}/{number}", per_day)
            plans += _met(plan, faults, seed)
    return plans


def day_faults(plant: Plant, day: date, seed: int) -> Iterator[Fault]:
    """The faults of one local day of one plant."""
    rng = stream(seed, plant.slug, day, "faults")
    for _ in range(poisson(rng, _FAULTS_PER_DAY)):
        kind = rng.choices(list(_PAST), list(_PAST.values()))[0]
        early = datetime(day.year, day.month, day.day, 6, tzinfo=plant.zone).astimezone(UTC)
        since = early + timedelta(seconds=rng.uniform(0, 14 * 3600))
        until = since + timedelta(minutes=rng.uniform(10, 40))
        if fault := _fault(rng, kind, plant, since, until):
            yield fault


def period_fault(plants: Sequence[Plant], start: datetime, seed: int) -> Fault | None:
    """The fault of one period of the dense schedule, on one flow of one of the plants."""
    rng = stream(seed, "period", start.isoformat(), *(plant.slug for plant in plants))
    kind = rng.choices(list(_LIVELY), list(_LIVELY.values()))[0]
    since = start + timedelta(seconds=rng.uniform(0, 60))
    fault = _fault(rng, kind, rng.choice(list(plants)), since, since + timedelta(seconds=rng.uniform(100, 170)))
    return replace(fault, repaired_s=_REPAIRED_SOON_S) if fault else None


def _slot_plans(plants: Sequence[Plant], plant: Plant, slot: int, seed: int) -> Iterator[Plan]:
    start = datetime.fromtimestamp(slot * SLOT_S, UTC)
    load = max(_LEAST_ACTIVITY, activity(plant.shifts, start.astimezone(plant.zone)))
    rng = stream(seed, plant.slug, "slot", slot)
    number = DENSE + (slot * SLOT_S % 86_400) // SLOT_S
    period = _period_start(start)
    faults = [
        fault
        for at in (period - _PERIOD, period)
        if (fault := period_fault(plants, at, seed)) and fault.plant == plant.slug
    ]
    for flow, per_day in plant.per_day.items():
        # One run of a flow in a slot at most, so that the slot's number is the order's.
        if rng.random() < load * per_day * _DENSITY:
            at = start + timedelta(seconds=rng.uniform(0, SLOT_S))
            yield from _met(
                Plan(plant.slug, flow, at, number, f"{plant.slug}/{flow}/slot/{slot}", per_day), faults, seed
            )


def _met(plan: Plan, faults: Sequence[Fault], seed: int) -> Iterator[Plan]:
    """The plan as the fault of its time leaves it, if it meets one."""
    fault = next((fault for fault in faults if fault.covers(plan.flow, plan.started_at)), None)
    if fault is None:
        yield plan
    elif not fault.silences:
        yield replace(plan, outcome=fault.outcome(stream(seed, plan.token, "outcome")))


def _extra(fault: Fault, seed: int) -> Iterator[Plan]:
    """The runs that a fault sends on top, spread over its window."""
    span = (fault.until - fault.since).total_seconds()
    for number in range(fault.runs):
        token = f"{fault.plant}/{fault.flow}/{fault.kind}/{fault.since.isoformat()}/{number}"
        rng = stream(seed, token, "outcome")
        at = fault.since + timedelta(seconds=span * (number + rng.random()) / fault.runs)
        yield Plan(fault.plant, fault.flow, at, _EXTRA + number, token, outcome=fault.outcome(rng))


def _fault(rng: Random, kind: FaultKind, plant: Plant, since: datetime, until: datetime) -> Fault | None:
    flows = [flow for flow in plant.per_day if kind in FLOWS[flow].faults]
    if not flows:
        return None
    least, most = EXTRA_RUNS[kind]
    return Fault(kind, plant.slug, rng.choice(flows), since, until, rng.randint(least, most), rng.randrange(6))


def _period_start(at: datetime) -> datetime:
    seconds = _PERIOD.total_seconds()
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)


def _order(plan: Plan) -> tuple[datetime, str]:
    return plan.started_at, plan.token
