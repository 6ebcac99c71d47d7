"""How long the log is kept: legal holds, the function that drops a day, and the figures that outlive it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from partners.database.tables import TenantTable

APP = settings.DATABASE_ROLES["app"]


def tenant():
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="partners.tenant"
    )


#: Days before the partitions are counted here. The first day of the partitions is counted later, as a whole.
COUNT_OLD = """
ALTER TABLE monitoring_intake_before NO FORCE ROW LEVEL SECURITY;
INSERT INTO monitoring_intakeday
    (tenant_id, day, signal, requests, items, rejected_items, bytes, bytes_stored, counted_to, is_final)
SELECT tenant_id, (received_at AT TIME ZONE 'UTC')::date, signal, count(*), sum(items), sum(rejected), sum(size),
       sum(octet_length(body)), intake_first_id(intake_log_begins()),
       (received_at AT TIME ZONE 'UTC')::date < intake_log_begins()
FROM monitoring_intake_before GROUP BY tenant_id, (received_at AT TIME ZONE 'UTC')::date, signal;
ALTER TABLE monitoring_intake_before FORCE ROW LEVEL SECURITY;
"""

#: Retention works for all tenants at once, and forced row-level security holds the owner too.
HOLDS_SEEN = "CREATE POLICY retention ON monitoring_legalhold FOR SELECT TO CURRENT_USER USING (true)"

DROP_DAY = f"""
CREATE FUNCTION intake_partition_drop(day date) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    doomed text := intake_partition(day);
    first_day date := day;
    day_after date := day + 1;
BEGIN
    IF to_regclass(doomed) IS NULL THEN
        IF day >= intake_log_begins() OR to_regclass('monitoring_intake_before') IS NULL THEN
            RETURN 'absent';
        END IF;
        doomed := 'monitoring_intake_before';
        first_day := '-infinity';
        day_after := intake_log_begins();
    END IF;
    -- Whatever the app asks for: a week of evidence, and with it what a repeat is recognised by, is never dropped.
    IF day_after > (clock_timestamp() AT TIME ZONE 'UTC')::date - 7 THEN
        RAISE EXCEPTION '% is refused: it holds a day of the last week', doomed USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- A hold that is being placed is waited for, and one that comes later waits until the day is gone.
    LOCK TABLE monitoring_legalhold IN SHARE MODE;
    IF EXISTS (SELECT FROM monitoring_legalhold
               WHERE released_at IS NULL AND since < day_after AND (until IS NULL OR until >= first_day)) THEN
        RETURN 'held';
    END IF;
    -- It takes the whole log for a moment. Requests wait for three seconds, this for one, and then it tries later.
    EXECUTE format('DROP TABLE public.%I', doomed);
    RETURN 'dropped';
END $$;
REVOKE ALL ON FUNCTION intake_partition_drop(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION intake_partition_drop(date) TO {APP};
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0005_intake_outcomes")]

    operations = [
        migrations.CreateModel(
            name="IntakeDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("signal", models.CharField(max_length=10)),
                ("requests", models.BigIntegerField(default=0)),
                ("items", models.BigIntegerField(default=0)),
                ("rejected_items", models.BigIntegerField(default=0)),
                ("bytes", models.BigIntegerField(default=0)),
                ("bytes_stored", models.BigIntegerField(default=0)),
                ("counted_to", models.BigIntegerField()),
                ("is_final", models.BooleanField(default=False)),
                ("tenant", tenant()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("tenant", "day", "signal"), name="intakeday_once")],
            },
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("since", models.DateField()),
                ("until", models.DateField(blank=True, null=True)),
                ("reason", models.TextField()),
                ("placed_at", models.DateTimeField()),
                ("placed_by", models.CharField(max_length=80)),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("released_by", models.CharField(blank=True, max_length=80)),
                ("released_reason", models.TextField(blank=True)),
                ("tenant", tenant()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("until__gte", models.F("since"))), name="legalhold_ends_after_start"
                    )
                ],
            },
        ),
        migrations.RunSQL(COUNT_OLD),
        TenantTable("IntakeDay", fleet=True),
        TenantTable("LegalHold", governed=True),
        migrations.RunSQL(HOLDS_SEEN),
        migrations.RunSQL(DROP_DAY),
    ]
