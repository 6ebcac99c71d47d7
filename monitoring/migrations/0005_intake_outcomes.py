"""What became of requests, by the hour, answer, key and worker, in place of the count of refusals alone."""

from django.db import migrations, models

ONCE = ("tenant", "hour", "signal", "status", "reason", "key_prefix", "worker")


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0004_settling")]

    operations = [
        # Policies, grants and rows stay with the table.
        migrations.RenameModel("Refusal", "IntakeOutcome"),
        migrations.RenameField("IntakeOutcome", "count", "requests"),
        migrations.AlterField("IntakeOutcome", "requests", models.BigIntegerField(default=0)),
        migrations.AddField("IntakeOutcome", "key_prefix", models.CharField(max_length=16, default="")),
        migrations.AddField("IntakeOutcome", "worker", models.CharField(max_length=16, default="")),
        migrations.AddField("IntakeOutcome", "items", models.BigIntegerField(default=0)),
        migrations.AddField("IntakeOutcome", "rejected", models.BigIntegerField(default=0)),
        migrations.AddField("IntakeOutcome", "bytes", models.BigIntegerField(default=0)),
        migrations.RemoveConstraint("IntakeOutcome", "refusal_once"),
        migrations.AddConstraint(
            "IntakeOutcome", models.UniqueConstraint(fields=ONCE, name="intakeoutcome_once")
        ),
    ]
