"""tenants/: the tenant the token is of; for a signed-in person, all they may open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from partners.api.authentication import SessionAuthentication
from partners.api.pagination import whole
from partners.api.references import TenantRef
from partners.api.views import TenantViewSet
from partners.models import Tenant
from partners.selectors import visible_tenants
from partners.viewer import tenants_of


class PartnerRef(serializers.Serializer[Any]):
    """A partner by id, short name and name."""

    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()


class TenantShape(TenantRef):
    """A client organisation and the partner that serves it."""

    partner = PartnerRef()
    created_at = serializers.DateTimeField()


@extend_schema(tags=["tenants"])
class TenantsViewSet(TenantViewSet):
    """The client organisations."""

    @extend_schema(responses=TenantShape(many=True))
    def list(self, request: Request) -> Response:
        """List the tenants this key or person may open."""
        return whole(TenantShape(self._rows(), many=True).data)

    @extend_schema(responses=TenantShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one tenant."""
        found = next((tenant for tenant in self._rows() if tenant.pk == pk), None)
        if found is None:
            raise Tenant.DoesNotExist
        return self.one(found, TenantShape)

    def _rows(self) -> Sequence[Tenant]:
        if self.viewer.user is not None and isinstance(self.request.successful_authenticator, SessionAuthentication):
            return tenants_of(self.viewer.user)
        return tuple(visible_tenants(self.viewer))
