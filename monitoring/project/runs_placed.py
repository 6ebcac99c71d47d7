"""Gives the runs of an automation that served no process the one that a person named."""

from __future__ import annotations

from django.db import connection

from monitoring.project.run_kinds import ensure_kinds, kinds_by_id
from monitoring.rows import arrays
from partners.database.statements import execute

# Locked first: a run that more is told of meanwhile may be of another kind afterwards.
_LOOSE = """
SELECT DISTINCT kind_id FROM (
    SELECT kind_id FROM monitoring_run
    WHERE tenant_id = current_setting('app.tenant_id')::int AND workflow_id = %s AND process_id IS NULL
    ORDER BY trace_id FOR UPDATE) AS loose
"""
_PLACE = """
UPDATE monitoring_run AS run SET process_id = %s, site_id = %s, kind_id = given.placed
FROM unnest(%s::bigint[], %s::bigint[]) AS given(loose, placed)
WHERE run.tenant_id = current_setting('app.tenant_id')::int AND run.workflow_id = %s AND run.process_id IS NULL
  AND run.kind_id = given.loose
"""


def place_runs(tenant_id: int, workflow_id: int, process_id: int, site_id: int | None, reason: str) -> int:
    """Place them, say why, and return how many there were."""
    loose = kinds_by_id([kind_id for (kind_id,) in execute(_LOOSE, [workflow_id])])
    placed = {kind_id: kind._replace(mapping_reason=reason) for kind_id, kind in loose.items()}
    ids = ensure_kinds(placed.values(), tenant_id)
    pairs = [list(placed), [ids[kind] for kind in placed.values()]]
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, [process_id, site_id, *arrays(["bigint", "bigint"], pairs), workflow_id])
        return int(cursor.rowcount)
