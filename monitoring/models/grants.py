"""ProcessUserPermission: a single process shown to a single person, for those who see nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from guardian.managers import UserObjectPermissionManager
from guardian.models import UserObjectPermissionBase

from monitoring.models.catalogue import Process
from partners.models import TenantManager, TenantModel


class GrantManager(TenantManager[Any], UserObjectPermissionManager):
    """django-guardian's manager, held to the scope's tenant."""


class ProcessUserPermission(TenantModel, UserObjectPermissionBase):
    """django-guardian's direct permission on a Process; `assign_perm("view_process", user, process)` writes one."""

    content_object = models.ForeignKey(
        Process, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="grants"
    )

    objects: ClassVar[GrantManager] = GrantManager()

    class Meta(TenantModel.Meta):
        # Named anew: guardian's unique_together would not start with the tenant.
        unique_together: ClassVar[tuple[str, ...]] = ()
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "user", "permission", "content_object"), name="processuserpermission_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} may {self.permission.codename} {self.content_object}"
