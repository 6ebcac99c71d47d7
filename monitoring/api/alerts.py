"""alerts/: what is wrong, whose it is, and what people do about it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import BusinessKeyShape, RowOfProcess, page_of
from monitoring.api.views import MonitoringViewSet, RowQuery
from monitoring.findings import Kind, Severity
from monitoring.models import Alert, Sla
from monitoring.models.alerts import AlertStatus
from monitoring.models.catalogue import SlaKind
from monitoring.selectors.alerts import alert_get, alerts_filtered, history_of
from monitoring.services.alerts import (
    AlertVerdict,
    alert_acknowledge,
    alert_assign,
    alert_note,
    alert_reopen,
    alert_resolve,
)
from partners.api.problems import Conflict
from partners.api.queries import WordsField
from partners.api.references import PersonRef, TenantRef
from partners.api.words import choices_of
from partners.models import User
from partners.selectors import visible_members


class AlertSla(serializers.Serializer[Any]):
    """The promise an alert is about."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=SlaKind.choices)
    target_s = serializers.IntegerField(allow_null=True)


class ImpactPartShape(serializers.Serializer[Any]):
    """One term of the impact's sum."""

    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields away.
    points = serializers.IntegerField()
    why = serializers.CharField()


class ImpactShape(serializers.Serializer[Any]):
    """Business impact: `score` is the sum of its parts, 0 to 100; `priority` P1 to P4."""

    score = serializers.IntegerField(source="impact_score")
    priority = serializers.CharField(source="impact_priority")
    parts = ImpactPartShape(source="impact_parts", many=True)


class EvidenceShape(serializers.Serializer[Any]):
    """A pointer to what the detector relied on: a run, span, event, dead letter, attempt, payload or SLA."""

    type = serializers.CharField()
    id = serializers.CharField()
    note = serializers.CharField(default="")


class NextStepShape(serializers.Serializer[Any]):
    """What to do first, and the page or action that does it."""

    text = serializers.CharField(default="")
    action = serializers.CharField(default="")


class AlertShape(RowOfProcess):
    """Something is wrong. Findings with one fingerprint meet in one alert."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=choices_of(Kind))
    severity = serializers.ChoiceField(choices=choices_of(Severity))
    status = serializers.ChoiceField(choices=AlertStatus.choices)
    title = serializers.CharField()
    fingerprint = serializers.CharField()
    tenant = TenantRef()
    sla = serializers.SerializerMethodField()
    count = serializers.IntegerField()
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    raised_at = serializers.DateTimeField(help_text="When Andon knew.")
    assignee = PersonRef(allow_null=True)
    acknowledged_by = PersonRef(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolution = serializers.CharField()
    reason = serializers.CharField(help_text="Why it fired, with the figures and the threshold.")
    figures = serializers.DictField()
    impact = ImpactShape(source="*")
    evidence = EvidenceShape(many=True)
    keys = BusinessKeyShape(many=True)
    next_step = NextStepShape()
    url = serializers.SerializerMethodField()

    @extend_schema_field(AlertSla(allow_null=True))
    def get_sla(self, alert: Alert) -> dict[str, Any] | None:
        """Return the promise, where it still stands in the catalogue."""
        sla = self.context["slas"].get(alert.sla_id)
        return dict(AlertSla(sla).data) if sla else None

    def get_url(self, alert: Alert) -> str:
        """Return the address of its page."""
        return page_of(self.context["viewer"], "alerts", alert.pk)


class AlertEventShape(serializers.Serializer[Any]):
    """One line of an alert's history."""

    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.CharField()
    actor_name = serializers.CharField()
    note = serializers.CharField()


class AlertWithHistory(AlertShape):
    """An alert and what happened to it, oldest first."""

    history = serializers.SerializerMethodField()

    @extend_schema_field(AlertEventShape(many=True))
    def get_history(self, alert: Alert) -> list[dict[str, Any]]:
        """Return its history."""
        return list(AlertEventShape(history_of(alert), many=True).data)


