"""What an alert's request asks the database is answered without going through what is stored, or not asked at all.

Whether an alert ever said that an automation serves no process was looked for among all alerts of the tenant. And who
is told of what is part of the catalogue's snapshot now, so a change of it makes the snapshot stale.

And of tables of which nothing is known yet the planner took it that a tenant has a two hundredth of their rows, and
read all of these where it should have looked up a few: for the first ten seconds or so of a new console, until they were
analysed. PostgreSQL 18 can be told better; the first ANALYZE replaces what is said here.
"""

from importlib import import_module

from django.db import migrations, models

watch = import_module("monitoring.migrations.0002_fence").watch

#: How many values there are: one, or (below nought) so many for each row.
GUESSES = {
    "run": {"tenant_id": 1, "trace_id": -1, "id": -1},
    "attempt": {"tenant_id": 1, "id": -1, "unit": -0.5, "run_id": -0.5},
    "businesskey": {"tenant_id": 1, "run_id": -0.9, "event_id": -0.9},
    "deadletter": {"tenant_id": 1, "id": -1, "unit_id": -1, "state": 4, "workflow_id": -0.1},
    "plaintry": {"tenant_id": 1, "unit": -0.9, "place": -0.5},
    "event": {"tenant_id": 1, "id": -1},
    "workflowminute": {"tenant_id": 1, "workflow_id": -0.1},
}
GUESS = """
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 180000
       AND NOT EXISTS (SELECT FROM pg_stats WHERE schemaname = 'public' AND tablename = 'monitoring_{table}') THEN
        {each}
    END IF;
END $$
"""
EACH = """
        PERFORM pg_restore_attribute_stats(
            'schemaname', 'public', 'relname', 'monitoring_{table}', 'attname', '{name}', 'inherited', false,
            'null_frac', 0::real, 'avg_width', 8, 'n_distinct', {number}::real);
"""


def guess(table, numbers):
    each = "".join(EACH.format(table=table, name=name, number=number) for name, number in numbers.items())
    return migrations.RunSQL(GUESS.format(table=table, each=each), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0012_statistics")]

    operations = [
        migrations.AddIndex(
            "Alert",
            models.Index(
                fields=("tenant", "workflow"), condition=models.Q(kind="unmapped"), name="alert_of_unmapped"
            ),
        ),
        watch("monitoring_channel"),
        *[guess(table, numbers) for table, numbers in GUESSES.items()],
    ]
