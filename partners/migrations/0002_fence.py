"""The fence between tenants, and the audit trigger on who there is."""

from django.db import migrations

from partners.database import audit
from partners.database.tables import SharedTable, TenantTable


class Migration(migrations.Migration):
    dependencies = [("partners", "0001_initial")]

    operations = [
        migrations.RunSQL(audit.CREATE, audit.DROP),
        TenantTable("Site", governed=True),
        TenantTable("IngestKey", governed=True),
        TenantTable("ApiToken", governed=True),
        SharedTable("Partner", governed=True),
        SharedTable("Tenant", governed=True),
        SharedTable("User", governed=True, redact=("password",)),
        SharedTable("Membership", governed=True),
        SharedTable("Brand", governed=True),
        SharedTable("KeyDigest", grants=("SELECT", "INSERT", "UPDATE")),
    ]
