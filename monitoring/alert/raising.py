"""Alerting: findings become alerts or add to the one that is open. A step of the main line."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from monitoring.alert.resolving import LEFT, resolve_claimed, resolve_settled
from monitoring.catalogue import process_facts
from monitoring.desk import Desk
from monitoring.findings import Finding, Kind
from monitoring.models.delivery import TimerKind
from monitoring.names import fitted
from monitoring.rows import arrays
from monitoring.stages import AlertChange, Alerted, AlertStands, Detected
from monitoring.timers import timers_set
from partners.database.statements import Asked, ask, tell

#: Kinds that end by themselves once nothing more of it was seen for this long (event time).
QUIET_AFTER = {
    Kind.RETRY_STORM: timedelta(minutes=15),
    Kind.SLA_BREACH: timedelta(hours=6),
}
#: Kinds whose figures grow without news (`project/looks.py`): while such an alert stands, the clock looks so often.
LOOK_AGAIN = {Kind.RETRY_STORM: timedelta(seconds=60)}
_MOST_EVIDENCE = 50
_FINGERPRINT = 200

#: Raised or extended; what is raised is noted in its history.
_UPSERT = """
WITH told AS (
INSERT INTO monitoring_alert AS known
    (tenant_id, kind, severity, status, title, fingerprint, workflow_id, process_id, site_id, sla_id, count,
     first_seen_at, last_seen_at, raised_at, resolution, reason, figures, impact_score, impact_priority, impact_parts,
     evidence, keys, next_step)
VALUES (%(tenant_id)s, %(kind)s, %(severity)s, 'firing', %(title)s, %(fingerprint)s, %(workflow_id)s, %(process_id)s,
        (SELECT site_id FROM monitoring_process WHERE tenant_id = %(tenant_id)s AND id = %(process_id)s), %(sla_id)s,
        %(count)s, %(at)s, %(at)s, %(now)s, '', %(reason)s, %(figures)s, %(score)s, %(priority)s, %(parts)s,
        %(evidence)s, %(keys)s, %(next_step)s)
ON CONFLICT (tenant_id, fingerprint) WHERE status <> 'resolved' DO UPDATE SET
    count = known.count + excluded.count,
    first_seen_at = CASE WHEN known.first_seen_at - excluded.first_seen_at > %(quiet)s
                         THEN known.first_seen_at ELSE least(known.first_seen_at, excluded.first_seen_at) END,
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
    severity = CASE WHEN array_position(ARRAY['critical','high','medium','low'], excluded.severity::text)
                       < array_position(ARRAY['critical','high','medium','low'], known.severity::text)
                    THEN excluded.severity ELSE known.severity END,
    title = excluded.title, reason = excluded.reason, figures = excluded.figures, next_step = excluded.next_step,
    impact_score = excluded.impact_score, impact_priority = excluded.impact_priority,
    impact_parts = excluded.impact_parts,
    evidence = (SELECT coalesce(jsonb_agg(item), '[]') FROM (
        SELECT item FROM jsonb_array_elements(excluded.evidence || known.evidence) WITH ORDINALITY AS each(item, place)
        GROUP BY item ORDER BY min(place) LIMIT %(most)s) AS newest),
    keys = (SELECT coalesce(jsonb_agg(item), '[]') FROM (
        SELECT item FROM jsonb_array_elements(excluded.keys || known.keys) WITH ORDINALITY AS each(item, place)
        GROUP BY item ORDER BY min(place) LIMIT %(most)s) AS newest)
RETURNING id, xmax = 0 AS raised, severity, last_seen_at
), noted AS (
INSERT INTO monitoring_alertevent (tenant_id, alert_id, at, action, actor, actor_name, note)
SELECT %(tenant_id)s, id, %(now)s, 'raised', 'system:detector', %(detector)s, %(reason)s FROM told WHERE raised
) SELECT id, raised, severity, last_seen_at FROM told
"""
# The ids a second time keep this a look by key, whatever the planner knows of the table's size.
_LINK = """
UPDATE monitoring_deadletter AS dead SET fingerprint = said.fingerprint
FROM unnest(%s::bigint[], %s::text[]) AS said(id, fingerprint)
WHERE dead.tenant_id = current_setting('app.tenant_id')::int AND dead.id = said.id AND dead.id = ANY(%s::bigint[])
"""


def alert(detected: Detected, desk: Desk) -> Alerted:
    """Raise or extend one alert for each finding, and resolve alerts whose last dead letter was settled."""
    changes = _raised(detected, desk) if detected.findings else ()
    resolved = (
        *resolve_settled(detected.settled - detected.left, desk.tenant_id, desk.now),
        *resolve_settled(detected.left, desk.tenant_id, desk.now, LEFT),
        *resolve_claimed(detected.claimed, desk.tenant_id, desk.now),
    )
    touched = bool(detected.members or detected.settled or detected.left)
    return Alerted(changes, resolved, detected.runs, detected.events, touched)


def link_members(detected: Detected) -> None:
    """Note on each dead letter which alert it belongs to."""
    members = [(pk, fitted(fingerprint, _FINGERPRINT)) for fingerprint, ids in detected.members for pk in ids]
    if members:
        ids, fingerprints = arrays(["bigint", "text"], zip(*sorted(members), strict=True))
        tell(_LINK, [ids, fingerprints, ids])


def _raised(detected: Detected, desk: Desk) -> tuple[AlertChange, ...]:
    findings = sorted(detected.findings, key=lambda found: found.fingerprint)
    asked = [ask(_UPSERT, _parameters(finding, desk)) for finding in findings]
    link_members(detected)
    changes = []
    for finding, answer in zip(findings, asked, strict=True):
        change = AlertChange(finding.kind.value, partial(_stands, answer))
        changes.append(change)
        if finding.kind in QUIET_AFTER:
            alert_id, _, _, last_seen_at = change.answer()
            next_at = next_look(finding.kind, last_seen_at, desk.now)
            timers_set(desk.tenant_id, TimerKind.ALERT_QUIET, [(alert_id, next_at)])
    return tuple(changes)


def _stands(asked: Asked) -> AlertStands:
    [row] = asked.rows()
    return AlertStands._make(row)


def next_look(kind: Kind, last_seen_at: datetime, now: datetime) -> datetime:
    """When the clock looks next at an alert of a kind that ends by itself."""
    quiet_at = last_seen_at + QUIET_AFTER[kind]
    return min(quiet_at, now + LOOK_AGAIN[kind]) if kind in LOOK_AGAIN else quiet_at


def _seen_at(finding: Finding, now: datetime) -> datetime:
    """A sender's clock may run ahead. An alert that ends by itself would stand until that time has come."""
    if finding.kind not in QUIET_AFTER:
        return finding.occurred_at
    return min(finding.occurred_at, now.replace(second=0, microsecond=0) + timedelta(minutes=1))


