"""How PostgreSQL keeps the tables that change with every request: room for updates in place, and vacuum in time.

An update stays in its page, and touches no index (HOT), where no indexed column changes and the page has room. Tables
whose rows are updated soon after they were made are therefore filled less than full. Vacuum comes by default once a
fifth of a table is dead: of ten million runs that is two million. The share here is small, so it comes often and has
little to do.

No BRIN index: the log is found by its ids, which say the time, and in all other tables the rows of many tenants stand
between one another, so that a range of blocks says nothing of one of them.
"""

from django.db import migrations

#: Rows a table is filled with in per cent; None leaves it full.
FILLED = {
    # Merged by the second request of a trace, settled once: one or two updates within minutes.
    "monitoring_run": 85,
    # Raised with every request while their minute lasts, and by late news. Ten updates of a row and more.
    "monitoring_workflowminute": 60,
    # Counted up while they fire.
    "monitoring_alert": 70,
    "monitoring_deadletter": 85,
    # Overwritten by each worker every few seconds while their hour lasts.
    "monitoring_intakeoutcome": 60,
    "monitoring_intakeday": 60,
}
#: Rows come and go, or move on in an index: dead ones stand in the way of the clock's sweep every two seconds.
RESTLESS = ("monitoring_timer", "monitoring_plaintry", "monitoring_notification")


def care():
    for table, filled in FILLED.items():
        vacuum = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"
        yield (
            f"ALTER TABLE {table} SET (fillfactor = {filled}, {vacuum})",
            f"ALTER TABLE {table} RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor)",
        )
    for table in RESTLESS:
        yield (
            f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)",
            f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_cost_delay)",
        )


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0006_retention")]

    operations = [migrations.RunSQL(*pair) for pair in care()]
