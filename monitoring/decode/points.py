"""Metric points from what either encoding says about one data point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.records import Attributes, MetricPoint, Value

from .faults import MAX_NS, time_fault
from .values import Poison

#: OTLP's DataPointFlags bit: the sender had nothing to report at this time.
NO_RECORDED_VALUE = 1


@dataclass(frozen=True, slots=True)
class Series:
    """What the points of one metric share."""

    name: str
    unit: str
    resource: Attributes


def number_point(
    series: Series, time_ns: int, value: float | None, pairs: Mapping[str, Value]
) -> tuple[MetricPoint, ...]:
    """The point of a gauge or sum; raises Poison if it can't be kept."""
    if value is None:
        raise Poison("the data point has neither asDouble nor asInt")
    _check(time_ns, value)
    return (MetricPoint(series.name, series.unit, time_ns, value, series.resource, pairs),)


def summed_points(
    series: Series, time_ns: int, count: int, total: float | None, pairs: Mapping[str, Value]
) -> tuple[MetricPoint, ...]:
    """The points `<name>.count` and, where the sender gave a sum, `<name>.sum` of a histogram or summary."""
    _check(time_ns, count)
    counted = MetricPoint(f"{series.name}.count", "1", time_ns, float(count), series.resource, pairs)
    if total is None:
        return (counted,)
    _check(time_ns, total)
    return counted, MetricPoint(f"{series.name}.sum", series.unit, time_ns, total, series.resource, pairs)


def _check(time_ns: int, value: float) -> None:
    if not 0 < time_ns <= MAX_NS:
        raise Poison(time_fault("time", time_ns))
    if not math.isfinite(value):
        raise Poison(f"the value {value} is not a number that can be kept")
