"""The fence between tenants, and the audit trigger on what people configure and decide."""

from django.db import migrations

from partners.database.tables import SharedTable, TenantTable


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0002_initial"), ("partners", "0002_fence")]

    operations = [
        TenantTable("Process", governed=True),
        TenantTable("Workflow", governed=True),
        TenantTable("Sla", governed=True),
        TenantTable("MappingRule", governed=True),
        TenantTable("DetectorSetting", governed=True),
        # The log is evidence: the app may add to it and read it, not change it.
        TenantTable("Intake", grants=("SELECT", "INSERT")),
        TenantTable("TraceLog"),
        TenantTable("Run"),
        TenantTable("Event"),
        TenantTable("BusinessKey"),
        TenantTable("Attempt"),
        TenantTable("DeadLetter", governed_columns=("state",)),
        TenantTable("WorkflowMinute"),
        TenantTable("Refusal"),
        TenantTable("Alert"),
        TenantTable("AlertEvent", governed=True, grants=("SELECT", "INSERT")),
        TenantTable("Channel", governed=True, redact=("secret",)),
        TenantTable("Notification"),
        SharedTable("Timer"),
    ]
