"""All detectors by the window they look at; governance and others add their own when they load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from monitoring.detect.dead_letter import DeadLetter
from monitoring.detect.retry_storm import RetryStorm
from monitoring.detect.sla import SlaBreach
from monitoring.detect.unmapped import Unmapped
from monitoring.findings import AttemptWindow, Finding, Heed, Kind, TrySums

W_contra = TypeVar("W_contra", contravariant=True)
_NONE: Mapping[str, float] = MappingProxyType({})


class Detector(Protocol[W_contra]):
    """A pure judge of one kind of window. `window` is the class it looks at, `kind` whose thresholds it takes."""

    kind: Kind
    window: type[Any]

    def examine(self, window: W_contra, thresholds: Mapping[str, float]) -> tuple[Finding, ...]: ...


BUILT_IN: tuple[Detector[Any], ...] = (DeadLetter(), RetryStorm(), SlaBreach(), Unmapped())
_added: list[Detector[Any]] = []


def register(detector: Detector[Any]) -> None:
    """Adds a detector to those that run; adding one of the same class again changes nothing."""
    if all(type(known) is not type(detector) for known in (*BUILT_IN, *_added)):
        _added.append(detector)


def detectors_for(window: object) -> tuple[Detector[Any], ...]:
    """The detectors that look at windows of this class, built-in ones first."""
    return tuple(detector for detector in (*BUILT_IN, *_added) if isinstance(window, detector.window))


def heeds_tries(thresholds: Mapping[str, Mapping[str, float]]) -> Callable[[TrySums, float], Heed]:
    """Say of a window's sums and the ratio of the one before how much of it the detectors have to see.

    A detector that has no `heeds(sums, earlier, thresholds)` sees every window whole.
    """
    asked = [
        (getattr(detector, "heeds", None), thresholds.get(detector.kind, _NONE))
        for detector in (*BUILT_IN, *_added)
        if issubclass(AttemptWindow, detector.window)
    ]

    def heeded(sums: TrySums, earlier: float) -> Heed:
        most = (heeds(sums, earlier, limits) if heeds else Heed.WHOLE for heeds, limits in asked)
        return max(most, default=Heed.NOTHING)

    return heeded


def examine(window: object, thresholds: Mapping[str, Mapping[str, float]]) -> tuple[Finding, ...]:
    """What all detectors conclude from one window; `thresholds` by kind, as the catalogue holds them."""
    return tuple(
        finding
        for detector in detectors_for(window)
        for finding in detector.examine(window, thresholds.get(detector.kind, _NONE))
    )
