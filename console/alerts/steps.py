"""What a person can do about an alert first: the detector's advice as a link, with what it will do."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from console.alerts.evidence import Proof
from console.asked import exact
from monitoring.models import Alert
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Step:
    """One link: what the button says, and what following it shows."""

    label: str
    does: str
    href: str


def step_of(viewer: Viewer, alert: Alert, proofs: tuple[Proof, ...]) -> Step | None:
    """Return where the detector's advice leads, or None where it leads nowhere."""
    slug = viewer.tenant.slug
    match alert.next_step.get("action", ""):
        case "open_dead_letters":
            cause = {name: alert.figures.get(name, "") for name in ("destination", "error_class")}
            href = reverse("dead_letters", args=[slug]) + exact({"workflow": alert.workflow_id, **cause})
            return Step("Open the dead letters", "Shows each message with its last error, its keys and its run.", href)
        case "open_run":
            run = next((proof for proof in proofs if proof.kind == "run" and proof.href), None)
            return Step("Open the run", "Shows where the time went and which step failed.", run.href) if run else None
        case "assign_process":
            href = reverse("catalogue", args=[slug])
            return Step("Open the catalogue", "There the workflow gets a process, and with it an owner.", href)
        case _:
            return None


def figure_rows(alert: Alert) -> list[tuple[str, str | float]]:
    """Return the figures that the detector saw, as words and values."""
    return [(name.replace("_", " ").capitalize(), value) for name, value in alert.figures.items() if value != ""]
