"""The projections of telemetry: runs, business keys, attempts, dead letters and events. Rebuilt from the intake log."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from monitoring.models.catalogue import Process, Workflow
from monitoring.models.intake import Intake
from monitoring.models.packed import PackedIds
from partners.models import TenantModel


class RunStatus(models.TextChoices):
    """How a run stands. `running` until its root span has arrived."""

    RUNNING = "running", "Running"
    OK = "ok", "OK"
    ERROR = "error", "Failed"
    DEAD = "dead", "Dead-lettered"


class SlaState(models.TextChoices):
    """How a run stands against its promise."""

    NONE = "none", "No SLA"
    RUNNING = "running", "Running"
    MET = "met", "Met"
    BREACHED = "breached", "Breached"
    #: It ended in time without doing what was promised; attainment counts it as not kept.
    FAILED = "failed", "Failed"


class RunKind(TenantModel):
    """What many runs have in common, once. Known by a digest over the rest; never changed, and shared by any number."""

    digest = models.BinaryField(max_length=16)  # see project/run_kinds.py
    mapping_rule_id = models.BigIntegerField(null=True)
    mapping_reason = models.TextField(blank=True)
    version = models.CharField(max_length=80, blank=True)
    confidence = models.CharField(max_length=10, blank=True)
    sla_id = models.BigIntegerField(null=True)
    services = ArrayField(models.CharField(max_length=200), default=list)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "digest"), name="runkind_once"),)

    def __str__(self) -> str:
        return self.mapping_reason


class Run(TenantModel):
    """One execution of a workflow: one trace. Its spans stay in the intake log, found through `intakes`.

    Columns stand by their width, widest first, so that none is padded; migration 0009 made the table in this order.
    """

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    workflow = models.ForeignKey(
        Workflow, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    kind = models.ForeignKey(RunKind, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    site_id = models.BigIntegerField(null=True)
    sla_due_at = models.DateTimeField(null=True)
    stated_due_at = models.DateTimeField(null=True)
    span_count = models.PositiveIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    dead_letters = models.PositiveIntegerField(default=0)
    rank = models.SmallIntegerField()  # how surely the workflow is known, see facts.Rank
    root_seen = models.BooleanField(default=False)
    trace_id = models.BinaryField(max_length=16)
    status = models.CharField(max_length=10, choices=RunStatus.choices)
    sla_state = models.CharField(max_length=10, choices=SlaState.choices, default=SlaState.NONE)
    root_name = models.CharField(max_length=300, blank=True)
    error_class = models.CharField(max_length=200, blank=True)
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    intakes = PackedIds()
    plain_tries = models.TextField(blank=True, default="", db_default="")  # see project/plain_tries.py

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "trace_id"), name="run_trace"),)
        indexes = (
            # Rising, and read backwards: a falling one would be written to at its left end, where pages split in half.
            models.Index(fields=("tenant", "started_at", "id"), name="run_by_time"),
            # An automation and a process belong to one tenant, so their ids alone tell. Runs of no process do not: of
            # these an automation's own are looked for.
            models.Index(fields=("workflow", "started_at"), name="run_by_workflow"),
            models.Index(
                fields=("process", "started_at"), name="run_by_process", condition=models.Q(process__isnull=False)
            ),
            models.Index(
                fields=("workflow", "started_at"), name="run_unowned", condition=models.Q(process__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return bytes(self.trace_id).hex()


class Event(TenantModel):
    """One CloudEvent. `(source, event_id)` names it; sent again it changes nothing."""

    source = models.CharField(max_length=300)
    event_id = models.CharField(max_length=300)
    type = models.CharField(max_length=200)
    entity_event = models.CharField(max_length=80, blank=True)  # "order.released"
    subject = models.CharField(max_length=300, blank=True)
    time = models.DateTimeField()
    received_at = models.DateTimeField()
    workflow = models.ForeignKey(
        Workflow, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    site_id = models.BigIntegerField(null=True)
    mapping_rule_id = models.BigIntegerField(null=True)
    mapping_reason = models.TextField(blank=True)
    trace_id = models.BinaryField(max_length=16, null=True)
    correlation_id = models.CharField(max_length=300, blank=True)
    causation_id = models.CharField(max_length=300, blank=True)
    sequence = models.CharField(max_length=80, blank=True)
    process_instance = models.CharField(max_length=200, blank=True)
    step = models.CharField(max_length=200, blank=True)
    intake = models.ForeignKey(Intake, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    intake_index = models.PositiveIntegerField(default=0)
    plain_tries = models.TextField(blank=True, default="", db_default="")

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "source", "event_id"), name="event_identity"),)
        indexes = (
            models.Index(fields=("tenant", "-time", "-id"), name="event_by_time"),
            models.Index(fields=("tenant", "trace_id"), name="event_by_trace"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class BusinessKey(TenantModel):
    """Order 4711 stands in this run, or in this event: what ties telemetry to the business."""

    key_type = models.CharField(max_length=40)
    value = models.CharField(max_length=128)
    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, null=True, db_constraint=False, db_index=False, related_name="keys"
    )
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, null=True, db_constraint=False, db_index=False, related_name="keys"
    )

    class Meta(TenantModel.Meta):
        # Each once for its run or event, see project/keys.py. There is no index by id, which a migration has dropped.
        indexes = (
            # By value alone: of few values there are two types.
            models.Index(fields=("tenant", "value"), name="businesskey_value"),
            # Ids are given out over all tenants.
            models.Index(fields=("run",), name="businesskey_run", condition=models.Q(run__isnull=False)),
            models.Index(fields=("event",), name="businesskey_event", condition=models.Q(event__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.key_type}:{self.value}"


class Attempt(TenantModel):
    """One abnormal try at one unit of work, as one run or event tells of it. Plain first tries are not kept.

    A broker's notice and a consumer's span may tell of the same try: two rows, which count once.
    """

    unit = models.BigIntegerField()  # a 64-bit digest of the unit's id, for the index: ids have 90 characters and more
    unit_id = models.CharField(max_length=300)
    attempt = models.PositiveIntegerField()
    phase = models.CharField(max_length=20)
    max_attempts = models.PositiveIntegerField(null=True)
    workflow = models.ForeignKey(
        Workflow, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    step = models.CharField(max_length=300, blank=True)
    destination = models.CharField(max_length=300, blank=True)
    error_class = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True)
    span_id = models.BinaryField(max_length=8, null=True)
    dialect = models.CharField(max_length=40)
    confidence = models.CharField(max_length=10)
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    teller = models.BinaryField(max_length=16)  # the run's trace id, or a digest of the event's source and id

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(fields=("tenant", "unit", "phase", "attempt", "teller"), name="attempt_told"),
        )
        indexes = (
            # Ids are given out over all tenants.
            models.Index(fields=("workflow", "ended_at"), name="attempt_by_workflow"),
            models.Index(fields=("run",), name="attempt_by_run", condition=models.Q(run__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.unit_id} attempt {self.attempt}: {self.phase}"


class PlainTry(TenantModel):
    """A first try that went well, and of what: a death of that unit may be told of later than its redrive.

    `unit` is a 64-bit digest of the unit's id, `place` made of it and of the time (project/plain_rows.py). Nobody
    points at a note, and the table has no key: this one only tells Django its rows apart.
    """

    id = None  # type: ignore[assignment]
    pk = models.CompositePrimaryKey("tenant", "unit", "began_at")
    place = models.IntegerField()
    unit = models.BigIntegerField()
    began_at = models.DateTimeField()
    run_id = models.BigIntegerField(null=True)
    event_id = models.BigIntegerField(null=True)

    # Its two indexes, by place, and BRIN on the run, are made by a migration.

    def __str__(self) -> str:
        return f"{self.unit:x} at {self.began_at:%Y-%m-%d %H:%M:%S}"


class DeadLetterState(models.TextChoices):
    """Whether anyone has dealt with it."""

    OPEN = "open", "Stuck"
    REDRIVEN = "redriven", "Redriven"
    DISCARDED = "discarded", "Discarded"
    ACCEPTED = "accepted", "Accepted as lost"


class DeadLetter(TenantModel):
    """A unit of work that no automation will try again by itself."""

    unit_id = models.CharField(max_length=300)
    workflow = models.ForeignKey(
        Workflow, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    site_id = models.BigIntegerField(null=True)
    run = models.ForeignKey(
        Run, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    event = models.ForeignKey(
        Event, on_delete=models.SET_NULL, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    intake = models.ForeignKey(Intake, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    destination = models.CharField(max_length=300, blank=True)
    step = models.CharField(max_length=300, blank=True)
    error_class = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True)
    span_id = models.BinaryField(max_length=8, null=True)
    attempts = models.PositiveIntegerField(default=1)
    deaths = models.PositiveIntegerField(default=1)
    keys = models.JSONField(default=list)  # [{"type": "order", "value": "4711"}]
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    confidence = models.CharField(max_length=10)
    died_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=DeadLetterState.choices, default=DeadLetterState.OPEN)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=80, blank=True)
    settled_reason = models.TextField(blank=True)
    decisions = models.JSONField(default=list, db_default=[])  # what people decided: [{"state", "at", "by", "reason"}]
    counted = models.JSONField(default=list, db_default=[])  # where its deaths count: [[workflow, process, minute]]
    fingerprint = models.CharField(max_length=200, blank=True)  # of the alert it belongs to

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "unit_id"), name="deadletter_unit"),)
        indexes = (
            models.Index(fields=("tenant", "state", "-died_at", "-id"), name="deadletter_by_state"),
            models.Index(fields=("tenant", "fingerprint", "state"), name="deadletter_by_alert"),
            models.Index(
                fields=("tenant", "workflow", "destination", "error_class"),
                name="deadletter_open_group",
                condition=models.Q(state="open"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.unit_id} in {self.destination or 'nowhere'}"
