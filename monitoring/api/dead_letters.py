"""dead-letters/: units of work that no automation will try again by itself."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.references import BusinessKeyShape, RowOfProcess, hexadecimal
from monitoring.api.views import KeyedQuery, MonitoringViewSet
from monitoring.models import DeadLetter
from monitoring.models.telemetry import DeadLetterState
from monitoring.selectors.dead_letters import dead_letter_get, dead_letters_filtered
from monitoring.services.dead_letters import DeadLetterVerdict, dead_letter_accept, dead_letter_discard
from partners.api.problems import Conflict


class DeadLetterShape(RowOfProcess):
    """One stuck unit of work, and who settled it how."""

    id = serializers.IntegerField()
    unit_id = serializers.CharField(help_text="The same over all attempts at the unit.")
    state = serializers.ChoiceField(choices=DeadLetterState.choices)
    destination = serializers.CharField(help_text="The queue, topic or endpoint it died in.")
    step = serializers.CharField()
    error_class = serializers.CharField()
    message = serializers.CharField()
    run_id = serializers.IntegerField(allow_null=True)
    event_id = serializers.IntegerField(allow_null=True)
    span_id = serializers.SerializerMethodField()
    attempts = serializers.IntegerField()
    deaths = serializers.IntegerField()
    keys = BusinessKeyShape(many=True)
    value = serializers.FloatField(allow_null=True, help_text="Money at stake, where the source states it.")
    confidence = serializers.CharField()
    died_at = serializers.DateTimeField()
    fingerprint = serializers.CharField(help_text="Of the alert it belongs to.")
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_by = serializers.CharField()
    settled_reason = serializers.CharField()

    def get_span_id(self, dead_letter: DeadLetter) -> str | None:
        """Return it in hexadecimal."""
        return hexadecimal(dead_letter.span_id)


class DeadLetterQuery(KeyedQuery):
    """What dead letters are filtered by; the period is that of their death."""

    state = serializers.ChoiceField(choices=DeadLetterState.choices, required=False)
    destination = serializers.CharField(required=False, max_length=300)
    error_class = serializers.CharField(required=False, max_length=200)
    fingerprint = serializers.CharField(required=False, max_length=200)


class DeadLetterReason(serializers.Serializer[Any]):
    """Why; it stands in the audit trail."""

    reason = serializers.CharField(max_length=4000)


@extend_schema(tags=["dead letters"])
class DeadLettersViewSet(MonitoringViewSet):
    """Dead letters. A decision that comes too late answers 409 and says who was faster."""

    queries = {"list": DeadLetterQuery}

    @extend_schema(responses=DeadLetterShape(many=True))
    def list(self, request: Request) -> Response:
        """List dead letters, newest first."""
        return self.page(dead_letters_filtered(self.viewer, **self.filters()), DeadLetterShape)

    @extend_schema(responses=DeadLetterShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one dead letter."""
        return self.one(dead_letter_get(self.viewer, pk), DeadLetterShape)

    @extend_schema(request=DeadLetterReason, responses=DeadLetterShape)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: int) -> Response:
        """Accept that it is lost and stays where it is."""
        letter = dead_letter_get(self.viewer, pk)
        return self._answer(dead_letter_accept(dead_letter=letter, viewer=self.viewer, **self.told(DeadLetterReason)))

    @extend_schema(request=DeadLetterReason, responses=DeadLetterShape)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: int) -> Response:
        """Say that it is not needed any more."""
        letter = dead_letter_get(self.viewer, pk)
        return self._answer(dead_letter_discard(dead_letter=letter, viewer=self.viewer, **self.told(DeadLetterReason)))

    def _answer(self, verdict: DeadLetterVerdict) -> Response:
        if not verdict.changed:
            raise Conflict(f"Nothing changed: {verdict.reason}.")
        return self.one(verdict.dead_letter, DeadLetterShape)
