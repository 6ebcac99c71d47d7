"""sites/: the plants of a tenant."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from partners.api.views import TenantViewSet
from partners.models.tenancy import validate_zone
from partners.selectors import visible_sites
from partners.sites import site_remove, site_save


class SiteShape(serializers.Serializer[Any]):
    """A plant; `zone` is the IANA time zone its daily deadlines are in."""

    id = serializers.IntegerField(read_only=True)
    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    zone = serializers.CharField(max_length=60, default="UTC", validators=[validate_zone])


@extend_schema(tags=["sites"])
class SitesViewSet(TenantViewSet):
    """The plants of the tenant."""

    @extend_schema(responses=SiteShape(many=True))
    def list(self, request: Request) -> Response:
        """List the sites."""
        return self.page(visible_sites(self.viewer), SiteShape)

    @extend_schema(responses=SiteShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one site."""
        return self.one(visible_sites(self.viewer).get(pk=pk), SiteShape)

    @extend_schema(request=SiteShape, responses={201: SiteShape})
    def create(self, request: Request) -> Response:
        """Make a site."""
        return self.one(site_save(fields=self.told(SiteShape), viewer=self.viewer), SiteShape, 201)

    @extend_schema(request=SiteShape(partial=True), responses=SiteShape)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change the fields named."""
        site = visible_sites(self.viewer).get(pk=pk)
        fields = self.told(SiteShape, partial=True)
        return self.one(site_save(site=site, fields=fields, viewer=self.viewer), SiteShape)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove a site that no process stands at."""
        site_remove(site=visible_sites(self.viewer).get(pk=pk), viewer=self.viewer)
        return Response(status=204)
