"""Applies configuration files to a tenant: in one transaction, and again without any change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from monitoring.configuration.checking import refuse_misfits
from monitoring.configuration.difference import Change, difference
from monitoring.configuration.document import Entry
from monitoring.configuration.faults import ConfigurationError, Fault
from monitoring.configuration.state import state
from monitoring.models import Channel, DetectorSetting, MappingRule, Process, Sla, Workflow
from monitoring.services.catalogue import process_save, sla_save, workflow_assign
from monitoring.services.channels import channel_save
from monitoring.services.mapping_rules import mapping_rule_save
from partners.models import Site, User
from partners.roles import Role
from partners.rows import row_save
from partners.scope import tenant_scope
from partners.services import membership_ensure, user_ensure
from partners.sites import site_save
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Applied:
    """What was changed, or would be; `secrets` are signing secrets by channel, known only now."""

    changes: tuple[Change, ...]
    secrets: Mapping[str, str]


@transaction.atomic
def configuration_apply(*, entries: Sequence[Entry], viewer: Viewer, dry_run: bool = False) -> Applied:
    """Make the entries true of the viewer's tenant; raises ConfigurationError and changes nothing where they can't be.

    Opens scopes of its own: people stand above the tenants.
    """
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor):
        known = state()
    changes = difference(entries, known)
    refuse_misfits(changes, known, entries)
    if dry_run:
        return Applied(changes, {})
    secrets: dict[str, str] = {}
    for change in changes:
        if change.entry.section == "members":
            _member(change, viewer)
    with tenant_scope(viewer.tenant.pk, actor=viewer.actor, reason="configuration applied"):
        for change in changes:
            secrets |= _written(change, viewer)
    return Applied(changes, secrets)


def _written(change: Change, viewer: Viewer) -> dict[str, str]:
    write = _WRITERS.get(change.entry.section)
    try:
        return (write(change, viewer) or {}) if write else {}
    except ValidationError as error:
        raise ConfigurationError([Fault(change.entry.place, message) for message in error.messages]) from error


def _member(change: Change, viewer: Viewer) -> None:
    email, role = change.entry.key
    user, _ = user_ensure(email=email, name=change.fields.get("name", ""), actor=viewer.actor)
    membership_ensure(user=user, role=Role(role), tenant=viewer.tenant, actor=viewer.actor)


def _site(change: Change, viewer: Viewer) -> None:
    slug = change.entry.key[0]
    site = None if change.makes else Site.objects.get(slug=slug)
    site_save(site=site, fields={"slug": slug, **change.fields}, viewer=viewer)


def _process(change: Change, viewer: Viewer) -> None:
    slug = change.entry.key[0]
    fields = {"slug": slug, **change.fields}
    if fields.get("site") is not None:
        fields["site"] = Site.objects.get(slug=fields["site"])
    if fields.get("owner") is not None:
        fields["owner"] = User.objects.get(email=fields["owner"])
    process_save(process=None if change.makes else _process_of(slug), fields=fields, viewer=viewer)


def _sla(change: Change, viewer: Viewer) -> None:
    process, name = _process_of(change.entry.key[0]), change.entry.key[1]
    sla = None if change.makes else Sla.objects.get(process=process, name=name)
    sla_save(sla=sla, fields={"process": process, "name": name, **change.fields}, viewer=viewer)


def _mapping_rule(change: Change, viewer: Viewer) -> None:
    name = change.entry.key[0]
    rule = None if change.makes else MappingRule.objects.get(name=name)
    mapping_rule_save(rule=rule, fields={"name": name, **_with_process(change.fields)}, viewer=viewer)


def _workflow(change: Change, viewer: Viewer) -> None:
    """An assignment may come before the automation is first seen."""
    system, key = change.entry.key
    workflow, _ = Workflow.objects.get_or_create(
        source_system=system,
        source_key=key,
        defaults={
            "tenant": viewer.tenant,
            "name": change.fields.get("name", key),
            "first_seen_at": timezone.now(),
        },
    )
    if "name" in change.fields:
        row_save(workflow, {"name": change.fields["name"]})
    if "process" in change.fields:
        process = _process_of(change.fields["process"])
        workflow_assign(workflow_id=workflow.pk, process_id=process.pk, viewer=viewer)


def _detector(change: Change, viewer: Viewer) -> None:
    defaults = {"tenant": viewer.tenant, **change.fields}
    DetectorSetting.objects.update_or_create(kind=change.entry.key[0], defaults=defaults)


def _channel(change: Change, viewer: Viewer) -> dict[str, str]:
    name = change.entry.key[0]
    channel = None if change.makes else Channel.objects.get(name=name)
    saved = channel_save(channel=channel, fields={"name": name, **change.fields}, viewer=viewer)
    return {name: saved.new_secret} if saved.new_secret else {}


def _process_of(slug: str) -> Process:
    found: Process = Process.objects.get(slug=slug)
    return found


def _with_process(fields: Mapping[str, Any]) -> dict[str, Any]:
    if "process" not in fields:
        return dict(fields)
    return {**fields, "process": _process_of(fields["process"])}


_WRITERS: Mapping[str, Callable[[Change, Viewer], dict[str, str] | None]] = {
    "sites": _site,
    "processes": _process,
    "slas": _sla,
    "mapping_rules": _mapping_rule,
    "workflows": _workflow,
    "detectors": _detector,
    "channels": _channel,
}
