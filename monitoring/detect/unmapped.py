"""Unmapped automations: work that runs while nobody has said which process it serves or who answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from monitoring.detect.impact import impact
from monitoring.detect.thresholds import limit, overlaid
from monitoring.detect.titles import counted
from monitoring.findings import Evidence, Finding, Kind, NextStep, ProcessFacts, Severity, UnmappedWindow

_NO_PROCESS = ProcessFacts(id=None, name="", criticality="", owner="")


@dataclass(frozen=True, slots=True)
class UnmappedThresholds:
    """How often an unmapped automation may run before it is more than a note."""

    busy: float = limit(100, "runs and events seen")


class Unmapped:
    """One finding for each automation that no mapping rule and no person ties to a process."""

    kind = Kind.UNMAPPED
    window = UnmappedWindow

    def examine(self, window: UnmappedWindow, thresholds: Mapping[str, float]) -> tuple[Finding, ...]:
        limits = overlaid(UnmappedThresholds(), thresholds)
        seen = window.runs + window.events
        if seen == 0:
            return ()
        workflow = window.workflow
        what = " and ".join(
            counted(number, kind) for number, kind in ((window.runs, "run"), (window.events, "event")) if number
        )
        return (
            Finding(
                kind=self.kind,
                severity=Severity.MEDIUM if seen >= limits.busy else Severity.LOW,
                title=f"{workflow.name} ({workflow.source_system}) serves no process yet: {what} without an owner",
                fingerprint=f"unmapped:{workflow.id}",
                occurred_at=window.now,
                count=1,
                workflow_id=workflow.id,
                process_id=None,
                reason=f"{window.reason}; first seen {window.first_seen_at.isoformat(timespec='seconds')}",
                figures=MappingProxyType({"runs": window.runs, "events": window.events}),
                evidence=(Evidence("workflow", str(workflow.id), workflow.name),),
                impact=impact(_NO_PROCESS, unit_kind="run", unit_count=0),
                next_step=NextStep(
                    f"Assign {workflow.name} to a process, or write a mapping rule that does.", "assign_process"
                ),
            ),
        )
