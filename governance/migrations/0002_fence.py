"""The audit trail is fenced by tenant and append-only for every app role."""

from django.db import migrations

from partners.database.tables import TenantTable


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial"), ("partners", "0002_fence")]

    operations = [TenantTable("AuditEntry", grants=("SELECT", "INSERT"))]
