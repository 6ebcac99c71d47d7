"""usage/: what the tenant sent and what was refused, by day."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.api.views import MonitoringViewSet
from monitoring.selectors.usage import usage_by_day
from partners.api.pagination import whole
from partners.api.queries import PeriodQuery


class UsageShape(serializers.Serializer[Any]):
    """One UTC day and signal. `bytes` are counted decompressed, `bytes_stored` as kept; `refused` was turned away.

    Today's figures lag by up to six minutes.
    """

    day = serializers.DateField()
    signal = serializers.CharField()
    requests = serializers.IntegerField()
    items = serializers.IntegerField()
    bytes = serializers.IntegerField()
    bytes_stored = serializers.IntegerField()
    rejected_items = serializers.IntegerField()
    refused = serializers.IntegerField()


@extend_schema(tags=["usage"])
class UsageViewSet(MonitoringViewSet):
    """What the tenant sent."""

    queries = {"list": PeriodQuery}

    @extend_schema(responses=UsageShape(many=True))
    def list(self, request: Request) -> Response:
        """List days of the period that had traffic, newest first; 30 days unless told. Never more than one page."""
        return whole(UsageShape(usage_by_day(self.viewer, **self.asked), many=True).data)
