"""Consoles that break a promise on purpose. A campaign that does not find them out has shown nothing.

They are applied to the campaign's own console only (`breaking.py`): the product holds none of this.
"""

from __future__ import annotations

from bench.campaign.plant import Plant

SYNCHRONOUS_COMMIT_OFF = "synchronous_commit off"
SECOND_TRANSACTION = "counter in a second transaction"
ANSWER_FIRST = "answer before the commit"
KEY_WITHOUT_TENANT = "repeats recognised without the tenant"
CONTROLS = (SYNCHRONOUS_COMMIT_OFF, SECOND_TRANSACTION, ANSWER_FIRST, KEY_WITHOUT_TENANT)


def prepare(control: str, plant: Plant) -> None:
    """Set up the database for a control."""
    if control == SYNCHRONOUS_COMMIT_OFF:
        plant.rows("ALTER ROLE andon_app SET synchronous_commit = off")
        # The log's own writer would otherwise bring most commits to the disk before they are lost.
        plant.rows("ALTER SYSTEM SET wal_writer_delay = '10s'")
        plant.rows("SELECT pg_reload_conf()")
    if control == KEY_WITHOUT_TENANT:
        plant.rows("CREATE TABLE campaign_seen (digest bytea PRIMARY KEY)")
        plant.rows("GRANT SELECT, INSERT ON campaign_seen TO andon_app")
