"""A settled projection depends on what happened alone: not on order, cut or repetition of the requests that told it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import Alert, Event, MappingRule, Process, Run, Timer, WorkflowMinute
from monitoring.settle.runs import runs_settle
from tests.cast import Member
from tests.monitoring.line import event, span
from tests.monitoring.plant_stories import (
    EXAMPLES,
    Request,
    Story,
    at,
    plant_catalogue,
    send,
    send_together,
    stories,
    tellings,
)
from tests.monitoring.projection import Projection, projection, settle_all
from tests.rows import make_rule


@pytest.fixture
def process(owner: Member) -> Process:
    """Two processes, one with a promise, and what no rule claims."""
    return plant_catalogue(owner)


def settled(member: Member, requests: Sequence[Request]) -> Projection:
    """What these requests come to, settled; everything they wrote is taken back afterwards."""
    with transaction.atomic():
        for request in requests:
            send(member, request)
        settle_all(member.tenant.pk)
        found = projection(member.tenant.pk)
        transaction.set_rollback(True)
    return found


def settled_together(member: Member, groups: Sequence[Sequence[Request]]) -> Projection:
    """What these requests come to where those of a group are taken together."""
    with transaction.atomic():
        for group in groups:
            send_together(member, group)
        settle_all(member.tenant.pk)
        found = projection(member.tenant.pk)
        transaction.set_rollback(True)
    return found


def whole(story: Story) -> list[Request]:
    """The story in as few requests as there can be."""
    return [request for request in (Request(spans=story.spans), Request(events=story.events)) if any_of(request)]


def any_of(request: Request) -> bool:
    return bool(request.spans or request.events)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_cut_and_repetition_settles_to_the_same(owner: Member, process: Process, data: st.DataObject) -> None:
    story = data.draw(stories())
    telling = data.draw(tellings(story))
    assert settled(owner, telling) == settled(owner, whole(story))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_it_makes_no_difference_what_was_taken_together(owner: Member, process: Process, data: st.DataObject) -> None:
    story = data.draw(stories())
    telling = data.draw(tellings(story))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(telling))))) if telling else []
    groups = [telling[start:end] for start, end in itertools.pairwise([0, *cuts, len(telling)])]
    assert settled_together(owner, groups) == settled(owner, whole(story))


def part(*spans: dict[str, Any], service: str = "erp-bridge") -> Request:
    return Request(spans=tuple((service, said) for said in spans))


ROOT = span("release", trace=7, number=1, at=at(0), lasts_s=5)
STEP = span("confirm", trace=7, number=2, parent=1, at=at(1), said={"andon.unit_id": "u", "andon.attempt": 1})


def figures(member: Member) -> tuple[int, int, int]:
    """Spans of all runs, runs counted, first tries counted."""
    with member.scope():
        minutes = WorkflowMinute.objects.all()
        spans = sum(Run.objects.values_list("span_count", flat=True))
        return spans, sum(row.runs for row in minutes), sum(row.first_attempts for row in minutes)


def test_spans_told_again_in_other_batches_count_twice_until_settled(owner: Member, process: Process) -> None:
    """The control of the property above: without settling it does not hold."""
    for request in (part(ROOT, STEP), part(STEP), part(STEP, ROOT)):
        send(owner, request)
    assert figures(owner) == (5, 1, 3)
    settle_all(owner.tenant.pk)
    assert figures(owner) == (2, 1, 1)


def test_of_two_spans_with_one_id_that_differ_in_a_kind_of_value_one_stands_whichever_came_first(
    owner: Member, process: Process
) -> None:
    """True equals 1 and says something else."""
    one, other = (span("release", trace=7, number=1, at=at(0), said={"order.id": said}) for said in (True, 1))
    both = [part(one), part(other)]
    found = settled(owner, both)
    assert found == settled(owner, both[::-1])
    assert found["keys"] == settled(owner, [part(one, other)])["keys"] == settled(owner, [part(other, one)])["keys"]


def test_of_two_events_with_one_id_the_first_stands(owner: Member, process: Process) -> None:
    first, other = ({**event("order.released"), "id": "twice", "subject": said} for said in ("first", "other"))
    in_one, in_two = [Request(events=(first, other))], [Request(events=(first,)), Request(events=(other,))]
    assert settled(owner, in_one)["events"] == settled(owner, in_two)["events"]
    send(owner, in_one[0])
    with owner.scope():
        assert Event.objects.get().subject == "first"


def test_a_first_try_that_comes_with_the_death_of_its_unit_may_be_its_redrive(owner: Member, process: Process) -> None:
    """Another trace tells of it, in the same request: it is noted only once the unit has been looked at."""
    unit = {"andon.unit_id": "u", "andon.attempt": 1}
    well = span("confirm", trace=8, number=1, at=at(22), said=unit)
    death = span("confirm", trace=9, number=2, at=at(20), lasts_s=2, said={**unit, "andon.phase": "dead"}, failed=True)
    later = span("confirm", trace=9, number=3, parent=2, at=at(23), said=unit)
    found = [
        settled(owner, [part(well, death, later)]),
        settled(owner, [part(death, later, well)]),
        settled(owner, [part(well), part(death), part(later)]),
        settled(owner, [part(later), part(death), part(well)]),
        settled_together(owner, [[part(well), part(death, later)]]),
    ]
    assert found == found[:1] * 5
    (letter,) = found[0]["dead letters"]
    assert letter[-4:-2] == ("redriven", at(22))


def test_what_one_request_told_needs_no_settling(owner: Member, process: Process) -> None:
    send(owner, part(ROOT, STEP, STEP))
    assert figures(owner) == (2, 1, 1)
    assert not Timer.objects.filter(tenant=owner.tenant, kind="run_settle").exists()


def test_a_span_that_comes_after_settling_has_the_run_settled_again(owner: Member, process: Process) -> None:
    for request in (part(ROOT), part(STEP)):
        send(owner, request)
    settle_all(owner.tenant.pk)
    late = span("park", trace=7, number=3, parent=1, at=at(3), said={"andon.unit_id": "w", "andon.phase": "dead"})
    send(owner, part(late, STEP))
    settle_all(owner.tenant.pk)
    assert figures(owner) == (3, 1, 2)
    with owner.scope():
        assert Run.objects.values_list("status", "attempts", "dead_letters").get() == ("dead", 2, 1)


def test_settling_raises_an_alert_once_and_only_for_what_nobody_saw(owner: Member, process: Process) -> None:
    """Two requests each saw a consumer go well or a message be parked; together they tell of a death."""
    dead = span("park", trace=7, number=3, parent=1, at=at(3), said={"andon.unit_id": "w", "andon.phase": "dead"})
    for request in (part(ROOT), part(dead), part(dead, STEP)):
        send(owner, request)
    for _ in range(2):
        with owner.scope():
            assert list(Alert.objects.filter(kind="dead_letter").values_list("count", "status")) == [(1, "firing")]
            runs = list(Run.objects.values_list("pk", flat=True))
        runs_settle(owner.tenant.pk, runs, timezone.now())


def test_a_breach_that_only_all_requests_together_show_raises_its_alert(owner: Member, process: Process) -> None:
    """Rules are those of the moment of settling: this one came to hold in between."""
    with owner.scope():
        rule = make_rule(process, condition="span.name == 'late release'")
        MappingRule.objects.filter(pk=rule.pk).update(enabled=False)
    late = span("late release", trace=8, number=1, at=at(0), lasts_s=90)
    for request in (part(late, service="unowned"), part(span("x", trace=8, number=2, parent=1), service="unowned")):
        send(owner, request)
    with owner.scope():
        assert not Alert.objects.filter(kind="sla_breach").exists()
        MappingRule.objects.filter(pk=rule.pk).update(enabled=True)
    settle_all(owner.tenant.pk)
    with owner.scope():
        assert Alert.objects.get(kind="sla_breach").count == 1


def test_a_run_that_the_log_holds_only_in_part_is_left_alone(owner: Member, process: Process) -> None:
    for request in (part(ROOT), part(STEP), part(STEP, ROOT)):
        send(owner, request)
    with owner.scope():
        run = Run.objects.get()
        Run.objects.update(intakes=[1, *run.intakes])  # A row that retention dropped.
        done = runs_settle(owner.tenant.pk, [run.pk], timezone.now())
    assert (done.changed, done.partial) == (0, 1)
    assert figures(owner) == (4, 1, 2)
    assert not Timer.objects.filter(tenant=owner.tenant, kind="run_settle").exists()


def test_a_run_too_long_for_memory_is_left_alone(
    owner: Member, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.settle.runs.MOST_SPANS", 3)
    for request in (part(ROOT, STEP), part(STEP, ROOT), part(span("release", trace=9, number=1)), part(STEP)):
        send(owner, request)
    with owner.scope():
        done = runs_settle(owner.tenant.pk, Run.objects.values_list("pk", flat=True), timezone.now())
    assert (done.seen, done.too_long) == (2, 1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_spans_with_one_id_the_one_that_ended_last_stands(
    owner: Member, process: Process, order: tuple[int, int]
) -> None:
    short = span("release", trace=7, number=1, at=at(0), lasts_s=5)
    told = [part(short), part(span("release", trace=7, number=1, at=at(0), lasts_s=9, failed=True))]
    for place in order:
        send(owner, told[place])
    settle_all(owner.tenant.pk)
    with owner.scope():
        assert Run.objects.values_list("ended_at", "status", "span_count").get() == (at(9), "error", 1)


def test_a_run_that_was_taken_for_done_is_open_again_when_something_of_it_runs(owner: Member, process: Process) -> None:
    handled = span("POST /release", trace=7, number=2, parent=99, at=at(0), lasts_s=5)
    send(owner, part(handled))
    settle_all(owner.tenant.pk)
    assert figures(owner) == (1, 1, 1)
    waiting = span("wait", trace=7, number=4, parent=3, kind=1, at=at(1))
    send(owner, part(waiting))
    settle_all(owner.tenant.pk)
    with owner.scope():
        assert Run.objects.values_list("root_seen", "status").get() == (False, "running")
    assert figures(owner) == (2, 0, 0)
    send(owner, part(span("call", trace=7, number=3, parent=2, at=at(1))))
    settle_all(owner.tenant.pk)
    assert figures(owner) == (3, 1, 1)
