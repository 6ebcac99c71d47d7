"""The board page: what needs me?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring.models import Timer, Workflow, WorkflowMinute
from monitoring.selectors.board import board
from monitoring.services.grants import process_grant
from tests import rows
from tests.cast import Member
from tests.console.pages import at, signed_in


@pytest.fixture(autouse=True)
def _no_figures_of_other_tests() -> None:
    cache.clear()


def _minute(workflow: Workflow, *, ago: timedelta = timedelta(minutes=5), **counts: int) -> None:
    minute = (timezone.now() - ago).replace(second=0, microsecond=0)
    WorkflowMinute.objects.create(workflow=workflow, process=workflow.process, minute=minute, **counts)


def test_an_empty_board_says_what_will_stand_there_and_the_next_step(owner: Member) -> None:
    page = signed_in(owner).get(at(owner)).text
    assert "No process is watched yet" in page
    assert "Connect the first source" in page


def test_it_says_in_one_sentence_how_things_stand(owner: Member) -> None:
    with owner.scope():
        for _ in range(2):
            _minute(rows.make_workflow(rows.make_process()), runs=3)
        rows.make_alert(rows.make_workflow(rows.make_process()))
        rows.make_alert(rows.make_workflow(rows.make_process()), status="acknowledged")
        rows.make_workflow(rows.make_process())
        late = rows.make_process()
        rows.make_sla(late)
        _minute(rows.make_workflow(late), runs=1, sla_breached=1)
    page = signed_in(owner).get(at(owner)).text
    expected = "2 processes run as promised; 1 needs you; 1 is slipping; 1 is in hand; 1 is silent"
    assert f"<h1>{expected}</h1>" in page


def test_it_names_dead_letters_and_retry_storms_and_leads_to_the_alert(owner: Member) -> None:
    with owner.scope():
        workflow = rows.make_workflow(rows.make_process())
        dead = rows.make_alert(workflow, kind="dead_letter", count=6)
        storm = rows.make_alert(workflow, kind="retry_storm", fingerprint="retry_storm:1", count=312)
    page = signed_in(owner).get(at(owner)).text
    assert f'href="{at(owner, f"alerts/{dead.pk}/")}"' in page
    assert "<span>Dead letters</span> <b>6</b>" in page
    assert f'href="{at(owner, f"alerts/{storm.pk}/")}"' in page
    assert "<span>Retry storm</span> <b>312</b>" in page


def test_the_worst_process_of_a_site_stands_first(owner: Member) -> None:
    with owner.scope():
        site = rows.make_site()
        calm = rows.make_process(site=site, name="Calm", criticality="critical")
        _minute(rows.make_workflow(calm), runs=1)
        dead = rows.make_process(site=site, name="Dead", criticality="low")
        rows.make_alert(rows.make_workflow(dead))
        found = board(owner.viewer, now=timezone.now())
    assert [row.process.name for row in found.groups[0].rows] == ["Dead", "Calm"]


def test_it_measures_the_promise_over_seven_days(owner: Member) -> None:
    with owner.scope():
        process = rows.make_process()
        rows.make_sla(process, objective=99)
        workflow = rows.make_workflow(process)
        _minute(workflow, ago=timedelta(days=3), runs=97, sla_met=97)
        _minute(workflow, ago=timedelta(minutes=2), runs=3, sla_breached=3)
        _minute(workflow, ago=timedelta(days=8), runs=900, sla_breached=900)
        row = board(owner.viewer, now=timezone.now()).rows[0]
    assert (row.kept, row.measured, row.standing.word) == (0.97, 100, "Slipping")
    assert row.pulse.per_hour == 3
    assert "97 %" in signed_in(owner).get(at(owner)).text


def test_runs_with_a_quarter_of_their_time_left_are_at_risk(owner: Member) -> None:
    now = timezone.now()
    with owner.scope():
        workflow = rows.make_workflow(rows.make_process())
        for minutes_left in (-5, 10, 45):
            due_at = now + timedelta(minutes=minutes_left)
            run = rows.make_run(
                workflow,
                status="running",
                sla_state="running",
                started_at=due_at - timedelta(minutes=60),
                sla_due_at=due_at,
            )
            Timer.objects.create(tenant=owner.tenant, kind="run_sla", ref=run.pk, due_at=due_at)
        assert board(owner.viewer, now=now).rows[0].at_risk == 1


def test_the_number_of_queries_does_not_grow_with_the_number_of_processes(owner: Member) -> None:
    def queries() -> int:
        cache.clear()
        with owner.scope(), CaptureQueriesContext(connection) as captured:
            board(owner.viewer, now=timezone.now())
        return len(captured)

    with owner.scope():
        rows.make_alert(rows.make_workflow(rows.make_process(site=rows.make_site())))
    one = queries()
    with owner.scope():
        for _ in range(8):
            process = rows.make_process(site=rows.make_site(), owner=owner.user)
            rows.make_sla(process)
            workflow = rows.make_workflow(process)
            _minute(workflow, runs=1)
            rows.make_alert(workflow)
    assert queries() == one


def test_it_narrows_to_one_site_and_knows_no_foreign_one(owner: Member, stranger: Member) -> None:
    with owner.scope():
        rows.make_process(name="Here", site=rows.make_site(slug="hamburg"))
        rows.make_process(name="There", site=rows.make_site(slug="monterrey"))
    with stranger.scope():
        rows.make_site(slug="secret")
    client = signed_in(owner)
    page = client.get(at(owner, "?site=hamburg")).text
    assert ">Here<" in page
    assert ">There<" not in page
    assert client.get(at(owner, "?site=secret")).status_code == 404


def test_a_supplier_sees_granted_processes_and_nothing_else(owner: Member, supplier: Member) -> None:
    with owner.scope():
        granted, hidden = rows.make_process(name="Granted leg"), rows.make_process(name="Hidden leg")
        for process in (granted, hidden):
            workflow = rows.make_workflow(process)
            _minute(workflow, runs=1)
            rows.make_alert(workflow)
        rows.make_workflow(name="nobody's")
        process_grant(process=granted, user=supplier.user, viewer=owner.viewer)
    page = signed_in(supplier).get(at(supplier)).text
    assert "Granted leg" in page
    assert "Hidden leg" not in page
    assert "no process yet" not in page
    assert "Coverage" not in page


def test_it_leads_to_the_workflows_that_nobody_owns(owner: Member) -> None:
    with owner.scope():
        rows.make_process()
        rows.make_run(rows.make_workflow())
    page = signed_in(owner).get(at(owner)).text
    assert "1 workflow serves no process yet" in page
    assert at(owner, "catalogue/#unowned") in page


def test_what_refetches_itself_comes_without_the_frame(owner: Member) -> None:
    part = signed_in(owner).get(at(owner), headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="board" data-live="alerts board')
    assert "<html" not in part


def test_the_wall_has_no_chrome(owner: Member) -> None:
    with owner.scope():
        rows.make_process(name="Order release")
    page = signed_in(owner).get(at(owner, "?wall=1")).text
    assert "Order release" in page
    assert 'class="rail"' not in page
