"""The plant that the frame's switcher chose, as filters need it."""

from __future__ import annotations

from monitoring.selectors.visibility import tenant_rows
from partners.models import Site
from partners.viewer import Viewer


def site_asked(viewer: Viewer, slug: str) -> int | None:
    """Return the id of the site with this short name, or None for all sites."""
    if not slug:
        return None
    return tenant_rows(viewer, Site).filter(slug=slug).values_list("pk", flat=True).first()
