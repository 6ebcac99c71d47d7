"""Fills a tenant of a running console, through `manage.py shell`, so that every page has something to show."""

from __future__ import annotations

import sys
from datetime import timedelta

import orjson
from django.utils import timezone

from monitoring.models import IntakeOutcome, WorkflowMinute
from partners.models import Tenant, User
from partners.scope import tenant_scope
from tests import rows


def fill(slug: str) -> None:
    """Make a process that is well and one that is not, and print the ids that pages need."""
    tenant = Tenant.objects.get(slug=slug)
    now = timezone.now()
    with tenant_scope(tenant.pk, actor="system:tests"):
        site = rows.make_site(slug="hamburg", name="Hamburg plant", zone="Europe/Berlin")
        owner = User.objects.order_by("pk").first()
        release = rows.make_process(name="Order release", site=site, owner=owner, criticality="critical")
        labels = rows.make_process(name="Label printing", site=site)
        sla = rows.make_sla(release)
        rows.make_rule(release)
        workflow, printing = rows.make_workflow(release, name="release to ERP"), rows.make_workflow(labels)
        unowned = rows.make_workflow(name="nightly copy")
        run = rows.make_run(workflow, key="order:4711", started_at=now - timedelta(minutes=4), status="error")
        rows.make_run(unowned, started_at=now - timedelta(minutes=9), mapping_reason="none of 1 rules matched")
        for found in (workflow, printing, unowned):
            WorkflowMinute.objects.create(
                workflow=found, process=found.process, minute=now.replace(second=0, microsecond=0), runs=9, sla_met=9
            )
        alert = rows.make_alert(workflow, count=6, last_seen_at=now, keys=[{"type": "order", "value": "4711"}])
        rows.make_alert(workflow, kind="retry_storm", fingerprint="storm", severity="medium", last_seen_at=now)
        rows.make_dead_letter(
            workflow, fingerprint=alert.fingerprint, run=run, keys=[{"type": "order", "value": "4711"}]
        )
        IntakeOutcome.objects.create(
            hour=now, signal="traces", status=400, reason="trace_id is 8 bytes, 16 are needed", requests=2
        )
    ids = {"alert": alert.pk, "run": run.pk, "process": release.pk, "sla": sla.pk}
    sys.stdout.write(orjson.dumps(ids).decode())
