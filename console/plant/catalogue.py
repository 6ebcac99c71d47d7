"""Applies a demo tenant's configuration file. Only where the tenant has no process yet: people edit theirs."""

from __future__ import annotations

from pathlib import Path

from monitoring.configuration.applying import configuration_apply
from monitoring.configuration.document import Entry, parse
from monitoring.models import Process
from partners.models import Tenant
from partners.roles import Right, Role
from partners.scope import tenant_scope
from partners.viewer import Viewer

_FOLDER = Path(__file__).parent / "configuration"


def entries_of(tenant_slug: str) -> tuple[Entry, ...]:
    """What the tenant's file says."""
    file = _FOLDER / f"{tenant_slug}.yaml"
    return parse([(file.name, file.read_text(encoding="utf-8"))])


def catalogue_ensure(tenant: Tenant, *, actor: str) -> bool:
    """Applies the tenant's file where it has no process yet; says whether it did."""
    with tenant_scope(tenant.pk, actor=actor):
        if Process.objects.exists():
            return False
    configuration_apply(entries=entries_of(tenant.slug), viewer=demo_viewer(tenant, actor=actor))
    return True


def demo_viewer(tenant: Tenant, *, actor: str) -> Viewer:
    """Who sets up the demo: nobody in particular, with all rights in the one tenant."""
    return Viewer(tenant, actor, "Demo", frozenset(Right), frozenset({Role.TENANT_ADMIN}))
