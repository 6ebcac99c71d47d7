"""What people do to legal holds: place one, and release it. A hold is never changed or removed, so its story stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.utils import timezone

from monitoring.models import LegalHold
from partners.permission import require
from partners.roles import Right
from partners.rows import row_save
from partners.scope import tenant_scope
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class HoldVerdict:
    """What became of a release: the hold as it stands now, whether it changed, and why or why not."""

    hold: LegalHold
    changed: bool
    reason: str


def hold_place(*, since: date, until: date | None, reason: str, viewer: Viewer) -> LegalHold:
    """Keep what was and will be received in these days, both included, however old it gets."""
    require(viewer, Right.PLACE_HOLDS)
    if until is not None and until < since:
        raise ValidationError({"until": "The hold ends before it begins; leave its end empty to hold whatever comes."})
    fields = {
        "since": since,
        "until": until,
        "reason": reason.strip(),
        "placed_at": timezone.now(),
        "placed_by": viewer.actor,
    }
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor, reason=reason):
        return row_save(LegalHold(), fields)


def hold_release(*, hold: LegalHold, reason: str, viewer: Viewer) -> HoldVerdict:
    """Let the days of a hold go by their retention again. Releasing twice changes nothing."""
    require(viewer, Right.PLACE_HOLDS)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor, reason=reason):
        released = LegalHold.objects.filter(pk=hold.pk, released_at=None).update(
            released_at=timezone.now(), released_by=viewer.actor, released_reason=reason
        )
        now = LegalHold.objects.get(pk=hold.pk)
        return HoldVerdict(now, bool(released), "released" if released else "it was released before")
