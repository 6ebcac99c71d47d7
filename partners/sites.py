"""What people do to sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partners.models import Site
from partners.permission import require
from partners.roles import Right
from partners.rows import row_save
from partners.scope import tenant_scope
from partners.viewer import Viewer


def site_save(*, site: Site | None = None, fields: Mapping[str, Any], viewer: Viewer) -> Site:
    """Make a site, or change the fields named of one."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        return row_save(site or Site(), fields)


def site_remove(*, site: Site, viewer: Viewer) -> None:
    """Remove a site that no process stands at."""
    require(viewer, Right.EDIT_CATALOGUE)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        site.delete()
