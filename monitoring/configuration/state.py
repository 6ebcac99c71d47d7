"""A tenant's catalogue as entries: what files are compared with, and what export writes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from monitoring.configuration.document import Entry
from monitoring.models import Channel, DetectorSetting, MappingRule, Process, Sla, Workflow
from partners.models import Membership, Site
from partners.scope import current_tenant_id


def state() -> tuple[Entry, ...]:
    """Return the open scope's tenant, section by section in the order in which one needs the other."""
    return (
        *_sites(),
        *_members(),
        *_processes(),
        *_slas(),
        *_mapping_rules(),
        *_workflows(),
        *_detectors(),
        *_channels(),
    )


def _sites() -> Iterator[Entry]:
    for site in Site.objects.order_by("slug"):
        yield Entry("sites", (site.slug,), {"name": site.name, "zone": site.zone})


def _members() -> Iterator[Entry]:
    members = Membership.objects.filter(tenant_id=current_tenant_id()).select_related("user")
    for member in members.order_by("user__email", "role"):
        yield Entry("members", (member.user.email, member.role), {"name": member.user.name})


def _processes() -> Iterator[Entry]:
    for process in Process.objects.select_related("site", "owner").order_by("slug"):
        fields = {
            "name": process.name,
            "description": process.description,
            "site": process.site.slug if process.site else None,
            "owner": process.owner.email if process.owner else None,
            "criticality": process.criticality,
            "regulated": process.regulated,
            "cost_per_hour": process.cost_per_hour,
        }
        yield Entry("processes", (process.slug,), fields)


def _slas() -> Iterator[Entry]:
    for sla in Sla.objects.select_related("process").order_by("process__slug", "id"):
        fields = {
            "kind": sla.kind,
            "target_s": sla.target_s,
            "due_attribute": sla.due_attribute,
            "due_local": sla.due_local,
            "objective": Decimal(sla.objective).quantize(Decimal("0.01")),
        }
        yield Entry("slas", (sla.process.slug, sla.name), fields)


def _mapping_rules() -> Iterator[Entry]:
    for rule in MappingRule.objects.select_related("process").order_by("position", "id"):
        fields = {
            "condition": rule.condition,
            "process": rule.process.slug,
            "workflow_name": rule.workflow_name,
            "keys": rule.keys,
            "enabled": rule.enabled,
            "position": rule.position,
        }
        yield Entry("mapping_rules", (rule.name,), fields)


def _workflows() -> Iterator[Entry]:
    given = Workflow.objects.filter(assigned=True).exclude(process=None).select_related("process")
    for workflow in given.order_by("source_system", "source_key"):
        fields = {"name": workflow.name, "process": workflow.process.slug if workflow.process else None}
        yield Entry("workflows", (workflow.source_system, workflow.source_key), fields)


def _detectors() -> Iterator[Entry]:
    for setting in DetectorSetting.objects.order_by("kind"):
        thresholds = {name: float(value) for name, value in setting.thresholds.items()}
        yield Entry("detectors", (setting.kind,), {"enabled": setting.enabled, "thresholds": thresholds})


def _channels() -> Iterator[Entry]:
    for channel in Channel.objects.order_by("name"):
        fields = {
            "kind": channel.kind,
            "target": channel.target,
            "min_severity": channel.min_severity,
            "kinds": channel.kinds,
            "enabled": channel.enabled,
        }
        yield Entry("channels", (channel.name,), fields)
