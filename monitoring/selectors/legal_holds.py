"""Legal holds, as a viewer may see them."""

from __future__ import annotations

from django.db.models import QuerySet

from monitoring.models import LegalHold
from monitoring.selectors.visibility import tenant_rows
from partners.roles import Right
from partners.viewer import Viewer


def visible_holds(viewer: Viewer) -> QuerySet[LegalHold]:
    """Return the tenant's holds, newest first; none for a viewer who may not read the trail."""
    holds = tenant_rows(viewer, LegalHold).order_by("-placed_at", "-id")
    return holds if viewer.may(Right.VIEW_AUDIT) else holds.none()
