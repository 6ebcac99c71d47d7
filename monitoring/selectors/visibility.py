"""The one filter between a viewer and a tenant's rows, which all selectors share."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import QuerySet

from monitoring.models import Process, ProcessUserPermission
from partners.models import TenantModel
from partners.roles import Right
from partners.viewer import Viewer

VIEW_PROCESS = "view_process"
_Row = TypeVar("_Row", bound=TenantModel)


def visible_processes(viewer: Viewer) -> QuerySet[Process]:
    """All processes of the viewer's tenant; for a viewer who is only a supplier, those granted one by one."""
    processes = _rows(viewer, Process)
    if not viewer.is_supplier_only:
        return processes
    granted = ProcessUserPermission.objects.filter(user=viewer.user, permission__codename=VIEW_PROCESS)
    return processes.filter(pk__in=granted.values("content_object_id"))


def visible_rows(viewer: Viewer, model: type[_Row], *, process: str = "process") -> QuerySet[_Row]:
    """Rows that hang on a process through `process`; a supplier sees those of visible processes only."""
    rows = _rows(viewer, model)
    if not viewer.is_supplier_only:
        return rows
    return rows.filter(**{f"{process}__in": visible_processes(viewer)})


def tenant_rows(viewer: Viewer, model: type[_Row]) -> QuerySet[_Row]:
    """Rows that hang on no process, such as sites and channels: nothing for a viewer who is only a supplier."""
    rows = _rows(viewer, model)
    return rows.none() if viewer.is_supplier_only else rows


def _rows(viewer: Viewer, model: type[_Row]) -> QuerySet[_Row]:
    # The manager filters by the scope's tenant; the viewer's is named too, so that a mix-up shows nothing.
    rows: QuerySet[Any] = model.objects.filter(tenant=viewer.tenant)
    return rows if viewer.may(Right.VIEW) else rows.none()
