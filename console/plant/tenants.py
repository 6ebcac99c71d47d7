"""The demo's partners and tenants: found or made, configured once, each with an ingest key for its plants."""

from __future__ import annotations

from pathlib import Path

from console.plant import progress
from console.plant.catalogue import catalogue_ensure, demo_viewer
from console.plant.keys import keep_keys, read_keys
from console.plant.plants import PLANTS
from console.plant.sign_ins import SUPPLIER_PROCESS, people_ensure
from monitoring.models import Process
from monitoring.services.grants import process_grant
from partners.keys import find_holder
from partners.models import Tenant, User
from partners.models.keys import KeyKind
from partners.roles import Role
from partners.scope import tenant_scope
from partners.services import ingest_key_issue, partner_ensure, tenant_ensure

ACTOR = "system:demo"


def demo_ensure(home: Path) -> None:
    """Makes whatever of the demo is missing. Run again it changes nothing, not even what people have edited since."""
    tenants = _tenants()
    made = [catalogue_ensure(tenant, actor=ACTOR) for tenant in tenants.values()]
    people_ensure(home, tenants, actor=ACTOR)
    if any(made):
        # What the plant remembers belongs to a database that is gone.
        (home / progress.FILE).unlink(missing_ok=True)
        _grant_supplier(tenants)
    keys_ensure(home, tenants)


def keys_ensure(home: Path, tenants: dict[str, Tenant]) -> dict[str, str]:
    """The ingest keys of these tenants; where the kept one is worthless, a new one is issued and kept."""
    kept = read_keys(home)
    keys = dict(kept)
    for slug, tenant in tenants.items():
        holder = find_holder(KeyKind.INGEST, keys.get(slug, ""))
        if holder is None or holder.tenant_id != tenant.pk:
            _, new = ingest_key_issue(tenant_id=tenant.pk, label="Reference plant", actor=ACTOR)
            keys[slug] = new.text
    if keys != kept:
        keep_keys(home, keys)
    return keys


def _tenants() -> dict[str, Tenant]:
    wanted = {plant.tenant_slug: plant for plant in PLANTS}
    tenants = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__in=wanted)}
    for slug, plant in wanted.items():
        if slug not in tenants:
            partner = partner_ensure(name=plant.partner, actor=ACTOR)
            tenants[slug] = tenant_ensure(partner=partner, name=plant.tenant, actor=ACTOR)
    return {slug: tenants[slug] for slug in wanted}


def _grant_supplier(tenants: dict[str, Tenant]) -> None:
    tenant_slug, process_slug = SUPPLIER_PROCESS
    tenant = tenants[tenant_slug]
    supplier = User.objects.get(memberships__role=Role.SUPPLIER, memberships__tenant=tenant)
    with tenant_scope(tenant.pk, actor=ACTOR, reason="demo configuration"):
        process = Process.objects.get(slug=process_slug)
        process_grant(process=process, user=supplier, viewer=demo_viewer(tenant, actor=ACTOR))
