"""Partner, Tenant and Site, and the base of every model that belongs to a tenant."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import models

from partners.scope import current_tenant_id


class Partner(models.Model):
    """A service provider (MSP) that runs the automations of its client tenants."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Tenant(models.Model):
    """A client organisation: the unit of isolation."""

    id = models.AutoField(primary_key=True)
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="tenants")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("partner", "name"), name="tenant_name_in_partner"),)

    def __str__(self) -> str:
        return self.name


_M = TypeVar("_M", bound=models.Model)


class TenantManager(models.Manager[_M]):
    """Sees the rows of the current scope's tenant; outside a scope it raises NoTenantScope."""

    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[_M]:
        """Filter by tenant as well: defence in depth, and it keeps query plans good."""
        return super().get_queryset().filter(tenant_id=current_tenant_id())


class TenantModel(models.Model):
    """A row of one tenant. Its table is made safe by the migration operation TenantTable."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")

    objects: ClassVar[TenantManager[Any]] = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A row that names no tenant belongs to the scope's."""
        if not self.tenant_id:
            self.tenant_id = current_tenant_id()
        super().save(*args, **kwargs)


def validate_zone(name: str) -> None:
    """Refuse what is no IANA time zone."""
    if name not in available_timezones():
        raise ValidationError(f"'{name}' is no IANA time zone; use a name such as Europe/Berlin.")


class Site(TenantModel):
    """A plant of a tenant (ISA-95). An attribute of data, never the unit of isolation."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60)
    zone = models.CharField(max_length=60, default="UTC", validators=[validate_zone])

    class Meta(TenantModel.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "slug"), name="site_slug"),)

    def __str__(self) -> str:
        return self.name