class AlertQuery(RowQuery):
    """What alerts are filtered by; the period is that of when they were last seen."""

    status = WordsField(AlertStatus.values, required=False)
    kind = WordsField([kind.value for kind in Kind], required=False)
    severity = WordsField([severity.value for severity in Severity], required=False)
    fingerprint = serializers.CharField(required=False, max_length=200)


class AlertNote(serializers.Serializer[Any]):
    """A line for the history."""

    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=4000)


class AlertAssign(AlertNote):
    """Who is to see to it: an e-mail address or id of a member who handles alerts, null for nobody."""

    assignee = serializers.CharField(allow_null=True, max_length=254)


class AlertResolve(serializers.Serializer[Any]):
    """What settled it."""

    resolution = serializers.CharField(max_length=4000, required=False, default="", allow_blank=True)


class AlertRemark(serializers.Serializer[Any]):
    """What is to be remembered."""

    note = serializers.CharField(max_length=4000)


@extend_schema(tags=["alerts"])
class AlertsViewSet(MonitoringViewSet):
    """Alerts. A step that comes too late answers 409 and says who was faster."""

    queries = {"list": AlertQuery}

    @extend_schema(responses=AlertShape(many=True))
    def list(self, request: Request) -> Response:
        """List alerts, last seen first."""
        return self.page(alerts_filtered(self.viewer, **self.filters()), AlertShape)

    @extend_schema(responses=AlertWithHistory)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one alert with its history."""
        return self.one(alert_get(self.viewer, pk), AlertWithHistory)

    @extend_schema(request=AlertNote, responses=AlertWithHistory)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: int) -> Response:
        """Say that someone is looking at it."""
        alert = alert_get(self.viewer, pk)
        return self._answer(alert_acknowledge(alert=alert, viewer=self.viewer, **self.told(AlertNote)))

    @extend_schema(request=AlertAssign, responses=AlertWithHistory)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: int) -> Response:
        """Give it to a person."""
        alert = alert_get(self.viewer, pk)
        said = self.told(AlertAssign)
        person = self._person(said["assignee"])
        return self._answer(alert_assign(alert=alert, assignee=person, viewer=self.viewer, note=said["note"]))

    @extend_schema(request=AlertResolve, responses=AlertWithHistory)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: int) -> Response:
        """Say that it is over."""
        alert = alert_get(self.viewer, pk)
        return self._answer(alert_resolve(alert=alert, viewer=self.viewer, **self.told(AlertResolve)))

    @extend_schema(request=AlertNote, responses=AlertWithHistory)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: int) -> Response:
        """Undo a resolution."""
        alert = alert_get(self.viewer, pk)
        return self._answer(alert_reopen(alert=alert, viewer=self.viewer, **self.told(AlertNote)))

    @extend_schema(request=AlertRemark, responses=AlertWithHistory)
    @action(detail=True, methods=["post"])
    def note(self, request: Request, pk: int) -> Response:
        """Add a line to its history."""
        alert = alert_get(self.viewer, pk)
        return self._answer(alert_note(alert=alert, viewer=self.viewer, **self.told(AlertRemark)))

    def shape_context(self) -> dict[str, Any]:
        """Add the tenant's SLAs, which alerts name by a plain id."""
        return {**super().shape_context(), "slas": {sla.pk: sla for sla in Sla.objects.all()}}

    def _answer(self, verdict: AlertVerdict) -> Response:
        if not verdict.changed:
            raise Conflict(f"Nothing changed: {verdict.reason}.")
        return self.one(alert_get(self.viewer, verdict.alert.pk), AlertWithHistory)

    def _person(self, named: str | None) -> User | None:
        if named is None:
            return None
        members = visible_members(self.viewer)
        found = members.filter(user_id=int(named)) if named.isascii() and named.isdigit() else None
        member = (members.filter(user__email=named.lower()) if found is None else found).first()
        if member is None:
            raise ValidationError({"assignee": f"'{named}' has no role here."})
        return member.user
