"""The audit trail, as a viewer may see it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from governance.models import AuditEntry
from partners.roles import Right
from partners.viewer import Viewer


def visible_entries(viewer: Viewer) -> QuerySet[AuditEntry]:
    """Return the tenant's entries, newest first; none for a viewer who may not read the trail."""
    entries: QuerySet[AuditEntry] = AuditEntry.objects.filter(tenant_id=viewer.tenant.pk).order_by("-at", "-id")
    return entries if viewer.may(Right.VIEW_AUDIT) else entries.none()


def entries_filtered(
    viewer: Viewer,
    *,
    actor: str = "",
    action: str = "",
    object_type: str = "",
    object_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Return visible entries written in [since, until)."""
    entries = visible_entries(viewer)
    named = {"actor": actor, "action": action, "object_type": object_type, "object_id": object_id}
    entries = entries.filter(**{name: value for name, value in named.items() if value})
    if since is not None:
        entries = entries.filter(at__gte=since)
    return entries.filter(at__lt=until) if until is not None else entries


def entry_get(viewer: Viewer, pk: int) -> AuditEntry:
    """Return one entry; raises AuditEntry.DoesNotExist where the viewer may not see it."""
    return visible_entries(viewer).get(pk=pk)
