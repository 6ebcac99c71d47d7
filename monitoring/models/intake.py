"""The intake log: what arrived, byte for byte. The evidence, and the only source of truth."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from partners.models import Tenant, TenantModel

#: What an id holds below the seconds: 2^21 numbers for the requests of one second.
_NUMBER_BITS = 21


class Intake(TenantModel):
    """One accepted request. The same body twice within two days is one row, see the function `intake_keep`.

    The table has a partition for each UTC day; an id says when its row arrived, see `first_id`.
    """

    # No foreign key in the database: it would lock the tenant's row for each request.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    received_at = models.DateTimeField()
    signal = models.CharField(max_length=10)
    encoding = models.CharField(max_length=60)
    headers = models.JSONField(default=dict)
    digest = models.BinaryField(max_length=32)  # SHA-256 over signal, encoding, headers that carry data, and body
    compression = models.CharField(max_length=10)  # "zstd", by the sender or by us; "gzip" as received; "" for plain
    body = models.BinaryField()
    size = models.PositiveIntegerField()  # bytes once decompressed
    items = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    rejections = models.JSONField(default=list)  # the first few, with reasons
    key_prefix = models.CharField(max_length=16)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "intake"

    def __str__(self) -> str:
        return f"{self.signal} {self.received_at:%Y-%m-%d %H:%M:%S}"


def first_id(instant: datetime) -> int:
    """Return the least id that a row received in this second or later may have: a bound that opens few partitions."""
    return int(instant.timestamp()) << _NUMBER_BITS


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


class IntakeDay(TenantModel):
    """What a tenant sent in one UTC day, counted out of the log in the background, so that no page scans it."""

    day = models.DateField()
    signal = models.CharField(max_length=10)
    requests = models.BigIntegerField(default=0)
    items = models.BigIntegerField(default=0)
    rejected_items = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)  # once decompressed
    bytes_stored = models.BigIntegerField(default=0)  # of the bodies, as they are kept
    counted_to = models.BigIntegerField()  # ids of the log below this are in the figures
    is_final = models.BooleanField(default=False)  # the day is over and was counted as a whole

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "day", "signal"), name="intakeday_once"),)

    def __str__(self) -> str:
        return f"{self.signal} {self.day}"


class LegalHold(TenantModel):
    """Why what was received in these days, both included, is kept beyond its retention until somebody releases it."""

    since = models.DateField()
    until = models.DateField(null=True, blank=True)  # null: whatever comes, too
    reason = models.TextField()
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=80)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=80, blank=True)
    released_reason = models.TextField(blank=True)

    class Meta(TenantModel.Meta):
        constraints = (
            models.CheckConstraint(condition=models.Q(until__gte=models.F("since")), name="legalhold_ends_after_start"),
        )

    def __str__(self) -> str:
        return f"{self.since} to {self.until or 'further notice'}"
