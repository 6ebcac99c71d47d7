"""Viewer: who looks at which tenant with which rights. Every read that could leak takes one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from partners.models import Membership, Tenant, User
from partners.roles import RIGHTS, Right, Role


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person or a token in one tenant. `supplier` viewers see only the processes granted to them."""

    tenant: Tenant
    actor: str
    name: str
    rights: frozenset[Right]
    roles: frozenset[Role]
    user: User | None = None

    def may(self, right: Right) -> bool:
        """Say whether the viewer holds the right."""
        return right in self.rights

    @property
    def is_supplier_only(self) -> bool:
        """A viewer whose only roles are a supplier's is held to single grants."""
        return self.roles == {Role.SUPPLIER}


def tenants_of(user: User) -> list[Tenant]:
    """Return the tenants a person may open: their own and all of their partners', by name."""
    memberships = Membership.objects.filter(user=user)
    own = Q(pk__in=memberships.exclude(tenant=None).values("tenant_id"))
    partners = Q(partner_id__in=memberships.exclude(partner=None).values("partner_id"))
    return list(Tenant.objects.filter(own | partners).select_related("partner").order_by("partner__name", "name"))


def viewer_of(user: User, tenant: Tenant) -> Viewer | None:
    """Return the person as a viewer of the tenant, or None where they hold no role in it or are inactive."""
    of_tenant = Q(tenant_id=tenant.pk) | Q(partner_id=tenant.partner_id)
    held = Membership.objects.filter(of_tenant, user_id=user.pk).values_list("role", flat=True)
    roles = frozenset(Role(role) for role in held) if user.is_active else frozenset()
    return Viewer(tenant, f"user:{user.pk}", str(user), _rights(roles), roles, user) if roles else None


def service_viewer(tenant: Tenant, prefix: str) -> Viewer:
    """Return a tenant's service token as a viewer: a tenant administrator's rights, no person."""
    roles = frozenset({Role.TENANT_ADMIN})
    return Viewer(tenant, f"token:{prefix}", f"service token {prefix}", _rights(roles), roles)


def system_viewer(tenant: Tenant, part: str) -> Viewer:
    """Return a part of Andon itself, such as a management command, with a tenant administrator's rights."""
    roles = frozenset({Role.TENANT_ADMIN})
    return Viewer(tenant, f"system:{part}", f"Andon {part}", _rights(roles), roles)


def _rights(roles: Iterable[Role]) -> frozenset[Right]:
    return frozenset().union(*(RIGHTS[role] for role in roles))
