"""Any change of the catalogue, by whatever way, makes snapshots of it stale."""

from django.db import migrations

from partners.database.tables import TenantTable

FUNCTION = """
CREATE FUNCTION catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO monitoring_catalogueversion (tenant_id, version)
    VALUES (coalesce(NEW.tenant_id, OLD.tenant_id), 1)
    ON CONFLICT (tenant_id) DO UPDATE SET version = monitoring_catalogueversion.version + 1;
    RETURN NULL;
END $$
"""
TABLES = ("monitoring_process", "monitoring_sla", "monitoring_mappingrule", "monitoring_detectorsetting", "partners_site")


def watch(table: str, when: str = "INSERT OR UPDATE OR DELETE") -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER catalogue AFTER {when} ON {table} FOR EACH ROW EXECUTE FUNCTION catalogue_changed()",
        f"DROP TRIGGER catalogue ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0004_catalogue_version")]

    operations = [
        TenantTable("CatalogueVersion"),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION catalogue_changed()"),
        *[watch(table) for table in TABLES],
        watch("monitoring_workflow", "UPDATE OF process_id, assigned"),
    ]
