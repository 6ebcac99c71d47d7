"""IngestKey and ApiToken: what machines present. Only prefix and SHA-256 are kept."""

from __future__ import annotations

from django.db import models

from partners.models.people import User
from partners.models.tenancy import Tenant, TenantModel


class KeyKind(models.TextChoices):
    """What a key opens."""

    INGEST = "ingest", "Ingest key"
    API = "api", "API token"


class KeyDigest(models.Model):
    """What has to be found before the tenant is known: the key's digest and whose it is, nothing more."""

    prefix = models.CharField(max_length=16, primary_key=True)
    digest = models.BinaryField(max_length=32)
    kind = models.CharField(max_length=10, choices=KeyKind.choices)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.prefix


class AccessKey(TenantModel):
    """What people see of a key: its label and prefix, who made it and when it was last used."""

    prefix = models.CharField(max_length=16)
    label = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"


class IngestKey(AccessKey):
    """A key that may send telemetry and events into one tenant, and do nothing else."""

    class Meta(AccessKey.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "prefix"), name="ingestkey_prefix"),)


class ApiToken(AccessKey):
    """A token for the REST API of one tenant: a person's, or a service's with a tenant administrator's rights."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="+")

    class Meta(AccessKey.Meta):
        constraints = (models.UniqueConstraint(fields=("tenant", "prefix"), name="apitoken_prefix"),)
