"""Past alerts like this one, for what fixed them."""

from __future__ import annotations

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from monitoring.models import Alert
from monitoring.models.alerts import AlertStatus
from monitoring.selectors.alerts import visible_alerts
from partners.viewer import Viewer


def similar_past(viewer: Viewer, alert: Alert, *, limit: int = 5) -> QuerySet[Alert]:
    """Return resolved alerts with the same fingerprint, then those of the same kind and workflow; latest first."""
    alike = Q(fingerprint=alert.fingerprint)
    if alert.workflow_id is not None:
        alike |= Q(kind=alert.kind, workflow_id=alert.workflow_id)
    same_first = Case(When(fingerprint=alert.fingerprint, then=Value(0)), default=Value(1), output_field=IntegerField())
    past = visible_alerts(viewer).filter(alike, status=AlertStatus.RESOLVED).exclude(pk=alert.pk)
    return past.order_by(same_first, "-resolved_at", "-pk")[:limit]
