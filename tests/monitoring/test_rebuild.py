"""Rebuilding a tenant from its log: the same as intake made, in place, again after a kill, and beside intake."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import (
    Alert,
    BusinessKey,
    DeadLetter,
    Event,
    Intake,
    MappingRule,
    Notification,
    Process,
    Rebuild,
    Run,
    WorkflowMinute,
)
from monitoring.settle.rebuild import rebuild
from tests.cast import Member
from tests.monitoring.line import attempt, died, event, span, take, take_events, traces
from tests.monitoring.plant_stories import EXAMPLES, Request, at, plant_catalogue, send, stories, tellings
from tests.monitoring.projection import projection, settle_all
from tests.rows import make_channel, make_process, make_rule

_PROJECTED = ("deadletter", "attempt", "plaintry", "businesskey", "event", "run", "workflowminute")


@pytest.fixture
def process(owner: Member) -> Process:
    """Two processes, one with a promise, and what no rule claims."""
    return plant_catalogue(owner)


def told(member: Member) -> None:
    """A morning: a run in two requests, a dead letter with its notice, a late run, events, a run that stays open."""
    tenant = member.tenant.pk
    take(tenant, traces(span("release", trace=1, number=1, at=at(0), lasts_s=90, said={"order.id": "4711"})))
    again = {"andon.unit_id": "u-1", "andon.attempt": 2}
    child = span("confirm", trace=1, number=2, parent=1, at=at(5), failed=True, said=again)
    take(tenant, traces(child, service="mes"))
    dead = attempt("u-2", 3, phase="dead", trace=2, at=at(9), failed=True, said={"order.id": "4712"})
    take(tenant, traces(child, dead))
    take_events(tenant, died("u-2", at=at(12)), event("order.released", "4711", at=at(1)))
    take(tenant, traces(span("call mes", trace=3, number=5, parent=4, kind=3, at=at(20))))


def rebuilt(member: Member, **options: bool) -> dict[str, int]:
    counts: dict[str, int] = {}
    for progress in rebuild(member.tenant.pk, **options):
        counts = progress.counts
    return {
        name: count for name, count in counts.items() if count and name.endswith(("missing", "corrected", "removed"))
    }


def wipe(member: Member) -> None:
    with member.scope(), connection.cursor() as cursor:
        for table in _PROJECTED:
            cursor.execute(f"DELETE FROM monitoring_{table}")  # noqa: S608  Names of our own.


def test_it_changes_nothing_of_what_intake_made(owner: Member, process: Process) -> None:
    told(owner)
    settle_all(owner.tenant.pk)
    before = projection(owner.tenant.pk)
    assert rebuilt(owner) == {}
    assert projection(owner.tenant.pk) == before


def test_it_makes_from_the_log_alone_what_intake_made(owner: Member, process: Process) -> None:
    told(owner)
    settle_all(owner.tenant.pk)
    before = projection(owner.tenant.pk)
    wipe(owner)
    assert rebuilt(owner)["runs missing"] > 0
    settle_all(owner.tenant.pk)
    assert projection(owner.tenant.pk) == before
    assert rebuilt(owner) == {}


def test_it_takes_the_same_of_two_events_with_one_id(owner: Member, process: Process) -> None:
    first, other, third = ({**event("order.released"), "id": "twice", "subject": said} for said in "abc")
    for request in (Request(events=(first, other)), Request(events=(third,)), Request(events=(other, third))):
        send(owner, request)
    settle_all(owner.tenant.pk)
    before = projection(owner.tenant.pk)
    assert rebuilt(owner) == {}
    assert projection(owner.tenant.pk) == before


@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rebuild_equals_what_live_intake_made(owner: Member, process: Process, data: st.DataObject) -> None:
    telling = data.draw(tellings(data.draw(stories())))
    with transaction.atomic():
        for request in telling:
            send(owner, request)
        settle_all(owner.tenant.pk)
        live = projection(owner.tenant.pk)
        assert rebuilt(owner) == {}
        assert projection(owner.tenant.pk) == live
        wipe(owner)
        rebuilt(owner)
        settle_all(owner.tenant.pk)
        assert projection(owner.tenant.pk) == live
        assert rebuilt(owner) == {}
        transaction.set_rollback(True)


def _other_figures(member: Member) -> None:
    WorkflowMinute.objects.update(runs=7, retries=3)


def _lost_figures(member: Member) -> None:
    WorkflowMinute.objects.all().delete()


def _other_runs(member: Member) -> None:
    Run.objects.update(status="ok", span_count=99, error_class="made up")


def _lost_letters(member: Member) -> None:
    DeadLetter.objects.all().delete()


def _run_from_nowhere(member: Member) -> None:
    known = Run.objects.order_by("pk").first()
    assert known is not None
    known.pk, known.trace_id, known.intakes = None, b"nobody told this", []
    known.save(force_insert=True)
    BusinessKey.objects.create(key_type="order", value="1", run=known)


def _event_from_nowhere(member: Member) -> None:
    known = Event.objects.order_by("pk").first()
    assert known is not None
    known.pk, known.event_id = None, "nobody sent this"
    known.save(force_insert=True)
    BusinessKey.objects.create(key_type="order", value="1", event=known)


def _other_keys(member: Member) -> None:
    BusinessKey.objects.filter(run__isnull=False).update(value="another")
    BusinessKey.objects.filter(event__isnull=False).delete()


def _keys_twice(member: Member) -> None:
    for key in BusinessKey.objects.all():
        key.pk = None
        key.save(force_insert=True)


_DAMAGES = [
    _other_keys,
    _keys_twice,
    _other_figures,
    _lost_figures,
    _other_runs,
    _lost_letters,
    _run_from_nowhere,
    _event_from_nowhere,
]


@pytest.mark.parametrize("damage", _DAMAGES)
def test_it_puts_right_what_is_not_as_the_log_says(
    owner: Member, process: Process, damage: Callable[[Member], None]
) -> None:  # fmt: skip
    told(owner)
    settle_all(owner.tenant.pk)
    before = projection(owner.tenant.pk)
    with owner.scope():
        damage(owner)
    assert projection(owner.tenant.pk) != before
    assert rebuilt(owner, dry_run=True) != {}
    assert projection(owner.tenant.pk) != before
    assert rebuilt(owner) != {}
    assert projection(owner.tenant.pk) == before
    assert rebuilt(owner) == {}


def test_it_goes_on_where_it_was_stopped(owner: Member, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.settle.phases._RUNS", 1)
    told(owner)
    settle_all(owner.tenant.pk)
    before = projection(owner.tenant.pk)
    with owner.scope():
        _other_runs(owner)
    walk = rebuild(owner.tenant.pk)
    while (progress := next(walk)).counts.get("runs corrected", 0) < 1:
        pass
    walk.close()
    with owner.scope():
        assert Rebuild.objects.get().phase == "runs"
    found = list(rebuild(owner.tenant.pk))
    assert (found[0].resumed, found[0].phase, found[0].position) == (True, "runs", progress.position)
    assert projection(owner.tenant.pk) == before
    with owner.scope():
        assert Rebuild.objects.count() == 0


def test_it_maps_the_past_by_the_rules_of_now(owner: Member, process: Process) -> None:
    told(owner)
    with owner.scope():
        MappingRule.objects.all().delete()
        other = make_process(name="Everything", slug="everything")
        make_rule(other, condition="true")
    rebuilt(owner)
    with owner.scope():
        assert set(Run.objects.values_list("process_id", flat=True)) == {other.pk}
        assert set(WorkflowMinute.objects.exclude(runs=0).values_list("process_id", flat=True)) == {other.pk}
        assert set(DeadLetter.objects.values_list("process_id", flat=True)) == {other.pk}


def test_it_tells_nobody_and_keeps_alerts(owner: Member, process: Process) -> None:
    with owner.scope():
        make_channel(min_severity="low")
    told(owner)
    settle_all(owner.tenant.pk)
    with owner.scope():
        alerts = list(Alert.objects.order_by("pk").values_list("kind", "status", "count", "last_seen_at"))
        told_of = Notification.objects.count()
    assert [kind for kind, *_ in alerts if kind == "dead_letter"] == ["dead_letter"]
    wipe(owner)
    rebuilt(owner)
    with owner.scope():
        assert list(Alert.objects.order_by("pk").values_list("kind", "status", "count", "last_seen_at")) == alerts
        assert Notification.objects.count() == told_of
        assert DeadLetter.objects.exclude(fingerprint="").count() == 1


def test_what_a_person_decided_outlives_it(owner: Member, process: Process) -> None:
    told(owner)
    decided = {"state": "accepted", "settled_by": "user:1", "settled_reason": "scrapped", "settled_at": at(900)}
    with owner.scope():
        DeadLetter.objects.update(**decided)
    rebuilt(owner)
    with owner.scope():
        assert DeadLetter.objects.values(*decided).get() == decided
    take_events(owner.tenant.pk, died("u-2", at=at(1000)))
    with owner.scope():
        assert DeadLetter.objects.values_list("state", "deaths").get() == ("open", 2)
    rebuilt(owner)
    with owner.scope():
        assert DeadLetter.objects.values_list("state", "deaths").get() == ("open", 2)


def test_a_run_that_the_log_holds_only_in_part_keeps_its_figures(owner: Member, process: Process) -> None:
    told(owner)
    settle_all(owner.tenant.pk)
    with owner.scope():
        run = Run.objects.get(trace_id=(1).to_bytes(16, "big"))
        Run.objects.filter(pk=run.pk).update(intakes=[*run.intakes, 1])  # A row that retention dropped.
        before = projection(owner.tenant.pk)
        assert not Intake.objects.filter(pk=1).exists()
    counts = list(rebuild(owner.tenant.pk))[-1].counts
    assert counts["runs left alone, as the log holds them only in part"] == 1
    assert projection(owner.tenant.pk) == before


def test_a_request_that_comes_in_meanwhile_counts_once(owner: Member, process: Process) -> None:
    told(owner)
    late = traces(span("release", trace=3, number=4, at=at(19), lasts_s=30))
    fresh = traces(span("release", trace=9, number=90, at=at(40)))
    sent = iter([late, fresh])
    for progress in rebuild(owner.tenant.pk):
        if progress.phase in ("runs", "figures") and (body := next(sent, None)):
            take(owner.tenant.pk, body)
    settle_all(owner.tenant.pk)
    with owner.scope():
        assert (
            sum(WorkflowMinute.objects.values_list("runs", flat=True))
            == Run.objects.filter(root_seen=True).count()
            == 4
        )
    assert rebuilt(owner) == {}


def test_the_command_says_what_it_did(owner: Member, process: Process) -> None:
    told(owner)
    settle_all(owner.tenant.pk)
    with owner.scope():
        _other_runs(owner)
    said = [StringIO() for _ in range(3)]
    for out, more in zip(said, (["--dry-run"], [], []), strict=True):
        call_command("rebuild", "--tenant", owner.tenant.slug, *more, stdout=out)
    assert "3  runs corrected" in said[0].getvalue()
    assert said[0].getvalue().endswith("rows would be changed.\n")
    assert said[1].getvalue().endswith("rows were changed.\n")
    assert said[2].getvalue().endswith("Everything was as the log says.\n")


def test_the_command_says_how_far_it_is(owner: Member, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.management.commands.rebuild._EVERY_S", 0.0)
    monkeypatch.setattr("monitoring.settle.phases._RUNS", 1)
    told(owner)
    out = StringIO()
    call_command("rebuild", "--tenant", owner.tenant.slug, stdout=out)
    lines = [line for line in out.getvalue().splitlines() if line.startswith("runs (2 of 6)")]
    assert len(lines) == 3
    assert re.fullmatch(r"runs \(2 of 6\): \d+%, [\d,]+ runs/s, about \d+:\d\d:\d\d left in it", lines[0])
    assert lines[-1].startswith("runs (2 of 6): 100%, ")


def test_the_command_names_a_tenant_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
        call_command("rebuild", "--tenant", "nobody")
