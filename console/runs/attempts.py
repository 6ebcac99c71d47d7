"""How attempts look on a page: the lamp of each phase, and how sure its figure is."""

from __future__ import annotations

from console.words import Shown
from monitoring.facts import Confidence, Phase

PHASES: dict[str, Shown] = {
    Phase.OK: Shown("ok", "Succeeded"),
    Phase.ERROR: Shown("breach", "Failed"),
    Phase.RETRY_SCHEDULED: Shown("warn", "Failed, tried again"),
    Phase.REDELIVERED: Shown("warn", "Delivered again"),
    Phase.PARKED: Shown("watch", "Parked"),
    Phase.DEAD: Shown("dead", "Dead-lettered"),
    Phase.LOST: Shown("dead", "Lost"),
    Phase.EXPIRED: Shown("breach", "Expired"),
    Phase.REDRIVEN: Shown("watch", "Redriven"),
    Phase.RE_DEAD: Shown("dead", "Dead again"),
    Phase.CANCELLED: Shown("unknown", "Cancelled"),
    Phase.DISCARDED: Shown("unknown", "Discarded"),
}
CONFIDENCE: dict[str, tuple[str, str]] = {
    Confidence.DECLARED: ("declared", "The source says so itself, in a header or an attribute."),
    Confidence.DERIVED: ("derived", "A status or the event after it implies it."),
    Confidence.INFERRED: ("inferred", "The same step, parent and key were seen again; the source does not count."),
}


def phase_shown(phase: str) -> Shown:
    """Return the lamp and word of a phase."""
    return PHASES.get(phase, Shown("unknown", phase.replace("_", " ").capitalize()))


def confidence_words(confidence: str) -> tuple[str, str]:
    """Return the word for a confidence and what it means."""
    return CONFIDENCE.get(confidence, (confidence or "not stated", ""))
