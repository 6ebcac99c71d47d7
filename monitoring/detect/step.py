"""Detecting: every window goes before every detector of its type. A step of the main line; pure."""

from __future__ import annotations

from monitoring.desk import Desk
from monitoring.detect.registry import examine
from monitoring.findings import DeadLetterWindow, Finding
from monitoring.stages import Detected, Projected


def detect(projected: Projected, desk: Desk) -> Detected:
    """Return the findings over all windows; a detector that the tenant switched off finds nothing."""
    findings: list[Finding] = []
    members: list[tuple[str, tuple[int, ...]]] = []
    for window in projected.windows:
        found = [
            finding
            for finding in examine(window, desk.catalogue.thresholds)
            if finding.kind.value not in desk.catalogue.disabled
        ]
        findings += found
        if isinstance(window, DeadLetterWindow):
            members += [(finding.fingerprint, tuple(dead.id for dead in window.fresh)) for finding in found]
    return Detected(
        tuple(findings),
        tuple(members),
        settled=projected.settled,
        left=projected.left,
        claimed=projected.claimed,
        runs=projected.runs,
        events=projected.events,
    )
