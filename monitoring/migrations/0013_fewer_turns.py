"""What an alert's request asks the database is answered without going through what is stored, or not asked at all.

Whether an alert ever said that an automation serves no process was looked for among all alerts of the tenant. And who
is told of what is part of the catalogue's snapshot now, so a change of it makes the snapshot stale.
"""

from importlib import import_module

from django.db import migrations, models

watch = import_module("monitoring.migrations.0002_fence").watch


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
    ]
