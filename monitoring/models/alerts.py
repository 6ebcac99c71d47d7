"""Alert: something is wrong, whose it is, why we say so, and what to do; and what people did about it."""

from __future__ import annotations

from django.db import models

from monitoring.models.catalogue import Process, Workflow
from partners.models import TenantModel, User


class AlertStatus(models.TextChoices):
    """Alertmanager's words."""

    FIRING = "firing", "Firing"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


class Alert(TenantModel):
    """Findings with one fingerprint. At most one alert of a fingerprint is unresolved at any time."""

    kind = models.CharField(max_length=30)
    severity = models.CharField(max_length=10)
    status = models.CharField(max_length=12, choices=AlertStatus.choices, default=AlertStatus.FIRING)
    title = models.CharField(max_length=300)
    fingerprint = models.CharField(max_length=200)
    workflow = models.ForeignKey(
        Workflow, on_delete=models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    site_id = models.BigIntegerField(null=True)
    sla_id = models.BigIntegerField(null=True)
    assignee = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    acknowledged_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    count = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    raised_at = models.DateTimeField()  # when Andon knew
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True)
    reason = models.TextField()
    figures = models.JSONField(default=dict)
    impact_score = models.PositiveSmallIntegerField(default=0)
    impact_priority = models.CharField(max_length=2, default="P4")
    impact_parts = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    keys = models.JSONField(default=list)
    next_step = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "fingerprint"),
                condition=~models.Q(status="resolved"),
                name="alert_one_unresolved",
            ),
        )
        indexes = (
            models.Index(fields=("tenant", "status", "-last_seen_at", "-id"), name="alert_by_status"),
            models.Index(fields=("tenant", "process", "status"), name="alert_by_process"),
            models.Index(fields=("tenant", "workflow"), condition=models.Q(kind="unmapped"), name="alert_of_unmapped"),
        )

    def __str__(self) -> str:
        return self.title


class AlertEvent(TenantModel):
    """One line of an alert's history: raised, acknowledged, assigned, noted, resolved, notified."""

    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="history"
    )
    at = models.DateTimeField()
    action = models.CharField(max_length=20)
    actor = models.CharField(max_length=80)
    actor_name = models.CharField(max_length=120)
    note = models.TextField(blank=True)

    class Meta(TenantModel.Meta):
        indexes = (models.Index(fields=("tenant", "alert", "at"), name="alertevent_by_alert"),)

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name}"
