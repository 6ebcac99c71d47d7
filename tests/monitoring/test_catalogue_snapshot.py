"""The catalogue's snapshot: cached while nothing changes, never stale."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from monitoring.catalogue import NO_PROCESS, catalogue, process_facts
from monitoring.models import DetectorSetting, MappingRule, Process, Workflow
from partners.scope import NoTenantScope
from tests.cast import Member
from tests.rows import make_process, make_rule, make_site, make_sla, make_workflow


def test_it_says_all_that_the_pure_stages_need(owner: Member) -> None:
    with owner.scope():
        site = make_site(slug="ulm", zone="Europe/Berlin")
        process = make_process(
            name="Order release",
            owner=owner.user,
            criticality="high",
            site=site,
            cost_per_hour="1200.50",
            regulated=True,
        )
        sla = make_sla(process, name="in 5 min", target_s=300)
        rule = make_rule(process, position=4, keys=[{"type": "order", "expression": "erp.order"}])
        make_rule(process, enabled=False)
        make_workflow(process, source_key="w7", assigned=True)
        DetectorSetting.objects.create(kind="retry_storm", thresholds={"amplification": 3})
        DetectorSetting.objects.create(kind="unmapped", enabled=False)
        found = catalogue()
    facts = found.processes[process.pk]
    assert (facts.name, facts.owner, facts.cost_per_hour) == ("Order release", "owner@aster.example", 1200.5)
    assert (facts.sla_id, facts.sla_name, facts.sla_seconds) == (sla.pk, "in 5 min", 300)
    assert [(known.id, known.site_id, known.keys[0].type) for known in found.rules] == [(rule.pk, site.pk, "order")]
    assert (found.slas[process.pk][0].zone, found.sites) == ("Europe/Berlin", {"ulm": site.pk})
    assert found.assigned == {("n8n", "w7"): process.pk}
    assert dict(found.thresholds) == {"retry_storm": {"amplification": 3}}
    assert found.disabled == frozenset({"unmapped"})


def test_it_knows_nothing_of_another_tenant(owner: Member, stranger: Member) -> None:
    with owner.scope():
        make_rule(make_process())
    with stranger.scope():
        found = catalogue()
    assert (found.rules, dict(found.processes)) == ((), {})


def test_it_is_not_to_be_had_outside_a_scope(db: None) -> None:
    with pytest.raises(NoTenantScope):
        catalogue()


@pytest.mark.django_db(transaction=True)
def test_it_is_taken_once_while_nothing_changes(owner: Member) -> None:
    with owner.scope():
        make_rule(make_process())
        first = catalogue()
    with owner.scope():
        second = catalogue()
    with owner.scope():
        assert catalogue() is second
    assert first == second


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE monitoring_process SET name = 'Renamed'",
        "UPDATE monitoring_mappingrule SET enabled = false",
        "UPDATE monitoring_workflow SET process_id = NULL, assigned = false",
        "UPDATE partners_site SET zone = 'UTC'",
        "DELETE FROM monitoring_sla",
        (
            "INSERT INTO monitoring_detectorsetting (tenant_id, kind, thresholds, enabled)"
            " VALUES (current_setting('app.tenant_id')::int, 'unmapped', '{}', false)"
        ),
    ],
)
def test_it_is_taken_anew_after_any_change_by_whatever_way(owner: Member, statement: str) -> None:
    with owner.scope():
        process = make_process(site=make_site(zone="Europe/Berlin"))
        make_sla(process)
        make_rule(process)
        make_workflow(process, assigned=True)
    with owner.scope():
        before = catalogue()
    with owner.scope(), connection.cursor() as cursor:
        cursor.execute(statement)
    with owner.scope():
        after = catalogue()
    assert after.version > before.version
    assert after != before


@pytest.mark.django_db(transaction=True)
def test_a_cache_that_never_asks_for_the_version_is_caught(owner: Member) -> None:
    """The control: the snapshot taken before a change is not equal to the one after it."""
    with owner.scope():
        rule = make_rule(make_process())
    with owner.scope():
        stale = catalogue()
        MappingRule.objects.filter(pk=rule.pk).update(enabled=False)
    with owner.scope():
        assert catalogue().rules != stale.rules


@pytest.mark.django_db(transaction=True)
def test_it_keeps_nothing_of_a_change_that_was_undone(owner: Member) -> None:
    with owner.scope():
        make_process(name="Never was")
        catalogue()
        transaction.set_rollback(True)
    with owner.scope():
        assert dict(catalogue().processes) == {}
        assert Process.objects.count() == 0


def test_it_is_the_same_within_the_transaction_that_changes_it(owner: Member) -> None:
    with owner.scope():
        make_process(name="One")
        with transaction.atomic():
            make_process(name="Two")
            assert {facts.name for facts in catalogue().processes.values()} == {"One", "Two"}
        assert Workflow.objects.count() == 0


def test_it_stands_in_for_a_process_that_is_gone(owner: Member) -> None:
    with owner.scope():
        found = catalogue()
    assert process_facts(found, None) is NO_PROCESS
    assert process_facts(found, 12345) is NO_PROCESS
