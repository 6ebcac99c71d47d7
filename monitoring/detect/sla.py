"""SLA breaches: how much of a promise's time is used, and which runs broke it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from monitoring.detect.impact import SlaStand, impact, severity
from monitoring.detect.thresholds import limit, overlaid
from monitoring.detect.titles import business_units, duration, subject
from monitoring.findings import Evidence, Finding, Kind, NextStep, SlaWindow


@dataclass(frozen=True, slots=True)
class SlaThresholds:
    """From which share of its time on a promise is at risk, and how late a breach is severe."""

    at_risk_share: float = limit(0.75, "share of the time used")
    severe_lateness: float = limit(1.0, "lateness as a share of the time that was promised")


@dataclass(frozen=True, slots=True)
class SlaVerdict:
    """How one promise stands: `met`, `running`, `at_risk` or `breached`, with the figures and the reason."""

    state: str
    share_used: float
    seconds_left: float
    reason: str


class SlaBreach:
    """One finding for each workflow, process and kind of promise; every further run that breaks it adds one."""

    kind = Kind.SLA_BREACH
    window = SlaWindow

    def examine(self, window: SlaWindow, thresholds: Mapping[str, float]) -> tuple[Finding, ...]:
        limits = overlaid(SlaThresholds(), thresholds)
        verdict = stand(window, limits)
        if verdict.state != "breached":
            return ()
        kind, known = business_units(window.keys)
        late = -verdict.seconds_left
        promised = (window.due_at - window.started_at).total_seconds()
        return (
            Finding(
                kind=self.kind,
                severity=severity(window.process, raised=(0 < promised * limits.severe_lateness <= late,)),
                title=_title(window, late),
                fingerprint=f"sla_breach:{window.workflow.id}:{window.process.id}:{window.sla_kind}",
                occurred_at=window.ended_at or window.now,
                count=1,
                workflow_id=window.workflow.id,
                process_id=window.process.id,
                reason=verdict.reason,
                figures=MappingProxyType({
                    "seconds_late": round(late),
                    "seconds_promised": round(promised),
                    "share_used": round(verdict.share_used, 3),
                    "sla_kind": window.sla_kind,
                }),
                evidence=_evidence(window),
                impact=impact(
                    window.process,
                    unit_kind=kind,
                    unit_count=known or 1,
                    sla=SlaStand(verdict.share_used, verdict.seconds_left),
                ),
                next_step=_next_step(window),
                keys=window.keys,
                sla_id=window.process.sla_id,
            ),
        )  # fmt: skip


def stand(window: SlaWindow, limits: SlaThresholds | None = None) -> SlaVerdict:
    """How the promise stands at the run's end, or now while it runs. Ending exactly on time meets it."""
    seen_at = window.ended_at or window.now
    left = (window.due_at - seen_at).total_seconds()
    promised = (window.due_at - window.started_at).total_seconds()
    used = (seen_at - window.started_at).total_seconds() / promised if promised > 0 else float(left <= 0)
    return at_risk(
        share_used=used, seconds_left=left, ended=window.ended_at is not None, name=_name(window), limits=limits
    )


def at_risk(
    *, share_used: float, seconds_left: float, ended: bool, name: str = "The SLA", limits: SlaThresholds | None = None
) -> SlaVerdict:
    """The verdict on a promise by the share of its time that is used and the seconds that are left of it."""
    bounds = limits or SlaThresholds()
    if seconds_left < 0:
        how = "ended" if ended else "still runs"
        return SlaVerdict(
            "breached", share_used, seconds_left, f"{name}: {how} {duration(seconds_left)} after it was due"
        )
    left = f"{duration(seconds_left)} left, {share_used:.0%} of the time used"
    if ended:
        return SlaVerdict("met", share_used, seconds_left, f"{name}: ended in time, {left}")
    if share_used >= bounds.at_risk_share:
        reason = f"{name}: {left}, threshold {bounds.at_risk_share:.0%}"
        return SlaVerdict("at_risk", share_used, seconds_left, reason)
    return SlaVerdict("running", share_used, seconds_left, f"{name}: {left}")


def _name(window: SlaWindow) -> str:
    return window.process.sla_name or "The SLA"


def _title(window: SlaWindow, late: float) -> str:
    name = subject(window.workflow, window.process)
    key = next((f"{key.type} {key.value}" for key in window.keys), "a run")
    how = "ended" if window.ended_at else "still open"
    return f"{name}: {key} {how}, {duration(late)} past the due time"


def _evidence(window: SlaWindow) -> tuple[Evidence, ...]:
    due = Evidence("run", str(window.run_id), f"due {window.due_at.isoformat(timespec='seconds')}")
    if window.process.sla_id is None:
        return (due,)
    return due, Evidence("sla", str(window.process.sla_id), window.process.sla_name)


def _next_step(window: SlaWindow) -> NextStep:
    if window.ended_at is None:
        return NextStep("Open the run and see which step it stands at; tell whoever waits for it.", "open_run")
    return NextStep("Open the run, find the step that took the time, and note the cause on the alert.", "open_run")
