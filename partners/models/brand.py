"""Brand: what a host name looks like. Never the same thing as a tenant."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from partners.models.tenancy import Partner, Tenant


class Brand(models.Model):
    """The look of one host name: name and accent colour. It decides no access."""

    host = models.CharField(max_length=253, unique=True)
    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="brands")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="brands")
    name = models.CharField(max_length=60)
    accent = models.CharField(
        max_length=7, default="#2f5fd0", validators=[RegexValidator(r"^#[0-9a-f]{6}$", "Use a colour such as #2f5fd0.")]
    )

    def __str__(self) -> str:
        return f"{self.name} on {self.host}"
