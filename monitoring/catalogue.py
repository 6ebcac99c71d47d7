"""The tenant's catalogue as a frozen snapshot, taken again only when the database says that it changed."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType

from django.db import transaction

from monitoring.findings import ProcessFacts
from monitoring.models import Channel, DetectorSetting, MappingRule, Process, Sla, Workflow
from monitoring.models.catalogue import SlaKind
from monitoring.rules import Catalogue, ChannelRule, KeyRule, Rule, SlaRule
from partners.database.statements import Asked, ask
from partners.models import Site
from partners.scope import current_tenant_id

_cached: dict[int, Catalogue] = {}
_VERSION = "SELECT version FROM monitoring_catalogueversion WHERE tenant_id = current_setting('app.tenant_id')::int"


def last_known(tenant_id: int) -> Catalogue | None:
    """Return the snapshot that this process took last; whether it still holds is not asked."""
    return _cached.get(tenant_id)


def ask_of_version() -> Asked:
    """Ask for what `catalogue` has to know first, along with other things."""
    return ask(_VERSION, [])


def catalogue(asked: Asked | None = None) -> Catalogue:
    """Return the catalogue of the open scope's tenant; `asked` may have asked for its version already."""
    tenant_id = current_tenant_id()
    # By each request, so past the ORM, whose compiling costs more than the answer.
    found = (asked or ask_of_version()).rows()
    version = int(found[0][0]) if found else 0
    known = _cached.get(tenant_id)
    if known is not None and known.version == version:
        return known
    snapshot = _take(tenant_id, version)
    # What this transaction itself changed is not cached before it commits: it may yet be undone.
    transaction.on_commit(lambda: _cached.__setitem__(tenant_id, snapshot))
    return snapshot


def _take(tenant_id: int, version: int) -> Catalogue:
    sites = {site.pk: site for site in Site.objects.all()}
    processes = {process.pk: process for process in Process.objects.select_related("owner")}
    slas: dict[int, list[SlaRule]] = defaultdict(list)
    for sla in Sla.objects.order_by("pk"):
        site = sites.get(processes[sla.process_id].site_id or 0)
        slas[sla.process_id].append(_sla_rule(sla, site.zone if site else "UTC"))
    rules = MappingRule.objects.filter(enabled=True).order_by("position", "pk")
    assigned = Workflow.objects.filter(assigned=True).exclude(process=None)
    settings = DetectorSetting.objects.filter(enabled=True)
    return Catalogue(
        tenant_id=tenant_id,
        version=version,
        rules=tuple(_rule(rule, processes[rule.process_id]) for rule in rules),
        processes=MappingProxyType({pk: _facts(process, slas[pk]) for pk, process in processes.items()}),
        slas=MappingProxyType({pk: tuple(found) for pk, found in slas.items()}),
        assigned=MappingProxyType({(w.source_system, w.source_key): w.process_id for w in assigned if w.process_id}),
        sites=MappingProxyType({site.slug: pk for pk, site in sites.items()}),
        thresholds=MappingProxyType({setting.kind: setting.thresholds for setting in settings}),
        disabled=frozenset(DetectorSetting.objects.filter(enabled=False).values_list("kind", flat=True)),
        channels=enabled_channels(),
    )


def enabled_channels() -> tuple[ChannelRule, ...]:
    """Return what the tenant's channels carry, of those that are switched on."""
    channels = Channel.objects.filter(enabled=True).order_by("pk")
    return tuple(ChannelRule(channel.pk, channel.min_severity, tuple(channel.kinds)) for channel in channels)


def _rule(rule: MappingRule, process: Process) -> Rule:
    return Rule(
        id=rule.pk,
        position=rule.position,
        name=rule.name,
        condition=rule.condition,
        process_id=rule.process_id,
        workflow_name=rule.workflow_name,
        site_id=process.site_id,
        keys=tuple(KeyRule(key["type"], key["expression"]) for key in rule.keys),
    )


def _sla_rule(sla: Sla, zone: str) -> SlaRule:
    return SlaRule(sla.pk, sla.process_id, sla.name, sla.kind, sla.target_s, sla.due_attribute, sla.due_local, zone)


def _facts(process: Process, slas: list[SlaRule]) -> ProcessFacts:
    durations = [sla for sla in slas if sla.kind == SlaKind.DURATION]
    first = next(iter((*durations, *slas)), None)
    return ProcessFacts(
        id=process.pk,
        name=process.name,
        criticality=process.criticality,
        owner=str(process.owner) if process.owner else "",
        regulated=process.regulated,
        sla_id=first.id if first else None,
        sla_name=first.name if first else "",
        sla_seconds=first.target_s if first else None,
        cost_per_hour=float(process.cost_per_hour) if process.cost_per_hour is not None else None,
    )


#: Stands in for the process of what nobody owns yet.
NO_PROCESS = ProcessFacts(id=None, name="", criticality="normal", owner="")


def process_facts(snapshot: Catalogue, process_id: int | None) -> ProcessFacts:
    """Return what is known of a process, or the stand-in for none."""
    return snapshot.processes.get(process_id, NO_PROCESS) if process_id is not None else NO_PROCESS
