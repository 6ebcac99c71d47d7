"""Which single processes a supplier may see."""

from __future__ import annotations

from django.db import transaction
from guardian.shortcuts import assign_perm, remove_perm

from monitoring.models import Process
from monitoring.selectors.visibility import VIEW_PROCESS
from partners.models import User
from partners.permission import require
from partners.roles import Right
from partners.viewer import Viewer


@transaction.atomic
def process_grant(*, process: Process, user: User, viewer: Viewer) -> None:
    """Show one process with all that hangs on it to one person. Granting twice changes nothing."""
    require(viewer, Right.MANAGE_MEMBERS)
    assign_perm(VIEW_PROCESS, user, process)


@transaction.atomic
def process_withdraw(*, process: Process, user: User, viewer: Viewer) -> None:
    """Take a single grant back."""
    require(viewer, Right.MANAGE_MEMBERS)
    remove_perm(VIEW_PROCESS, user, process)
