"""Business impact: a sum of parts that a person can follow, and the priority that the sum gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitoring.detect.thresholds import limit, overlaid
from monitoring.detect.titles import counted, duration
from monitoring.findings import Impact, ImpactPart, ProcessFacts, Severity

_CRITICALITY = {"critical": 45, "high": 30, "normal": 15, "low": 5}
_UNKNOWN_CRITICALITY = 10
_LOUDEST_FIRST = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_SEVERITY = {
    "critical": Severity.CRITICAL, "high": Severity.HIGH, "normal": Severity.MEDIUM, "low": Severity.LOW,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PriorityLimits:
    """From which score on an alert is P1, P2, P3; below the last it is P4."""

    p1: float = limit(70, "points")
    p2: float = limit(45, "points")
    p3: float = limit(25, "points")


@dataclass(frozen=True, slots=True)
class SlaStand:
    """How a promise stands: the share of its time that is used, and the seconds left (negative: overdue)."""

    share_used: float
    seconds_left: float


def impact(
    process: ProcessFacts,
    *,
    unit_kind: str,
    unit_count: int,
    sla: SlaStand | None = None,
    value: float | None = None,
    limits: Mapping[str, float] | None = None,
) -> Impact:
    """The impact of one finding: at most 45 for criticality, 20 for units, 15 for the SLA, 10 each for rules and money.

    `value` is money at stake where a source states it; else what the process costs for each hour overdue counts.
    """
    parts = tuple(
        part
        for part in (
            _criticality(process),
            _units(unit_kind, unit_count),
            _sla(sla, process),
            _regulated(process),
            _money(process, sla, value),
        )
        if part is not None
    )
    score = min(100, max(0, sum(part.points for part in parts)))
    return Impact(score, _priority(score, overlaid(PriorityLimits(), limits or {})), parts)


def severity(process: ProcessFacts, *, raised: Iterable[bool] = (), lowered: Iterable[bool] = ()) -> Severity:
    """The severity of the process's criticality, one louder for each reason in `raised`, one quieter in `lowered`."""
    base = _LOUDEST_FIRST.index(_SEVERITY.get(process.criticality, Severity.MEDIUM) if process.id else Severity.MEDIUM)
    place = base - sum(raised) + sum(lowered)
    return _LOUDEST_FIRST[min(len(_LOUDEST_FIRST) - 1, max(0, place))]


def _priority(score: int, limits: PriorityLimits) -> str:
    if score >= limits.p1:
        return "P1"
    if score >= limits.p2:
        return "P2"
    return "P3" if score >= limits.p3 else "P4"


def _criticality(process: ProcessFacts) -> ImpactPart:
    if process.id is None:
        why = "nobody has said yet which process this automation serves"
        return ImpactPart("Criticality", _UNKNOWN_CRITICALITY, why)
    points = _CRITICALITY.get(process.criticality, _UNKNOWN_CRITICALITY)
    return ImpactPart("Criticality", points, f"{process.name} is rated {process.criticality}")


def _units(kind: str, count: int) -> ImpactPart | None:
    if count <= 0:
        return None
    points = next(points for least, points in ((20, 20), (5, 15), (2, 10), (1, 5)) if count >= least)
    return ImpactPart("Units hit", points, f"{counted(count, kind)} hit")


def _sla(sla: SlaStand | None, process: ProcessFacts) -> ImpactPart | None:
    if sla is None:
        return None
    name = process.sla_name or "the SLA"
    if sla.seconds_left < 0:
        return ImpactPart("SLA", 15, f"{name} was missed {duration(sla.seconds_left)} ago")
    left = f"{duration(sla.seconds_left)} left of {name}, {sla.share_used:.0%} used"
    if sla.share_used >= 0.9:
        return ImpactPart("SLA", 12, left)
    if sla.share_used >= 0.5:
        return ImpactPart("SLA", 8, left)
    return ImpactPart("SLA", 3, left)


def _regulated(process: ProcessFacts) -> ImpactPart | None:
    return ImpactPart("Regulated", 10, f"{process.name} is under regulation") if process.regulated else None


def _money(process: ProcessFacts, sla: SlaStand | None, value: float | None) -> ImpactPart | None:
    if value is not None and value > 0:
        return ImpactPart("Money at stake", _money_points(value), f"{value:,.0f} stated by the source")
    if process.cost_per_hour is None or process.cost_per_hour <= 0:
        return None
    # Without an overdue promise, one hour stands for the time until somebody acts.
    hours = max(1.0, -sla.seconds_left / 3_600) if sla is not None else 1.0
    lost = process.cost_per_hour * hours
    return ImpactPart("Money at stake", _money_points(lost), f"{process.cost_per_hour:,.0f} an hour for {hours:.1f} h")


def _money_points(amount: float) -> int:
    return next((points for least, points in ((100_000, 10), (10_000, 8), (1_000, 5)) if amount >= least), 2)
