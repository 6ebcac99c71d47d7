"""Who is told and how: channels, the outbox, and the clock's index of what falls due."""

from __future__ import annotations

from django.db import models

from monitoring.models.alerts import Alert
from partners.models import Tenant, TenantModel


class ChannelKind(models.TextChoices):
    """How a notification travels."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Signed webhook"


class Channel(TenantModel):
    """Where notifications of a tenant go, and which: at least `min_severity`, of `kinds` (empty: all)."""

    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=ChannelKind.choices)
    target = models.CharField(max_length=500)  # an address or an https URL
    secret = models.CharField(max_length=120, blank=True)  # whsec_..., for webhooks
    min_severity = models.CharField(max_length=10, default="high")
    kinds = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="channel_name"),)

    def __str__(self) -> str:
        return self.name


class NotificationState(models.TextChoices):
    """`failed` is final; a try that may be repeated leaves the row `intended`."""

    INTENDED = "intended", "Intended"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"
    SUPPRESSED = "suppressed", "Suppressed"


class Notification(TenantModel):
    """One line of the outbox: written with the alert, claimed by conditional UPDATE, sent afterwards."""

    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="notifications"
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    event = models.CharField(max_length=20)  # "raised", "resolved"
    message_id = models.CharField(max_length=80)  # stable over all tries: the receiver's idempotency key
    state = models.CharField(max_length=10, choices=NotificationState.choices, default=NotificationState.INTENDED)
    reason = models.TextField(blank=True)
    tries = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField()
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(fields=("tenant", "alert", "channel", "event"), name="notification_once"),
            models.UniqueConstraint(fields=("tenant", "message_id"), name="notification_message"),
        )

    def __str__(self) -> str:
        return f"{self.event} {self.state}"


class TimerKind(models.TextChoices):
    """What falls due."""

    RUN_SLA = "run_sla", "A running run reaches its SLA"
    RUN_QUIET = "run_quiet", "A run without a root has gone quiet"
    RUN_SETTLE = "run_settle", "A run that several requests told of has gone quiet"
    DEAD_LETTER = "dead_letter", "A dead letter may have been settled by what was told at the same time"
    NOTIFICATION = "notification", "A notification is to be sent"
    ALERT_QUIET = "alert_quiet", "An alert may have gone quiet"


class Timer(models.Model):
    """What the clock needs before a tenant is known: when, whose, what, which. Nothing else."""

    due_at = models.DateTimeField()
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False, related_name="+")
    kind = models.CharField(max_length=20, choices=TimerKind.choices)
    ref = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "kind", "ref"), name="timer_once"),)
        indexes = (models.Index(fields=("due_at",), name="timer_due"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.ref} at {self.due_at:%Y-%m-%d %H:%M:%S}"
