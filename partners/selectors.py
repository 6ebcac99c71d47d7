"""Reads of the bottom floor: what a viewer may see of tenants, sites, people, keys and brands."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from partners.models import ApiToken, Brand, IngestKey, Membership, Site, Tenant
from partners.permission import require
from partners.roles import Right
from partners.viewer import Viewer


def visible_sites(viewer: Viewer) -> QuerySet[Site]:
    """Return the tenant's sites by short name; none for a viewer who is only a supplier."""
    sites: QuerySet[Site] = Site.objects.filter(tenant=viewer.tenant)
    return (sites.none() if viewer.is_supplier_only else sites).order_by("slug", "id")


def visible_members(viewer: Viewer) -> QuerySet[Membership]:
    """Return who has a role in the tenant, its partner's people included; a supplier sees only themself."""
    here = Q(tenant=viewer.tenant) | Q(partner_id=viewer.tenant.partner_id)
    members = Membership.objects.filter(here).select_related("user").order_by("id")
    return members.filter(user=viewer.user) if viewer.is_supplier_only else members


def member_get(viewer: Viewer, pk: int) -> Membership:
    """Return one membership; raises Membership.DoesNotExist where the viewer may not see it."""
    return visible_members(viewer).get(pk=pk)


def visible_brands(viewer: Viewer) -> QuerySet[Brand]:
    """Return the looks of the tenant's host names and of its partner's own."""
    here = Q(tenant=viewer.tenant) | Q(tenant=None, partner_id=viewer.tenant.partner_id)
    brands = Brand.objects.filter(here).order_by("host", "id")
    return brands.none() if viewer.is_supplier_only else brands


def visible_ingest_keys(viewer: Viewer) -> QuerySet[IngestKey]:
    """Return the tenant's ingest keys, newest first; needs MANAGE_KEYS."""
    require(viewer, Right.MANAGE_KEYS)
    keys: QuerySet[IngestKey] = IngestKey.objects.filter(tenant=viewer.tenant)
    return keys.order_by("-id")


def visible_api_tokens(viewer: Viewer) -> QuerySet[ApiToken]:
    """Return the tenant's API tokens, newest first; without MANAGE_KEYS only the viewer's own."""
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(tenant=viewer.tenant).select_related("user")
    if not viewer.may(Right.MANAGE_KEYS):
        tokens = tokens.filter(user=viewer.user) if viewer.user else tokens.none()
    return tokens.order_by("-id")


def visible_tenants(viewer: Viewer) -> QuerySet[Tenant]:
    """Return the viewer's tenant alone: a token is of one tenant, whatever its person may open besides."""
    return Tenant.objects.filter(pk=viewer.tenant.pk).select_related("partner")


def tenant_named(name: str) -> Tenant | None:
    """Return a tenant by short name, else by name where only one has it. For commands: it asks nobody's rights."""
    by_slug = Tenant.objects.filter(slug=name).first()
    if by_slug is not None:
        return by_slug
    named = list(Tenant.objects.filter(name=name)[:2])
    return named[0] if len(named) == 1 else None
