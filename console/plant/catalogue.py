"""Writes a tenant's configuration file into its catalogue. Only for a tenant that has none yet: people edit theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitoring.models import MappingRule, Process, Sla
from partners.models import Site, Tenant, User
from partners.roles import Role
from partners.scope import tenant_scope
from partners.services import membership_ensure, site_ensure, user_ensure

_FOLDER = Path(__file__).parent / "configuration"


def configuration_of(tenant_slug: str) -> dict[str, Any]:
    """The content of the tenant's file."""
    content: dict[str, Any] = yaml.safe_load((_FOLDER / f"{tenant_slug}.yaml").read_text(encoding="utf-8"))
    return content


def catalogue_ensure(tenant: Tenant, content: Mapping[str, Any], *, actor: str) -> bool:
    """Writes the configuration where the tenant has no process yet; says whether it did."""
    with tenant_scope(tenant.pk, actor=actor, reason="demo configuration"):
        if Process.objects.exists():
            return False
        for site in content.get("sites", ()):
            site_ensure(tenant=tenant, name=site["name"], slug=site["slug"], zone=site["zone"], actor=actor)
    people = {}
    for member in content.get("members", ()):
        people[member["email"]], _ = user_ensure(email=member["email"], name=member["name"], actor=actor)
        membership_ensure(user=people[member["email"]], role=Role(member["role"]), tenant=tenant, actor=actor)
    with tenant_scope(tenant.pk, actor=actor, reason="demo configuration"):
        processes = _processes(tenant, content, people)
        rules = content.get("mapping_rules", ())
        MappingRule.objects.bulk_create(
            _rule(tenant, position, rule, processes[rule["process"]]) for position, rule in enumerate(rules, 1)
        )
    return True


def _processes(tenant: Tenant, content: Mapping[str, Any], people: Mapping[str, User]) -> dict[str, Process]:
    sites = {site.slug: site for site in Site.objects.all()}
    processes = [
        Process(
            tenant=tenant,
            slug=stated["slug"],
            name=stated["name"],
            description=stated.get("description", ""),
            site=sites.get(stated.get("site", "")),
            owner=people.get(stated.get("owner", "")),
            criticality=stated.get("criticality", "normal"),
            regulated=stated.get("regulated", False),
            cost_per_hour=stated.get("cost_per_hour"),
        )
        for stated in content.get("processes", ())
    ]
    by_slug = {process.slug: process for process in Process.objects.bulk_create(processes)}
    Sla.objects.bulk_create(
        Sla(tenant=tenant, process=by_slug[stated["slug"]], **sla)
        for stated in content.get("processes", ())
        for sla in stated.get("slas", ())
    )
    return by_slug


def _rule(tenant: Tenant, position: int, stated: Mapping[str, Any], process: Process) -> MappingRule:
    return MappingRule(
        tenant=tenant,
        position=position,
        name=stated["name"],
        condition=stated["when"],
        process=process,
        workflow_name=stated.get("workflow_name", ""),
        keys=[{"type": key["type"], "expression": key["from"]} for key in stated.get("keys", ())],
        enabled=stated.get("enabled", True),
    )
