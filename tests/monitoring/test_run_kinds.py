"""What many runs have in common stands once, whoever tells of it and however often."""

from __future__ import annotations

import pytest
from django.db import transaction

from monitoring.models import Run, RunKind, Workflow
from monitoring.project import run_kinds
from monitoring.project.run_kinds import KindRow, digest_of, ensure_kinds, kinds_by_id
from monitoring.services.catalogue import workflow_assign
from tests.cast import Member
from tests.monitoring.line import span, take, traces
from tests.rows import make_process

PLAIN = KindRow(3, 'rule 1 "release" holds', "7", "declared", None, ("erp-bridge", "mes"))


def test_it_gives_equal_kinds_one_row_and_reads_it_back(owner: Member) -> None:
    with owner.scope():
        other = PLAIN._replace(sla_id=5)
        ids = ensure_kinds([PLAIN, other, PLAIN], owner.tenant.pk)
        assert ensure_kinds([PLAIN], owner.tenant.pk) == {PLAIN: ids[PLAIN]}
        assert RunKind.objects.count() == 2
        assert kinds_by_id(ids.values()) == {ids[PLAIN]: PLAIN, ids[other]: other}


def test_each_tenant_has_kinds_of_its_own(owner: Member, stranger: Member) -> None:
    with owner.scope():
        mine = ensure_kinds([PLAIN], owner.tenant.pk)[PLAIN]
    with stranger.scope():
        theirs = ensure_kinds([PLAIN], stranger.tenant.pk)[PLAIN]
        assert mine != theirs
        assert kinds_by_id([mine]) == {}


@pytest.mark.parametrize(
    "other",
    [
        PLAIN._replace(mapping_reason="a", version="bc"),
        PLAIN._replace(mapping_reason="a\x1fb", version="c"),
        PLAIN._replace(mapping_reason="a", version="b", services=("c",)),
        PLAIN._replace(mapping_rule_id=5, sla_id=None),
        PLAIN._replace(mapping_rule_id=None, sla_id=5),
        PLAIN._replace(services=("erp-bridge mes",)),
    ],
)
def test_texts_that_run_into_one_another_are_told_apart(other: KindRow) -> None:
    assert digest_of(other) not in {digest_of(PLAIN), digest_of(PLAIN._replace(mapping_reason="ab", version="c"))}


@pytest.mark.django_db(transaction=True)
def test_it_remembers_nothing_of_a_request_that_was_rolled_back(owner: Member) -> None:
    with owner.scope():
        ensure_kinds([PLAIN], owner.tenant.pk)
        transaction.set_rollback(True)
    assert run_kinds._cached == {}
    with owner.scope():
        assert RunKind.objects.filter(pk__in=ensure_kinds([PLAIN], owner.tenant.pk).values()).count() == 1
    assert len(run_kinds._cached) == 1


def test_a_request_may_bring_nineteen_thousand(owner: Member) -> None:
    kinds = [PLAIN._replace(version=str(number)) for number in range(19_000)]
    with owner.scope():
        ids = ensure_kinds(kinds, owner.tenant.pk)
        assert len(set(ids.values())) == 19_000
        assert ensure_kinds(kinds, owner.tenant.pk) == ids


def test_a_run_that_a_second_service_tells_of_is_of_another_kind(owner: Member) -> None:
    for service, trace in [("erp", 1), ("erp", 2), ("mes", 1)]:
        take(owner.tenant.pk, traces(span("release", trace=trace, number=trace), service=service))
    with owner.scope():
        kinds = dict(Run.objects.values_list("trace_id", "kind__services"))
        assert {bytes(trace_id)[-1]: services for trace_id, services in kinds.items()} == {
            1: ["erp", "mes"],
            2: ["erp"],
        }
        # Of the service that told alone a row was looked for before anybody knew of the first.
        assert sorted(RunKind.objects.values_list("services", flat=True)) == [["erp"], ["erp", "mes"], ["mes"]]


def test_runs_of_a_hundred_kinds_go_along_when_their_automation_is_given_a_process(owner: Member) -> None:
    said = {"andon.workflow": "release", "andon.workflow.name": "Release"}
    versions = [{**said, "andon.workflow.version": str(number % 100)} for number in range(300)]
    take(owner.tenant.pk, traces(*(span("release", trace=n, said=words) for n, words in enumerate(versions, 1))))
    with owner.scope():
        process = make_process(name="Order release")
        loose = Workflow.objects.get()
    placed = workflow_assign(workflow_id=loose.pk, process_id=process.pk, viewer=owner.viewer)
    assert placed.runs == 300
    with owner.scope():
        found = Run.objects.filter(process=process).values_list("kind__version", "kind__mapping_reason").distinct()
        assert sorted(found) == sorted(
            (str(number), f"no rule matched; assigned to Order release by {owner.viewer.name}") for number in range(100)
        )
