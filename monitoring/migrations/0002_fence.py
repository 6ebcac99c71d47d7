"""The fence between tenants, the audit trigger on what people configure and decide, and the catalogue's version."""

from django.db import migrations

from partners.database.tables import SharedTable, TenantTable

#: Any change of the catalogue, by whatever way, makes snapshots of it stale.
CATALOGUE_CHANGED = """
CREATE FUNCTION catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO monitoring_catalogueversion (tenant_id, version)
    VALUES (coalesce(NEW.tenant_id, OLD.tenant_id), 1)
    ON CONFLICT (tenant_id) DO UPDATE SET version = monitoring_catalogueversion.version + 1;
    RETURN NULL;
END $$
"""
CATALOGUE = ("monitoring_process", "monitoring_sla", "monitoring_mappingrule", "monitoring_detectorsetting", "partners_site")


def watch(table: str, when: str = "INSERT OR UPDATE OR DELETE") -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER catalogue AFTER {when} ON {table} FOR EACH ROW EXECUTE FUNCTION catalogue_changed()",
        f"DROP TRIGGER catalogue ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0001_initial"), ("partners", "0002_fence")]

    operations = [
        TenantTable("Process", governed=True),
        TenantTable("ProcessUserPermission", governed=True),
        TenantTable("Workflow", governed=True),
        TenantTable("Sla", governed=True),
        TenantTable("MappingRule", governed=True),
        TenantTable("DetectorSetting", governed=True),
        TenantTable("CatalogueVersion"),
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
        migrations.RunSQL(CATALOGUE_CHANGED, "DROP FUNCTION catalogue_changed()"),
        *[watch(table) for table in CATALOGUE],
        watch("monitoring_workflow", "UPDATE OF process_id, assigned"),
    ]
