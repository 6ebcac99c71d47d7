"""An installation from before runs had kinds: its runs stay as they were, each in its tenant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitoring.models.packed import packed
from monitoring.project.run_kinds import KindRow, digest_of
from tests.monitoring.test_intake_carried_over import database_before, migrate, opened, scalar

_RUN = """
INSERT INTO monitoring_run
    (tenant_id, trace_id, workflow_id, process_id, rank, mapping_rule_id, mapping_reason, version, status, started_at,
     ended_at, root_seen, root_name, error_class, span_count, error_count, attempts, retries, dead_letters, confidence,
     sla_id, sla_state, services, intakes)
VALUES (%s, %s, 1, NULL, 2, %s, %s, %s, 'ok', '2026-11-21 08:00+00', '2026-11-21 08:01+00', true, 'release', '', 2,
        0, 0, 0, 0, %s, %s, 'met', %s, %s) RETURNING id
"""
_FOUND = """
SELECT run.id, mapping_rule_id, mapping_reason, version, confidence, sla_id, services, digest
FROM monitoring_run AS run JOIN monitoring_runkind AS kind ON kind.id = run.kind_id ORDER BY run.id
"""
_TENANT = """
INSERT INTO partners_tenant (partner_id, name, slug, created_at) VALUES (%s, %s::text, %s::text, now()) RETURNING id
"""
KINDS = [
    KindRow(3, 'rule 1 "löschen" holds', "7", "declared", 5, ("erp-bridge", "mes")),
    KindRow(None, "no mapping rule of 12 holds", "", "", None, ()),
    KindRow(3, 'rule 1 "löschen" holds', "7", "declared", 5, ("erp-bridge", "mes")),
]


@pytest.fixture
def old(database_server: None) -> Iterator[str]:
    """A database as it was before; its name."""
    with database_before("0008_hot_tables") as name:
        yield name


def test_runs_of_several_tenants_keep_what_they_said(old: str) -> None:
    with opened(old, "andon_owner", 0) as owner:
        made = "INSERT INTO partners_partner (name, slug, created_at) VALUES ('P', 'p', now()) RETURNING id"
        partner = scalar(owner.execute(made))
        tenants = [scalar(owner.execute(_TENANT, [partner, slug, slug])) for slug in ("aster", "borealis")]
    ids = {tenant: _told(old, tenant) for tenant in tenants}
    migrate(old, [])
    for tenant in tenants:
        with opened(old, "andon_app", tenant) as app:
            found = [
                (pk, KindRow._make((*values[:5], tuple(values[5]))), values[6])
                for pk, *values in app.execute(_FOUND).fetchall()
            ]
            assert found == [(pk, kind, digest_of(kind)) for pk, kind in zip(ids[tenant], KINDS, strict=True)]
            assert scalar(app.execute("SELECT count(*) FROM monitoring_runkind")) == 2
            again = app.execute("SELECT trace_id, workflow_id, span_count, sla_state, intakes FROM monitoring_run")
            assert set(map(str, again.fetchall())) == {
                str((bytes([n]) * 16, 1, 2, "met", packed([n, 2**52]))) for n in range(3)
            }
            # The numbers go on where they were.
            assert scalar(app.execute("SELECT nextval('monitoring_run_id_seq')")) > max(map(max, ids.values()))


def _told(old: str, tenant: int) -> list[int]:
    with opened(old, "andon_app", tenant) as app:
        return [
            scalar(app.execute(_RUN, [tenant, bytes([n]) * 16, *kind[:5], list(kind.services), [n, 2**52]]))
            for n, kind in enumerate(KINDS)
        ]
