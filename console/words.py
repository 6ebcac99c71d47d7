"""The words and lamps that pages show for what the floors below call by their short names."""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.findings import Kind, Severity
from monitoring.models.telemetry import DeadLetterState, RunStatus, SlaState

KIND_WORDS: dict[str, str] = {
    Kind.DEAD_LETTER: "Dead letters",
    Kind.RETRY_STORM: "Retry storm",
    Kind.POISON_UNIT: "Poison unit",
    Kind.NO_BACKOFF: "No backoff",
    Kind.STACKED_RETRIES: "Stacked retries",
    Kind.REDRIVE_LOOP: "Redrive loop",
    Kind.SLA_AT_RISK: "SLA at risk",
    Kind.SLA_BREACH: "SLA breach",
    Kind.BURN_RATE: "Burn rate",
    Kind.SILENT_WORKFLOW: "Silent workflow",
    Kind.SILENT_STALL: "Silent stall",
    Kind.MISSING_EVENT: "Missing event",
    Kind.DELAYED_CONSUMPTION: "Delayed consumption",
    Kind.DUPLICATE_EFFECT: "Duplicate effect",
    Kind.SEQUENCE_GAP: "Sequence gap",
    Kind.SLOW_RUNS: "Slow runs",
    Kind.PROCESS_DRIFT: "Process drift",
    Kind.UNMAPPED: "Unmapped workflow",
    Kind.CONTRACT_BREAK: "Contract break",
    Kind.UNGOVERNED_CHANGE: "Ungoverned change",
    Kind.SOD_VIOLATION: "SoD violation",
    Kind.AGENT_OUT_OF_POLICY: "Agent out of policy",
    Kind.TELEMETRY_BLIND: "Telemetry blind",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """How a short name looks on a page: the lamp's state and its word."""

    state: str
    word: str


RUN: dict[str, Shown] = {
    RunStatus.RUNNING: Shown("watch", "Running"),
    RunStatus.OK: Shown("ok", "OK"),
    RunStatus.ERROR: Shown("breach", "Failed"),
    RunStatus.DEAD: Shown("dead", "Dead-lettered"),
}
SLA: dict[str, Shown] = {
    SlaState.NONE: Shown("unknown", "No SLA"),
    SlaState.RUNNING: Shown("watch", "Running"),
    SlaState.MET: Shown("ok", "Met"),
    SlaState.BREACHED: Shown("breach", "Breached"),
    SlaState.FAILED: Shown("warn", "Failed in time"),
}
SEVERITY: dict[str, Shown] = {
    Severity.CRITICAL: Shown("breach", "Critical"),
    Severity.HIGH: Shown("warn", "High"),
    Severity.MEDIUM: Shown("watch", "Medium"),
    Severity.LOW: Shown("unknown", "Low"),
}
DEAD_LETTER: dict[str, Shown] = {
    DeadLetterState.OPEN: Shown("dead", "Stuck"),
    DeadLetterState.REDRIVEN: Shown("watch", "Redriven"),
    DeadLetterState.DISCARDED: Shown("unknown", "Discarded"),
    DeadLetterState.ACCEPTED: Shown("unknown", "Accepted as lost"),
}
_ALERT_STATUS: dict[str, Shown] = {
    "firing": Shown("breach", "Firing"),
    "acknowledged": Shown("watch", "Acknowledged"),
    "resolved": Shown("ok", "Resolved"),
}
TABLES: dict[str, dict[str, Shown]] = {
    "run": RUN,
    "sla": SLA,
    "severity": SEVERITY,
    "dead_letter": DEAD_LETTER,
    "alert": _ALERT_STATUS,
}


def shown(table: str, name: str) -> Shown:
    """Return how a short name of a table looks; what the table does not know is shown as itself, unknown."""
    return TABLES[table].get(name, Shown("unknown", name.replace("_", " ").capitalize() or "Unknown"))


def kind_word(kind: str) -> str:
    """Return the word for a kind of alert."""
    return KIND_WORDS.get(kind, kind.replace("_", " ").capitalize())
