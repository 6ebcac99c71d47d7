"""What a request writes costs less: no foreign keys on projections, and no index that serves nobody."""

from django.db import migrations, models
from django.db.models import Q

from partners.database.tables import DropForeignKeys

PROJECTIONS = ("Run", "BusinessKey", "Attempt", "PlainTry", "DeadLetter", "Event", "WorkflowMinute", "TraceLog")

#: A unit is looked for among tries that began after its death, so the newest pages are read and the others passed by.
#: (A million notes: 0.7 ms for two units; with the filter's default size every range seems to hold them, 24 ms.)
#: A B-tree on digests would be written to at a random place for each try.
PLAIN_TRIES = """
ALTER TABLE monitoring_plaintry DROP CONSTRAINT monitoring_plaintry_pkey;
CREATE INDEX plaintry_by_unit ON monitoring_plaintry
    USING brin (unit int8_bloom_ops(n_distinct_per_range = 2500, false_positive_rate = 0.002), began_at timestamptz_minmax_multi_ops, run_id int8_minmax_multi_ops)
    WITH (pages_per_range = 16, autosummarize = on)
"""


def rising(model, name, *fields):
    """Make an index anew that was falling: new rows went to its left end, where full pages split in half."""
    return migrations.RemoveIndex(model, name), migrations.AddIndex(model, models.Index(fields=("tenant", *fields), name=name))


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0007_storage_care")]

    operations = [
        *[DropForeignKeys(name) for name in PROJECTIONS],
        migrations.RemoveIndex("BusinessKey", "businesskey_event"),
        migrations.AddIndex(
            "BusinessKey",
            models.Index(fields=("tenant", "event"), name="businesskey_event", condition=Q(event__isnull=False)),
        ),
        migrations.AddIndex(
            "DeadLetter",
            models.Index(
                fields=("tenant", "workflow", "destination", "error_class"), name="deadletter_open_group",
                condition=Q(state="open"),
            ),
        ),
        migrations.RemoveIndex("BusinessKey", "businesskey_lookup"),
        *rising("BusinessKey", "businesskey_value", "value", "at"),
        *rising("Run", "run_by_time", "started_at", "id"),
        *rising("Run", "run_by_workflow", "workflow", "started_at"),
        *rising("Run", "run_by_process", "process", "started_at"),
        *rising("Attempt", "attempt_by_workflow", "workflow", "ended_at"),
        migrations.RemoveIndex("PlainTry", "plaintry_by_unit"),
        migrations.RemoveIndex("PlainTry", "plaintry_by_run"),
        migrations.RunSQL(PLAIN_TRIES, "DROP INDEX plaintry_by_unit; ALTER TABLE monitoring_plaintry ADD PRIMARY KEY (tenant_id, id)"),
    ]
