"""The intake log: what arrived, as it arrived. The evidence, and the only source of truth."""

from __future__ import annotations

from django.db import models

from partners.models import TenantModel


class Intake(TenantModel):
    """One accepted request. The same body twice is one row: `digest` is unique within the tenant."""

    received_at = models.DateTimeField()
    signal = models.CharField(max_length=10)
    encoding = models.CharField(max_length=60)
    headers = models.JSONField(default=dict)
    digest = models.BinaryField(max_length=32)  # SHA-256 over signal, encoding, headers that carry data, and body
    compression = models.CharField(max_length=10)  # "gzip" or "zstd" as received, "zstd" by us, "" for plain
    body = models.BinaryField()
    size = models.PositiveIntegerField()  # bytes once decompressed
    items = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    rejections = models.JSONField(default=list)  # the first few, with reasons
    key_prefix = models.CharField(max_length=16)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "digest"), name="intake_digest"),)
        indexes = (models.Index(fields=("tenant", "received_at"), name="intake_by_time"),)
        verbose_name_plural = "intake"

    def __str__(self) -> str:
        return f"{self.signal} {self.received_at:%Y-%m-%d %H:%M:%S}"


class TraceLog(TenantModel):
    """Where the log records of a trace stand in the intake log."""

    trace_id = models.BinaryField(max_length=16)
    intake = models.ForeignKey(Intake, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "trace_id", "intake"), name="tracelog_once"),)

    def __str__(self) -> str:
        return bytes(self.trace_id).hex()


class Rebuild(TenantModel):
    """How far `manage.py rebuild` has come for a tenant; gone once it is through."""

    phase = models.CharField(max_length=20)
    position = models.BigIntegerField(default=0)  # the last row of this phase that is done
    marks = models.JSONField(default=dict)  # the last row of each phase when it began; later ones are intake's own
    counts = models.JSONField(default=dict)
    started_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant",), name="rebuild_once"),)

    def __str__(self) -> str:
        return f"{self.phase} {self.position}"
