"""An installation from before attempts had a digest of their unit: each row, of whatever tenant, has its own after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitoring.names import unit_digest
from tests.monitoring.test_intake_carried_over import database_before, migrate, opened, scalar

UNITS = ("u-1", "Zürich/4711", f"{'0123456789abcdef' * 2}/0123456789abcdef/POST https://mes.example/orders")
_OLD = """
INSERT INTO monitoring_attempt (tenant_id, unit_id, attempt, phase, workflow_id, step, destination, error_class,
    message, ended_at, dialect, confidence, teller)
VALUES (%s, %s, 1, 'error', 1, '', '', '', '', now(), 'tests', 'declared', %s)
"""


@pytest.fixture
def old(database_server: None) -> Iterator[str]:
    """A database as it was before; its name."""
    with database_before("0008_hot_tables") as name:
        yield name


def test_old_attempts_get_the_digest_of_their_unit_behind_a_fence_that_stands_again(old: str) -> None:
    with opened(old, "andon_owner", 0) as owner:
        partner = scalar(
            owner.execute("INSERT INTO partners_partner (name, slug, created_at) VALUES ('P', 'p', now()) RETURNING id")
        )
        make_tenant = "INSERT INTO partners_tenant (partner_id, name, slug, created_at) VALUES (%s, %s, %s, now())"
        tenants = [scalar(owner.execute(f"{make_tenant} RETURNING id", [partner, name, name])) for name in ("a", "b")]
    for tenant in tenants:
        with opened(old, "andon_app", tenant) as app:
            for number, unit in enumerate(UNITS):
                app.execute(_OLD, [tenant, unit, bytes([number]) * 16])
    migrate(old, [])
    for tenant in tenants:
        # The owner too sees one tenant at a time again.
        with opened(old, "andon_owner", tenant) as owner:
            found = owner.execute("SELECT tenant_id, unit_id, unit FROM monitoring_attempt ORDER BY id").fetchall()
            assert found == [(tenant, unit, unit_digest(unit)) for unit in UNITS]
