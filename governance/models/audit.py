"""AuditEntry: one line of the append-only trail, written by the database's own triggers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from partners.models import TenantManager


class AuditEntry(models.Model):
    """Who did what to which row, for whom, when and why. `tenant_id` 0 stands for the installation itself.

    The app role may insert and read; update, delete and truncate are refused by the database.
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    on_behalf_of = models.CharField(max_length=80, blank=True)
    action = models.CharField(max_length=20)
    reason = models.TextField(blank=True)
    object_type = models.CharField(max_length=80)
    object_id = models.CharField(max_length=40)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    objects: ClassVar[TenantManager[Any]] = TenantManager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=("tenant_id", "-at"), name="audit_by_time"),
            models.Index(fields=("tenant_id", "object_type", "object_id"), name="audit_by_object"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.object_type} {self.object_id}"
