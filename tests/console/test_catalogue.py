"""The catalogue page: who owns what?"""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError

from governance.models import AuditEntry
from monitoring.models import Alert, Event, Process, Run, Sla, Workflow
from monitoring.services.catalogue import process_save, workflow_assign
from partners.permission import RightMissing
from tests import rows
from tests.cast import Member
from tests.console.pages import at, signed_in


@pytest.fixture(autouse=True)
def _no_figures_of_other_tests() -> None:
    cache.clear()


def test_the_queue_says_why_no_rule_matched_and_suggests_a_process(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process(name="Order release")
        rows.make_process(name="Label printing")
        workflow = rows.make_workflow(name="orders.tasks.release", source_system="celery")
        rows.make_run(workflow, mapping_reason="none of 2 rules matched: service.namespace is missing")
    page = signed_in(owner).get(at(owner, "catalogue/")).text
    assert "none of 2 rules matched: service.namespace is missing" in page
    assert f'<option value="{process.pk}" selected>Order release (suggested)</option>' in page


def test_assigning_brings_runs_events_and_alerts_along(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process(name="Order release", site=rows.make_site())
        workflow = rows.make_workflow(name="nightly")
        run, event = rows.make_run(workflow), rows.make_event(workflow)
        unmapped = rows.make_alert(workflow, kind="unmapped", severity="low", fingerprint=f"unmapped:{workflow.pk}")
        dead = rows.make_alert(workflow)
    answer = signed_in(owner).post(at(owner, f"catalogue/workflows/{workflow.pk}/assign/"), {"process": process.pk})
    assert answer.status_code == 200
    assert "nightly now serves Order release. 1 runs and 1 events came along." in answer["HX-Trigger"]
    with owner.scope():
        workflow = Workflow.objects.get(pk=workflow.pk)
        assert (workflow.process_id, workflow.assigned) == (process.pk, True)
        assert Run.objects.get(pk=run.pk).site_id == process.site_id
        assert Event.objects.get(pk=event.pk).process_id == process.pk
        assert Alert.objects.get(pk=dead.pk).process_id == process.pk
        resolved = Alert.objects.get(pk=unmapped.pk)
        assert (resolved.status, resolved.resolution) == ("resolved", "assigned to Order release")


def test_assigning_is_audited_with_its_reason_and_twice_equals_once(owner: Member) -> None:
    with owner.scope():
        process, workflow = rows.make_process(), rows.make_workflow()
        for _ in range(2):
            workflow_assign(
                workflow_id=workflow.pk, process_id=process.pk, viewer=owner.viewer, reason="it prints labels"
            )
        entries = AuditEntry.objects.filter(object_type="monitoring_workflow", action="update")
        assert [(entry.actor, entry.reason) for entry in entries] == [(owner.viewer.actor, "it prints labels")]


def test_neither_a_stranger_nor_an_observer_assigns(owner: Member, stranger: Member, observer: Member) -> None:
    with owner.scope():
        process, workflow = rows.make_process(), rows.make_workflow()
    with stranger.scope():
        foreign = rows.make_process()
    path = f"catalogue/workflows/{workflow.pk}/assign/"
    assert signed_in(stranger).post(at(owner, path), {"process": process.pk}).status_code == 404
    assert signed_in(stranger).post(at(stranger, path), {"process": foreign.pk}).status_code == 404
    assert signed_in(owner).post(at(owner, path), {"process": foreign.pk}).status_code == 404
    assert signed_in(observer).post(at(observer, path), {"process": process.pk}).status_code == 403
    with owner.scope(), pytest.raises(RightMissing):
        workflow_assign(workflow_id=workflow.pk, process_id=process.pk, viewer=observer.viewer)


def test_assigning_nothing_says_what_to_do(owner: Member) -> None:
    with owner.scope():
        workflow = rows.make_workflow()
    answer = signed_in(owner).post(at(owner, f"catalogue/workflows/{workflow.pk}/assign/"), {"process": ""})
    assert "Choose a process first" in answer["HX-Trigger"]


def test_a_process_is_added_and_changed(owner: Member) -> None:
    client = signed_in(owner)
    form = {"name": "Order release", "owner": owner.user.pk, "criticality": "critical"}
    answer = client.post(at(owner, "catalogue/processes/new/"), form)
    with owner.scope():
        process = Process.objects.get()
    assert answer["Location"] == at(owner, f"catalogue/processes/{process.pk}/")
    assert (process.slug, process.owner_id, process.criticality) == ("order-release", owner.user.pk, "critical")
    client.post(at(owner, f"catalogue/processes/{process.pk}/edit/"), form | {"name": "Order release 2"})
    assert "Order release 2" in client.get(at(owner, f"catalogue/processes/{process.pk}/")).text


def test_an_owner_from_another_tenant_is_refused(owner: Member, stranger: Member) -> None:
    form = {"name": "Order release", "owner": stranger.user.pk, "criticality": "normal"}
    answer = signed_in(owner).post(at(owner, "catalogue/processes/new/"), form)
    assert answer.status_code == 422
    with owner.scope(), pytest.raises(ValidationError, match="has no role in Aster Foods"):
        process_save(fields={"name": "Order release", "owner": stranger.user}, viewer=owner.viewer)


def test_a_promise_is_written_as_people_say_it(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process()
    page = at(owner, f"catalogue/processes/{process.pk}/slas/new/")
    form = {"name": "Lead time", "kind": "duration", "target": "1 h 30 min", "objective": "99"}
    signed_in(owner).post(page, form)
    with owner.scope():
        assert Sla.objects.get().target_s == 5400


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"kind": "duration", "target": "soon"}, "is no duration; write one such as 90 s, 15 min, 4 h"),
        ({"kind": "duration", "target": ""}, "a duration needs a target of more than 0 seconds"),
        ({"kind": "due_time", "due_local": "25:00"}, "the daily time is written HH:MM"),
        ({"kind": "due_time"}, "name the attribute that holds the due time, or a daily time HH:MM"),
        ({"kind": "duration", "target": "4 h", "objective": "0"}, "more than 0 and at most 100 per cent"),
    ],
)
def test_a_promise_that_cannot_hold_is_refused_in_plain_words(
    owner: Member, form: dict[str, str], problem: str
) -> None:  # fmt: skip
    with owner.scope():
        process = rows.make_process()
    page = at(owner, f"catalogue/processes/{process.pk}/slas/new/")
    answer = signed_in(owner).post(page, {"name": "Lead time", "objective": "99"} | form)
    assert answer.status_code == 422
    assert problem in answer.text


def test_a_name_in_use_is_refused_in_plain_words(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process(name="Order release")
        rows.make_sla(process, name="Lead time")
    page = at(owner, f"catalogue/processes/{process.pk}/slas/new/")
    form = {"name": "Lead time", "kind": "duration", "target": "4 h", "objective": "99"}
    assert "Order release has an SLA of this name already" in signed_in(owner).post(page, form).text


def test_a_promise_is_taken_back(owner: Member, stranger: Member) -> None:
    with owner.scope():
        process = rows.make_process()
        sla = rows.make_sla(process)
    path = f"catalogue/processes/{process.pk}/slas/{sla.pk}/remove/"
    assert signed_in(stranger).post(at(stranger, path)).status_code == 404
    assert signed_in(owner).post(at(owner, path)).status_code == 302
    with owner.scope():
        assert not Sla.objects.exists()
