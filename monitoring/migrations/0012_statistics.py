"""What the planner knows of the tables that every request writes to is taken from fewer rows.

Statistics of a column take 300 rows for each entry, a hundred entries by default: thirty thousand rows read and sorted
column by column, at each tenth (of runs, at each fiftieth) that a table grows by. While spans came in without a pause
that was a tenth of the processor's time. Intake's statements are planned once, whatever the values; pages need to know
which states are rare, and twenty entries hold all of them.
"""

from django.db import migrations

TABLES = ("run", "attempt", "businesskey", "plaintry", "deadletter", "event", "tracelog")
ENTRIES = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT attname FROM pg_attribute
                WHERE attrelid = 'monitoring_{table}'::regclass AND attnum > 0 AND NOT attisdropped LOOP
        EXECUTE format('ALTER TABLE monitoring_{table} ALTER COLUMN %I SET STATISTICS {entries}', name);
    END LOOP;
END $$
"""
OFTEN = "ALTER TABLE monitoring_{table} SET (autovacuum_analyze_scale_factor = {share})"


def entries(number):
    return [ENTRIES.format(table=table, entries=number) for table in TABLES]


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0011_plain_tries")]

    operations = [
        migrations.RunSQL(entries(20), entries(-1)),
        *[
            migrations.RunSQL(OFTEN.format(table=table, share=0.1), OFTEN.format(table=table, share=0.02))
            for table in ("run", "deadletter")
        ],
    ]
