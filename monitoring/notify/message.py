"""Words an alert for people and for machines."""

from __future__ import annotations

from django.conf import settings

from monitoring.models import Alert, Notification
from monitoring.notify.transport import Message


def message_of(notification: Notification, alert: Alert, tenant_slug: str) -> Message:
    """Return the message; the sentence says what happened, so what, and what now."""
    url = alert_url(tenant_slug, alert.pk)
    process = alert.process
    owner = str(process.owner) if process and process.owner else "nobody yet"
    subject = f"[{alert.impact_priority}] {alert.title}"
    if notification.event == "resolved":
        subject = f"Resolved: {alert.title}"
    lines = [
        alert.title,
        "",
        f"Process: {process.name if process else 'not mapped'}",
        f"Owner: {owner}",
        f"Impact: {alert.impact_score} ({alert.impact_priority})",
        f"Why: {alert.reason}",
        f"Next step: {alert.next_step.get('text', '')}" if notification.event == "raised" else alert.resolution,
        "",
        url,
    ]
    payload: dict[str, object] = {
        "type": f"alert.{notification.event}",
        "timestamp": alert.raised_at.isoformat(),
        "data": {
            "id": alert.pk,
            "kind": alert.kind,
            "severity": alert.severity,
            "status": alert.status,
            "title": alert.title,
            "fingerprint": alert.fingerprint,
            "tenant": tenant_slug,
            "process": process.name if process else None,
            "owner": owner if process and process.owner else None,
            "count": alert.count,
            "first_seen_at": alert.first_seen_at.isoformat(),
            "last_seen_at": alert.last_seen_at.isoformat(),
            "impact": {
                "score": alert.impact_score,
                "priority": alert.impact_priority,
                "parts": alert.impact_parts,
            },
            "next_step": alert.next_step.get("text", ""),
            "url": url,
        },
    }
    return Message(notification.message_id, notification.event, subject, "\n".join(lines), payload)


def alert_url(tenant_slug: str, alert_id: int) -> str:
    """Return the address of an alert's page."""
    return f"{settings.PUBLIC_URL}/t/{tenant_slug}/alerts/{alert_id}/"
