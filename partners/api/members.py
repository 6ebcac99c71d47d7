"""members/: who has which role in a tenant."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from partners.api.references import PersonRef
from partners.api.views import TenantViewSet
from partners.api.words import choices_of
from partners.members import member_add, member_change, member_remove
from partners.models import Membership
from partners.roles import PARTNER_ROLES, Role
from partners.scope import tenant_scope
from partners.selectors import member_get, visible_members

TENANT_ROLES = choices_of(Role, without=PARTNER_ROLES)


class MemberShape(serializers.Serializer[Any]):
    """A person's role; `scope` is `partner` where it covers all the partner's tenants."""

    id = serializers.IntegerField()
    user = PersonRef()
    role = serializers.ChoiceField(choices=choices_of(Role))
    scope = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_scope(self, member: Membership) -> str:
        """Say whether the role is the tenant's or the partner's."""
        return "partner" if member.tenant_id is None else "tenant"


class MemberNew(serializers.Serializer[Any]):
    """Whom to give a role; an unknown address makes a person without a password."""

    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=120, required=False, default="", allow_blank=True)
    role = serializers.ChoiceField(choices=TENANT_ROLES)


class MemberChange(serializers.Serializer[Any]):
    """The role to have from now on."""

    role = serializers.ChoiceField(choices=TENANT_ROLES)


@extend_schema(tags=["members"])
class MembersViewSet(TenantViewSet):
    """The people of the tenant and their roles."""

    above_tenants = frozenset({"create"})

    @extend_schema(responses=MemberShape(many=True))
    def list(self, request: Request) -> Response:
        """List who has a role in the tenant."""
        return self.page(visible_members(self.viewer), MemberShape)

    @extend_schema(responses=MemberShape)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Return one membership."""
        return self.one(member_get(self.viewer, pk), MemberShape)

    @extend_schema(request=MemberNew, responses={201: MemberShape})
    def create(self, request: Request) -> Response:
        """Give a person a role in the tenant."""
        said = self.told(MemberNew)
        member = member_add(email=said["email"], name=said["name"], role=Role(said["role"]), viewer=self.viewer)
        with tenant_scope(self.viewer.tenant.pk, actor=self.viewer.actor):
            return self.one(member_get(self.viewer, member.pk), MemberShape, 201)

    @extend_schema(request=MemberChange, responses=MemberShape)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Give the person another role."""
        member = member_get(self.viewer, pk)
        role = Role(self.told(MemberChange)["role"])
        return self.one(member_change(membership=member, role=role, viewer=self.viewer), MemberShape)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Take the role away."""
        member_remove(membership=member_get(self.viewer, pk), viewer=self.viewer)
        return Response(status=204)
