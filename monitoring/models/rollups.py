"""Figures by minute, and what became of requests by the hour."""

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


class IntakeOutcome(TenantModel):
    """What became of a tenant's requests in an hour, by answer and key, as one web worker counted them.

    `status` and `reason` are the answer's; a 200 has no reason unless the request was known already. `items` shared the
    request's fate (0 where it was refused unread), `rejected` were refused out of a request that was taken, `bytes`
    came over the wire.
    """

    hour = models.DateTimeField()
    signal = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=200)
    key_prefix = models.CharField(max_length=16, default="")
    worker = models.CharField(max_length=16, default="")
    requests = models.BigIntegerField(default=0)
    items = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "hour", "signal", "status", "reason", "key_prefix", "worker"),
                name="intakeoutcome_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"