def _parameters(finding: Finding, desk: Desk) -> dict[str, Any]:
    return {
        "tenant_id": desk.tenant_id,
        "kind": finding.kind.value,
        "detector": f"{finding.kind.value} detector",
        "severity": finding.severity.value,
        "title": finding.title[:300],
        "fingerprint": fitted(finding.fingerprint, _FINGERPRINT),
        "workflow_id": finding.workflow_id,
        "process_id": finding.process_id,
        # Whatever went wrong, the person who meets it asks what was promised.
        "sla_id": finding.sla_id or process_facts(desk.catalogue, finding.process_id).sla_id,
        "count": finding.count,
        "at": _seen_at(finding, desk.now),
        "now": desk.now,
        "reason": finding.reason,
        "figures": json.dumps(dict(finding.figures)),
        "score": finding.impact.score,
        "priority": finding.impact.priority,
        "parts": json.dumps([asdict(part) for part in finding.impact.parts]),
        "evidence": json.dumps([asdict(item) for item in finding.evidence[:_MOST_EVIDENCE]]),
        "keys": json.dumps([{"type": key.type, "value": key.value} for key in finding.keys[:_MOST_EVIDENCE]]),
        "next_step": json.dumps(asdict(finding.next_step)),
        "most": _MOST_EVIDENCE,
        # News of an episode that was over long before this one began does not make this one older.
        "quiet": QUIET_AFTER.get(finding.kind, timedelta(days=36500)),
    }
