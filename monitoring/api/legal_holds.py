"""legal-holds/: what was received is kept beyond its retention until the hold is released."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.views import MonitoringViewSet
from monitoring.models import LegalHold
from monitoring.selectors.legal_holds import visible_holds
from monitoring.services.legal_holds import hold_place, hold_release


class LegalHoldShape(serializers.Serializer[Any]):
    """Days of the intake log, both included, that retention leaves alone; without `until` whatever comes, too."""

    id = serializers.IntegerField(read_only=True)
    since = serializers.DateField()
    until = serializers.DateField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(max_length=2000)
    placed_at = serializers.DateTimeField(read_only=True)
    placed_by = serializers.CharField(read_only=True)
    released_at = serializers.DateTimeField(read_only=True, allow_null=True)
    released_by = serializers.CharField(read_only=True)
    released_reason = serializers.CharField(read_only=True)


class ReleaseShape(serializers.Serializer[Any]):
    """Why the hold ends."""

    reason = serializers.CharField(max_length=2000)


@extend_schema(tags=["legal-holds"])
class LegalHoldsViewSet(MonitoringViewSet):
    """Legal holds."""

    @extend_schema(responses=LegalHoldShape(many=True))
    def list(self, request: Request) -> Response:
        """List holds, newest first, released ones too."""
        return self.page(visible_holds(self.viewer), LegalHoldShape)

    @extend_schema(responses=LegalHoldShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one hold."""
        return self.one(visible_holds(self.viewer).get(pk=pk), LegalHoldShape)

    @extend_schema(request=LegalHoldShape, responses={201: LegalHoldShape})
    def create(self, request: Request) -> Response:
        """Place a hold."""
        return self.one(hold_place(**self.told(LegalHoldShape), viewer=self.viewer), LegalHoldShape, 201)

    @extend_schema(request=ReleaseShape, responses=LegalHoldShape)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: int) -> Response:
        """Release a hold; a hold that is released already stays as it is."""
        hold: LegalHold = visible_holds(self.viewer).get(pk=pk)
        reason = self.told(ReleaseShape)["reason"]
        return self.one(hold_release(hold=hold, reason=reason, viewer=self.viewer).hold, LegalHoldShape)
