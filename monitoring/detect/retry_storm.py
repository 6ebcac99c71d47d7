"""Retry storms: retries that multiply the load instead of bringing the work through.

The terms of the SRE literature: retry ratio r = retries / first attempts; amplification A = attempts for each unit;
goodput = successes / attempts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType

from monitoring.detect.impact import impact, severity
from monitoring.detect.thresholds import limit, overlaid
from monitoring.detect.titles import business_units, counted, duration, subject
from monitoring.findings import AttemptWindow, Evidence, Finding, Heed, Kind, NextStep, Severity, TrySums

_MAX_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class RetryStormThresholds:
    """When retries are worth a warning, and when they are a storm. Ratios are shares of 1."""

    min_retries: float = limit(10, "retries in the window")
    min_first_attempts: float = limit(20, "first attempts in the window")
    warn_ratio: float = limit(0.10, "retries for each first attempt")
    storm_ratio: float = limit(0.20, "retries for each first attempt")
    amplification: float = limit(2.0, "attempts for each unit")
    goodput_drop: float = limit(0.20, "points below the usual share of successes")
    retry_success: float = limit(0.20, "share of retries that succeed, at most")
    severe_amplification: float = limit(4.0, "attempts for each unit")


@dataclass(frozen=True, slots=True)
class Load:
    """The figures of one window."""

    ratio: float
    amplification: float
    goodput: float
    retry_success: float
    usual_goodput: float | None

    @property
    def goodput_drop(self) -> float:
        return 0.0 if self.usual_goodput is None else self.usual_goodput - self.goodput


@dataclass(frozen=True, slots=True)
class StormVerdict:
    """What a window is: `calm`, `warning` or `storm`, and why."""

    level: str
    reasons: tuple[str, ...]


class RetryStorm:
    """One finding for each workflow while the storm lasts; `count` is 1, one more window in which it shows."""

    kind = Kind.RETRY_STORM
    window = AttemptWindow

    def heeds(self, sums: TrySums, earlier: float, thresholds: Mapping[str, float]) -> Heed:
        """Say what `judge` can find in a window with these sums, whatever else it holds: of a storm it has to see all,
        of a warning some examples."""
        limits = overlaid(RetryStormThresholds(), thresholds)
        first, retries, successes, retry_successes = sums
        if retries < limits.min_retries and first < limits.min_first_attempts:
            return Heed.NOTHING
        # Units can only lower the amplification, and goodput is never usually above 1.
        storm = sums.ratio > limits.storm_ratio and (
            1 + sums.ratio >= limits.amplification
            or 1 - successes / (first + retries) >= limits.goodput_drop
            or retry_successes <= limits.retry_success * retries
        )
        if not first or storm:
            return Heed.WHOLE
        return Heed.NEWEST if sums.ratio > limits.warn_ratio and earlier > limits.warn_ratio else Heed.NOTHING

    def examine(self, window: AttemptWindow, thresholds: Mapping[str, float]) -> tuple[Finding, ...]:
        limits = overlaid(RetryStormThresholds(), thresholds)
        load = load_of(window)
        verdict = judge(window, load, limits)
        if verdict.level == "calm":
            return ()
        # The orders of the worst units say nothing of how many there are.
        kind, known = business_units(window.keys if window.complete else ())
        storm = verdict.level == "storm"
        return (
            Finding(
                kind=self.kind,
                severity=_severity(window, load, limits) if storm else Severity.LOW,
                title=_title(window, load, storm=storm),
                fingerprint=f"retry_storm:{window.workflow.id}:{window.process.id or 0}",
                occurred_at=window.ended_at,
                count=1,
                workflow_id=window.workflow.id,
                process_id=window.process.id,
                reason=_reason(window, verdict, limits),
                figures=MappingProxyType({
                    "level": verdict.level,
                    "first_attempts": window.first_attempts,
                    "retries": window.retries,
                    "units": window.units,
                    "retry_ratio": round(load.ratio, 3),
                    "amplification": round(load.amplification, 2),
                    "goodput": round(load.goodput, 3),
                    "retry_success": round(load.retry_success, 3),
                }),
                evidence=tuple(_evidence(window))[:_MAX_EVIDENCE],
                impact=impact(window.process, unit_kind=kind, unit_count=known or window.units),
                next_step=_next_step(window),
                keys=window.keys,
            ),
        )  # fmt: skip


def load_of(window: AttemptWindow) -> Load:
    """The window's figures. A storm outlives its first attempts, so units count as well as first attempts."""
    attempts = window.first_attempts + window.retries
    begun = max(window.first_attempts, window.units, 1)
    usual = window.baseline_ratio
    return Load(
        ratio=window.retries / max(window.first_attempts, 1) if window.first_attempts else window.retries / begun,
        amplification=attempts / begun,
        goodput=window.successes / attempts if attempts else 1.0,
        retry_success=window.retry_successes / window.retries if window.retries else 1.0,
        # When every unit comes through in the end, a retry ratio r leaves a goodput of 1 / (1 + r).
        usual_goodput=None if usual is None else 1 / (1 + max(0.0, usual)),
    )


