"""Notes of first tries are found by the hour and the unit, however many there are. Their table is made anew.

A BRIN index is read whole for each unit that is looked for: of ten million spans' notes that was 0.4 ms, and grew with
them. Of a B-tree by hour only the pages of the newest hours are written to; and of the unit it holds 14 bits, so that
in a busy hour many notes share one entry and each adds six bytes. A column of its own, for within row-level security
an index on an expression is not looked into.
"""

import django.db.models.deletion
from django.db import migrations, models

from partners.database.tables import TenantTable

#: The owner passes the fence only while it is not forced.
ASIDE = """
ALTER TABLE monitoring_plaintry NO FORCE ROW LEVEL SECURITY;
ALTER TABLE monitoring_plaintry RENAME TO monitoring_plaintry_before;
"""
ANEW = """
CREATE TABLE monitoring_plaintry (
    tenant_id integer NOT NULL,
    place integer NOT NULL,
    unit bigint NOT NULL,
    began_at timestamptz NOT NULL,
    run_id bigint,
    event_id bigint
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)
"""
#: As `project/plain_rows.py` has it; when they were told of is not known, so it is taken for when the try began. What
#: began later than the hour after this one stands under the last of all.
COPIED = """
ALTER TABLE monitoring_plaintry NO FORCE ROW LEVEL SECURITY;
INSERT INTO monitoring_plaintry (tenant_id, place, unit, began_at, run_id, event_id)
SELECT tenant_id, ((CASE WHEN began_at < now() + interval '1 hour'
                         THEN greatest(0, floor(extract(epoch FROM began_at) / 3600)::bigint - 438288) ELSE 262143 END << 14)
                   + (unit & 16383) - 2147483648)::int,
       unit, began_at, run_id, event_id
FROM monitoring_plaintry_before ORDER BY began_at;
ALTER TABLE monitoring_plaintry FORCE ROW LEVEL SECURITY;
DROP TABLE monitoring_plaintry_before;
"""
FOUND = """
CREATE INDEX plaintry_by_unit ON monitoring_plaintry (place);
CREATE INDEX plaintry_by_run ON monitoring_plaintry USING brin (run_id int8_minmax_multi_ops)
    WITH (pages_per_range = 16, autosummarize = on);
ANALYZE monitoring_plaintry
"""
TENANT = models.ForeignKey(
    db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="partners.tenant"
)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0010_narrow_rows"), ("partners", "0002_fence")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL([ASIDE, ANEW])],
            state_operations=[
                migrations.DeleteModel("PlainTry"),
                migrations.CreateModel(
                    name="PlainTry",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "tenant", "unit", "began_at", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("place", models.IntegerField()),
                        ("unit", models.BigIntegerField()),
                        ("began_at", models.DateTimeField()),
                        ("run_id", models.BigIntegerField(null=True)),
                        ("event_id", models.BigIntegerField(null=True)),
                        ("tenant", TENANT),
                    ],
                    options={"abstract": False, "base_manager_name": "objects"},
                ),
            ],
        ),
        TenantTable("PlainTry", foreign_keys=False, primary_key=False),
        migrations.RunSQL([COPIED, FOUND]),
    ]
