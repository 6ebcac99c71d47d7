"""The catalogue: processes, their owners and promises, and the automations that serve them."""

from __future__ import annotations

from django.db import models

from partners.models import Site, TenantModel, User


class Criticality(models.TextChoices):
    """How much the business hurts when the process stands still."""

    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    NORMAL = "normal", "Normal"
    LOW = "low", "Low"


class Process(TenantModel):
    """A business process: what the plant calls it, who answers for it, how much it matters."""

    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, db_constraint=False, db_index=False, related_name="+"
    )
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    criticality = models.CharField(max_length=10, choices=Criticality.choices, default=Criticality.NORMAL)
    regulated = models.BooleanField(default=False)
    cost_per_hour = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "slug"), name="process_slug"),)
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return self.name


class Workflow(TenantModel):
    """An automation as its source knows it. Found in telemetry; `process` is what a person gave it, if anyone did.

    A run's process is decided by mapping rules first and this assignment second.
    """

    source_system = models.CharField(max_length=40)
    source_key = models.CharField(max_length=300)
    name = models.CharField(max_length=300)
    process = models.ForeignKey(
        Process,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="workflows",
    )
    assigned = models.BooleanField(default=False)  # true: `process` was given by a person, false: by a mapping rule
    first_seen_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = (
            models.UniqueConstraint(fields=("tenant", "source_system", "source_key"), name="workflow_source"),
        )
        indexes = (models.Index(fields=("tenant", "process"), name="workflow_by_process"),)

    def __str__(self) -> str:
        return self.name


class SlaKind(models.TextChoices):
    """What the promise is about."""

    DURATION = "duration", "Takes at most"
    DUE_TIME = "due_time", "Done by"


class Sla(TenantModel):
    """What a process promises. `duration`: target_s from start to end; `due_time`: by a stated or daily time."""

    process = models.ForeignKey(
        Process, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="slas"
    )
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=SlaKind.choices, default=SlaKind.DURATION)
    target_s = models.PositiveIntegerField(null=True, blank=True)
    due_attribute = models.CharField(max_length=120, blank=True)
    due_local = models.CharField(max_length=5, blank=True)
    objective = models.DecimalField(max_digits=5, decimal_places=2, default=99)  # per cent of runs that keep it

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "process", "name"), name="sla_name"),)
        verbose_name = "SLA"

    def __str__(self) -> str:
        return self.name


class MappingRule(TenantModel):
    """Ties what telemetry says to a process: the first rule, by position, whose CEL condition holds decides.

    `keys` is a list of `{"type": "order", "expression": "span['erp.order']"}`.
    """

    position = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    condition = models.TextField()
    process = models.ForeignKey(
        Process, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="rules"
    )
    workflow_name = models.CharField(max_length=300, blank=True)
    keys = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="mappingrule_name"),)
        indexes = (models.Index(fields=("tenant", "position"), name="mappingrule_order"),)

    def __str__(self) -> str:
        return self.name


class DetectorSetting(TenantModel):
    """A tenant's own thresholds for one detector; what is not named keeps its default."""

    kind = models.CharField(max_length=30)
    thresholds = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "kind"), name="detectorsetting_kind"),)

    def __str__(self) -> str:
        return self.kind


class CatalogueVersion(TenantModel):
    """Counts the changes of a tenant's catalogue. The database raises it, so a cached snapshot is never stale."""

    version = models.BigIntegerField(default=1)

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant",), name="catalogueversion_once"),)

    def __str__(self) -> str:
        return str(self.version)
