"""Ends alerts: by a person, because their dead letters are settled, or because nothing more was seen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

_RESOLVE = """
UPDATE monitoring_alert SET status = 'resolved', resolved_at = %s, resolution = %s
WHERE tenant_id = current_setting('app.tenant_id')::int AND status <> 'resolved' AND id = ANY(%s) RETURNING id
"""
_LOCK = """
SELECT id FROM monitoring_alert
WHERE tenant_id = current_setting('app.tenant_id')::int AND status <> 'resolved' AND fingerprint = ANY(%s)
ORDER BY id FOR UPDATE
"""
_UNMAPPED = """
SELECT id FROM monitoring_alert
WHERE tenant_id = current_setting('app.tenant_id')::int AND status <> 'resolved' AND kind = 'unmapped'
  AND workflow_id = ANY(%s) ORDER BY id FOR UPDATE
"""
_ALL_SETTLED = """
SELECT id FROM monitoring_alert AS alert
WHERE tenant_id = current_setting('app.tenant_id')::int AND status <> 'resolved' AND fingerprint = ANY(%s)
  AND kind = 'dead_letter' AND NOT EXISTS (
    SELECT 1 FROM monitoring_deadletter AS dead
    WHERE dead.tenant_id = alert.tenant_id AND dead.fingerprint = alert.fingerprint AND dead.state = 'open')
"""


SETTLED = "Every dead letter of it was redriven, discarded or accepted."
LEFT = "Its last dead letters turned out to be another automation's; that one has an alert."


def resolve_settled(
    fingerprints: Iterable[str], tenant_id: int, now: datetime, resolution: str = SETTLED
) -> tuple[int, ...]:
    """Resolve the dead-letter alerts among these that have no open member left; return their ids."""
    wanted = sorted(fingerprints)
    if not wanted:
        return ()
    with connection.cursor() as cursor:
        # Two requests that settle the last two letters at once would each see the other's open. Whoever gets the lock
        # second counts in a statement of its own, which sees what the first one committed.
        cursor.execute(_LOCK, [wanted])
        cursor.execute(_ALL_SETTLED, [wanted])
        ids = [identifier for (identifier,) in cursor.fetchall()]
    return resolve_alerts(ids, tenant_id, now, resolution)


def resolve_claimed(workflow_ids: Iterable[int], tenant_id: int, now: datetime) -> tuple[int, ...]:
    """Resolve the alerts that these workflows serve no process; return their ids."""
    wanted = sorted(workflow_ids)
    if not wanted:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_UNMAPPED, [wanted])
        ids = [identifier for (identifier,) in cursor.fetchall()]
    return resolve_alerts(ids, tenant_id, now, "A mapping rule ties it to a process now.")


def resolve_alerts(
    ids: Iterable[int], tenant_id: int, resolved_at: datetime, resolution: str, *, actor: tuple[str, str] | None = None
) -> tuple[int, ...]:
    """Resolve those that are not yet; each leaves a line of history. `actor` is (actor, name), else the system."""
    who, name = actor or ("system:detector", "Andon")
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE, [resolved_at, resolution, list(ids)])
        done = tuple(identifier for (identifier,) in cursor.fetchall())
        for identifier in done:
            cursor.execute(
                "INSERT INTO monitoring_alertevent (tenant_id, alert_id, at, action, actor, actor_name, note) "
                "VALUES (%s, %s, now(), 'resolved', %s, %s, %s)",
                [tenant_id, identifier, who, name, resolution],
            )
    return done
