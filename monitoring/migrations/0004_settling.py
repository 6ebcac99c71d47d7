"""What settling and rebuilding need: plain tries on their run or event, one row for each teller of an attempt."""

import django.db.models.deletion
from django.db import migrations, models

from partners.database.tables import TenantTable

#: A digest of source and id, as `event_teller` makes it; a run is known by its trace id.
TELLERS = """
UPDATE monitoring_attempt AS attempt SET teller = coalesce(
    (SELECT run.trace_id FROM monitoring_run AS run
     WHERE run.tenant_id = attempt.tenant_id AND run.id = attempt.run_id),
    (SELECT substring(sha256(convert_to(event.source || E'\\x1f' || event.event_id, 'UTF8')) FOR 16)
     FROM monitoring_event AS event WHERE event.tenant_id = attempt.tenant_id AND event.id = attempt.event_id),
    ''::bytea)
"""
READ = ("monitoring_attempt", "monitoring_run", "monitoring_event")


def of_all_tenants(statement: str) -> list[migrations.RunSQL]:
    """Run a statement over the rows of every tenant: the owner passes the fence only while it is not forced."""
    return [
        *(migrations.RunSQL(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY", "") for table in READ),
        migrations.RunSQL(statement, ""),
        *(migrations.RunSQL(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY", "") for table in READ),
    ]


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0003_intake_log")]

    operations = [
        migrations.AddField("Run", "plain_tries", models.TextField(blank=True, default="", db_default="")),
        migrations.AddField("Event", "plain_tries", models.TextField(blank=True, default="", db_default="")),
        migrations.AddField("DeadLetter", "decisions", models.JSONField(default=list, db_default=[])),
        migrations.AddField("DeadLetter", "counted", models.JSONField(default=list, db_default=[])),
        migrations.AddField("Attempt", "value", models.DecimalField(decimal_places=2, max_digits=14, null=True)),
        migrations.AddField(
            "Attempt", "teller", models.BinaryField(default=b"", max_length=16), preserve_default=False
        ),
        *of_all_tenants(TELLERS),
        migrations.RemoveConstraint("Attempt", "attempt_identity"),
        migrations.AddConstraint(
            "Attempt",
            models.UniqueConstraint(fields=("tenant", "unit_id", "phase", "attempt", "teller"), name="attempt_told"),
        ),
        migrations.AlterField(
            "Timer",
            "kind",
            models.CharField(
                choices=[
                    ("run_sla", "A running run reaches its SLA"),
                    ("run_quiet", "A run without a root has gone quiet"),
                    ("run_settle", "A run that several requests told of has gone quiet"),
                    ("dead_letter", "A dead letter may have been settled by what was told at the same time"),
                    ("notification", "A notification is to be sent"),
                    ("alert_quiet", "An alert may have gone quiet"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Rebuild",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("phase", models.CharField(max_length=20)),
                ("position", models.BigIntegerField(default=0)),
                ("marks", models.JSONField(default=dict)),
                ("counts", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="partners.tenant",
                    ),
                ),
            ],
            options={"abstract": False, "base_manager_name": "objects"},
        ),
        migrations.AddConstraint(
            "Rebuild", models.UniqueConstraint(fields=("tenant",), name="rebuild_once")
        ),
        TenantTable("Rebuild"),
        migrations.CreateModel(
            name="PlainTry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("unit", models.BigIntegerField()),
                ("began_at", models.DateTimeField()),
                ("run_id", models.BigIntegerField(null=True)),
                ("event_id", models.BigIntegerField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="partners.tenant",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "unit"], name="plaintry_by_unit"),
                    models.Index(
                        condition=models.Q(("run_id__isnull", False)),
                        fields=["tenant", "run_id"],
                        name="plaintry_by_run",
                    ),
                ],
            },
        ),
        TenantTable("PlainTry"),
    ]