def judge(window: AttemptWindow, load: Load, limits: RetryStormThresholds) -> StormVerdict:
    """Whether this is a storm. Too few attempts to judge are calm, whatever their ratio."""
    if window.retries < limits.min_retries and window.first_attempts < limits.min_first_attempts:
        return StormVerdict("calm", ("too few attempts to judge",))
    if load.ratio <= limits.warn_ratio:
        return StormVerdict("calm", (f"retry ratio {load.ratio:.0%} is within {limits.warn_ratio:.0%}",))
    reasons = tuple(_storm_reasons(load, limits)) if load.ratio > limits.storm_ratio else ()
    if reasons:
        return StormVerdict("storm", reasons)
    if window.earlier[:1] and window.earlier[0] > limits.warn_ratio:
        why = f"retry ratio {load.ratio:.0%}, {window.earlier[0]:.0%} before; threshold {limits.warn_ratio:.0%} twice"
        return StormVerdict("warning", (why,))
    return StormVerdict("calm", ("a single window above the warning threshold",))


def _storm_reasons(load: Load, limits: RetryStormThresholds) -> Iterator[str]:
    if load.amplification >= limits.amplification:
        yield f"{load.amplification:.1f} attempts for each unit, threshold {limits.amplification:.1f}"
    if load.usual_goodput is not None and load.goodput_drop >= limits.goodput_drop:
        yield (
            f"{load.goodput:.0%} of attempts succeed, usually {load.usual_goodput:.0%}, "
            f"threshold {limits.goodput_drop:.0%} below"
        )
    if load.retry_success <= limits.retry_success:
        yield f"{load.retry_success:.0%} of retries succeed, threshold {limits.retry_success:.0%}"


def _severity(window: AttemptWindow, load: Load, limits: RetryStormThresholds) -> Severity:
    severe = load.amplification >= limits.severe_amplification
    mild = load.amplification < limits.amplification
    return severity(window.process, raised=(severe,), lowered=(mild,))


def _title(window: AttemptWindow, load: Load, *, storm: bool) -> str:
    name = subject(window.workflow, window.process)
    if not storm:
        return f"{name}: retries are rising, {window.retries} on {window.first_attempts} first attempts"
    return f"{name}: retry storm, {load.amplification:.1f} attempts for each unit, {load.goodput:.0%} succeed"


def _reason(window: AttemptWindow, verdict: StormVerdict, limits: RetryStormThresholds) -> str:
    length = duration((window.ended_at - window.started_at).total_seconds())
    # A storm outlives its first attempts: then the units that are being retried say more.
    outlived = window.units > window.first_attempts
    of_what = f"of {window.units} units" if outlived else f"on {window.first_attempts} first attempts"
    figures = f"{window.retries} retries {of_what} in {length}"
    error = _commonest(window)
    cause = f"; most often {error[0]} ({error[1]})" if error else ""
    lasting = sum(1 for _ in takewhile(lambda ratio: ratio > limits.storm_ratio, window.earlier))
    since = f"; above {limits.storm_ratio:.0%} in the {counted(lasting, 'window')} before too" if lasting else ""
    return f"{figures}: {'; '.join(verdict.reasons)}{cause}{since}"


def _commonest(window: AttemptWindow) -> tuple[str, int] | None:
    found = max(window.errors.items(), key=lambda item: (item[1], item[0]), default=None)
    return found if found is not None and found[0] else None


def _evidence(window: AttemptWindow) -> Iterator[Evidence]:
    shares = ", ".join(f"{units} with {tries}" for tries, units in sorted(window.units_by_attempts.items()))
    for place, run_id in enumerate(window.run_ids):
        yield Evidence("run", str(run_id), f"units by attempts: {shares}" if place == 0 and shares else "")


def _next_step(window: AttemptWindow) -> NextStep:
    error = _commonest(window)
    cause = f"the cause of {error[0]}" if error else "the failing call in its latest run"
    text = f"Pause the trigger or lower its retry limit, then find {cause}: more attempts only add load."
    return NextStep(text, "open_run")
