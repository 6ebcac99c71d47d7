"""brands/: what host names look like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from partners.api.views import TenantViewSet
from partners.selectors import visible_brands


class BrandShape(serializers.Serializer[Any]):
    """The look of one host name. It decides no access."""

    id = serializers.IntegerField()
    host = serializers.CharField()
    name = serializers.CharField()
    accent = serializers.CharField(help_text="A colour such as #2f5fd0.")


@extend_schema(tags=["brands"])
class BrandsViewSet(TenantViewSet):
    """The looks of the tenant's host names and of its partner's own."""

    @extend_schema(responses=BrandShape(many=True))
    def list(self, request: Request) -> Response:
        """List the brands."""
        return self.page(visible_brands(self.viewer), BrandShape)

    @extend_schema(responses=BrandShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one brand."""
        return self.one(visible_brands(self.viewer).get(pk=pk), BrandShape)
