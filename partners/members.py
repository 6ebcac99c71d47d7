"""What people do about who has which role in a tenant."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q

from partners.models import Membership, User
from partners.permission import require
from partners.roles import PARTNER_ROLES, Right, Role
from partners.scope import tenant_scope
from partners.services import membership_ensure, user_ensure
from partners.viewer import Viewer


@transaction.atomic
def member_add(*, email: str, role: Role, name: str = "", viewer: Viewer) -> Membership:
    """Give a person a role in the tenant; a person nobody knew is made, without a password. Twice changes nothing.

    Opens scopes of its own: a person stands above the tenants.
    """
    require(viewer, Right.MANAGE_MEMBERS)
    _refuse_partner_role(role)
    user, made = user_ensure(email=email, name=name, actor=viewer.actor)
    if not made and not _works_for(user, viewer):
        # Whoever works for others only is neither named nor enrolled here without being asked.
        raise ValidationError(
            {"email": "This address belongs to another organisation of this installation; its operator can add it."}
        )
    return membership_ensure(user=user, role=role, tenant=viewer.tenant, actor=viewer.actor)


def _works_for(user: User, viewer: Viewer) -> bool:
    """Whether the viewer may know the person: of this tenant, of its partner, or nobody's yet.

    The partner's own people know those of all its tenants; one client does not know another's.
    """
    memberships = Membership.objects.filter(user=user)
    partner_id = viewer.tenant.partner_id
    known = Q(partner_id=partner_id) | Q(tenant=viewer.tenant)
    if viewer.roles & PARTNER_ROLES:
        known |= Q(tenant__partner_id=partner_id)
    return memberships.filter(known).exists() or not memberships.exists()


def member_change(*, membership: Membership, role: Role, viewer: Viewer) -> Membership:
    """Give the person another role in place of this one."""
    _guard(membership, viewer)
    _refuse_partner_role(role)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        membership.role = role
        membership.save(update_fields=["role"])
    return membership


def member_remove(*, membership: Membership, viewer: Viewer) -> None:
    """Take the role away, from the next request on."""
    _guard(membership, viewer)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        membership.delete()


def _guard(membership: Membership, viewer: Viewer) -> None:
    require(viewer, Right.MANAGE_MEMBERS)
    if membership.tenant_id != viewer.tenant.pk:
        raise PermissionDenied(f"{membership.user} has this role at the partner; the partner alone changes it.")


def _refuse_partner_role(role: Role) -> None:
    if role in PARTNER_ROLES:
        raise ValidationError({"role": f"{role.label} is a role at the partner, over all its tenants."})
