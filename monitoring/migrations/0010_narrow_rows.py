"""Rows that come with every run cost less: no index that serves nobody, and narrow ones else.

Ids of runs, events and workflows are given out over all tenants, so an index on one of them needs no tenant in front.
"""

import hashlib

from django.db import migrations, models
from django.db.models import Q

#: Nobody looks for a key by its id.
KEYS = "ALTER TABLE monitoring_businesskey DROP CONSTRAINT monitoring_businesskey_pkey"
#: The owner passes the fence only while it is not forced.
OPEN, FENCED = (f"ALTER TABLE monitoring_attempt {word} ROW LEVEL SECURITY" for word in ("NO FORCE", "FORCE"))

AT_ONCE = 10_000
NEXT = """
SELECT tenant_id, id, unit_id FROM monitoring_attempt WHERE (tenant_id, id) > (%s, %s) ORDER BY tenant_id, id LIMIT %s
"""
SET = """
UPDATE monitoring_attempt AS attempt SET unit = said.unit
FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS said(tenant_id, id, unit)
WHERE attempt.tenant_id = said.tenant_id AND attempt.id = said.id
"""


def digest(unit_id):
    """What `unit_digest` makes of it: PostgreSQL has no BLAKE2."""
    return int.from_bytes(hashlib.blake2b(unit_id.encode(), digest_size=8).digest(), "big", signed=True)


def fill_units(apps, schema_editor):
    last = (-1, -1)
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT, [*last, AT_ONCE])
            rows = cursor.fetchall()
            if not rows:
                return
            tenants, ids, units = zip(*rows)
            cursor.execute(SET, [list(tenants), list(ids), list(map(digest, units))])
            last = (tenants[-1], ids[-1])


def partial(model, field, name):
    """Make an index anew of one column that is mostly there."""
    index = models.Index(fields=(field,), name=name, condition=Q(**{f"{field}__isnull": False}))
    return migrations.RemoveIndex(model, name), migrations.AddIndex(model, index)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0009_run_kinds")]

    operations = [
        migrations.RunSQL(KEYS, "ALTER TABLE monitoring_businesskey ADD PRIMARY KEY (tenant_id, id)"),
        migrations.AddIndex(
            "BusinessKey", models.Index(fields=("run",), name="businesskey_run", condition=Q(run__isnull=False))
        ),
        migrations.RemoveConstraint("BusinessKey", "businesskey_once"),
        *partial("BusinessKey", "event", "businesskey_event"),
        # Nobody asks when: the run or event says so.
        migrations.RemoveIndex("BusinessKey", "businesskey_value"),
        migrations.RemoveField("BusinessKey", "at"),
        migrations.AddIndex("BusinessKey", models.Index(fields=("tenant", "value"), name="businesskey_value")),
        migrations.AddField("Attempt", "unit", models.BigIntegerField(default=0), preserve_default=False),
        migrations.RunSQL(OPEN, FENCED),
        migrations.RunPython(fill_units, migrations.RunPython.noop),
        migrations.RunSQL(FENCED, OPEN),
        migrations.RemoveConstraint("Attempt", "attempt_told"),
        migrations.AddConstraint(
            "Attempt",
            models.UniqueConstraint(fields=("tenant", "unit", "phase", "attempt", "teller"), name="attempt_told"),
        ),
        *partial("Attempt", "run", "attempt_by_run"),
        migrations.RemoveIndex("Attempt", "attempt_by_workflow"),
        migrations.AddIndex("Attempt", models.Index(fields=("workflow", "ended_at"), name="attempt_by_workflow")),
    ]
