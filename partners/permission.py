"""What a viewer lacks: use cases ask `require` before they write, so pages and REST refuse alike."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied

from partners.roles import RIGHTS, Right
from partners.viewer import Viewer


class RightMissing(PermissionDenied):
    """The viewer may see this and may not do it. The message names the right and who holds it."""

    def __init__(self, viewer: Viewer, right: Right) -> None:
        holders = ", ".join(role.label.lower() for role, rights in RIGHTS.items() if right in rights)
        super().__init__(f"{viewer.name} lacks the right to {right.replace('_', ' ')}; these roles have it: {holders}.")
        self.right = right


def require(viewer: Viewer, right: Right) -> None:
    """Raise RightMissing where the viewer doesn't hold the right."""
    if not viewer.may(right):
        raise RightMissing(viewer, right)
