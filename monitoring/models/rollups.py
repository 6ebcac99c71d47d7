"""Figures by minute, and what was refused."""

from __future__ import annotations

from django.db import models

from monitoring.models.catalogue import Process, Workflow
from partners.models import TenantModel

#: What is counted by the minute.
COUNTERS = (
    "runs", "failed", "sla_met", "sla_breached", "events", "first_attempts", "retries", "successes",
    "retry_successes", "dead_letters", "duration_ms",
)  # fmt: skip


class WorkflowMinute(TenantModel):
    """One workflow, as it served one process, in one minute of event time.

    A shared automation serves several processes; what none of them claims counts with `process` null. Counters change
    only within the transaction that saw the telemetry.
    """

    workflow = models.ForeignKey(
        Workflow, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    minute = models.DateTimeField()
    runs = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    sla_met = models.PositiveIntegerField(default=0)
    sla_breached = models.PositiveIntegerField(default=0)
    events = models.PositiveIntegerField(default=0)
    first_attempts = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    successes = models.PositiveIntegerField(default=0)
    retry_successes = models.PositiveIntegerField(default=0)
    dead_letters = models.PositiveIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "workflow", "minute", "process"), name="workflowminute_once", nulls_distinct=False
            ),
        )
        indexes = (models.Index(fields=("tenant", "minute"), name="workflowminute_by_time"),)

    def __str__(self) -> str:
        return f"{self.workflow_id} {self.minute:%H:%M}"


class Refusal(TenantModel):
    """How many requests or items of a tenant were refused in an hour, and why. Exporters never show it to anyone."""

    hour = models.DateTimeField()
    signal = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=200)
    count = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(fields=("tenant", "hour", "signal", "status", "reason"), name="refusal_once"),
        )

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"
