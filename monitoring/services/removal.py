"""Takes a process out of the catalogue, as long as nothing happened in its name."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from monitoring.live import announce
from monitoring.models import Alert, DeadLetter, Event, Process, Run
from partners.permission import require
from partners.roles import Right
from partners.scope import tenant_scope
from partners.viewer import Viewer

_HISTORY = {Run: "runs", Event: "events", DeadLetter: "dead letters", Alert: "alerts"}


def process_remove(*, process: Process, viewer: Viewer) -> None:
    """Remove a process with its promises and mapping rules. One with a history stays: its figures need its name."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        had = [noun for model, noun in _HISTORY.items() if model.objects.filter(process=process).exists()]
        if had:
            raise ValidationError(f"'{process.name}' has {' and '.join(had)}; a process with a history stays.")
        process.delete()
        announce(viewer.tenant.pk, ("catalogue", "board"))
