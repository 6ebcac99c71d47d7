"""One row of every kind in a member's tenant, found by the noun that the API's route begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from governance.models import AuditEntry
from monitoring.models import (
    CatalogueVersion,
    DetectorSetting,
    IntakeDay,
    IntakeOutcome,
    LegalHold,
    PlainTry,
    Rebuild,
    TraceLog,
    WorkflowMinute,
)
from monitoring.services.grants import process_grant
from partners.models import ApiToken, Brand, Membership
from partners.services import ingest_key_issue
from tests import rows
from tests.cast import Member


@dataclass(frozen=True, slots=True)
class Scene:
    """Ids by noun; every text in the rows that may hold one holds the canary."""

    ids: Mapping[str, int]
    canary: str


def make_scene(member: Member) -> Scene:
    """Fill every table of the member's tenant."""
    canary = f"canary-{member.tenant.slug}"
    tenant = member.tenant
    key, _ = ingest_key_issue(tenant_id=tenant.pk, label=canary, actor=member.viewer.actor)
    with member.scope():
        site = rows.make_site(name=canary)
        process = rows.make_process(name=canary, site=site, owner=member.user)
        sla = rows.make_sla(process, name=canary)
        rule = rows.make_rule(process, name=canary)
        workflow = rows.make_workflow(process, name=canary)
        run = rows.make_run(workflow, key=f"order:{canary}", root_name=canary)
        event = rows.make_event(workflow, subject=canary)
        alert = rows.make_alert(workflow, title=canary, fingerprint=canary)
        letter = rows.make_dead_letter(workflow, unit_id=canary, fingerprint=canary)
        channel = rows.make_channel(name=canary)
        rows.make_notification(alert, channel)
        rows.make_attempt(workflow, unit_id=canary)
        alert.history.create(tenant=tenant, at=rows.MORNING, action="raised", actor="system:tests", actor_name=canary)
        DetectorSetting.objects.create(kind="dead_letter", thresholds={})
        WorkflowMinute.objects.create(workflow=workflow, process=workflow.process, minute=rows.MORNING)
        IntakeOutcome.objects.create(hour=rows.MORNING, signal="traces", status=400, reason=canary, requests=1)
        IntakeDay.objects.create(day=rows.MORNING.date(), signal="traces", requests=1, counted_to=0)
        PlainTry.objects.create(unit=1, place=0, began_at=rows.MORNING)
        Rebuild.objects.create(phase="runs", started_at=rows.MORNING)
        hold = LegalHold.objects.create(since=rows.MORNING.date(), reason=canary, placed_at=rows.MORNING)
        TraceLog.objects.create(trace_id=b"t" * 16, intake=rows.make_intake(signal="logs"))
        process_grant(process=process, user=member.user, viewer=member.viewer)
        assert CatalogueVersion.objects.exists()
        entry = AuditEntry.objects.filter(object_type="partners_site").get()
        token = ApiToken.objects.get(user=member.user)
        brand = Brand.objects.create(host=f"{tenant.slug}.example", partner=tenant.partner, tenant=tenant, name=canary)
    ids = {
        "alerts": alert.pk,
        "api-tokens": token.pk,
        "audit": entry.pk,
        "brands": brand.pk,
        "channels": channel.pk,
        "dead-letters": letter.pk,
        "events": event.pk,
        "ingest-keys": key.pk,
        "legal-holds": hold.pk,
        "mapping-rules": rule.pk,
        "members": Membership.objects.get(user=member.user, tenant=tenant).pk,
        "processes": process.pk,
        "runs": run.pk,
        "sites": site.pk,
        "slas": sla.pk,
        "tenants": tenant.pk,
        "workflows": workflow.pk,
    }
    return Scene(ids, canary)
