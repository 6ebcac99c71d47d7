"""Repeating a request changes nothing, and the order of requests decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import connection

from monitoring.models import Channel, Intake, Process, Run
from monitoring.receive.arrival import Arrival
from monitoring.receive.log import Kept, Packed, ask_to_keep
from monitoring.records import Decoded, Payload
from partners.database.statements import Asked, ask
from tests.cast import Member
from tests.monitoring.line import attempt, died, event, figures, now, redriven, span, take, take_events, traces
from tests.rows import make_channel, make_process, make_rule, make_sla

AT = now() - timedelta(minutes=5)


def at(seconds: int) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.fixture
def process(owner: Member) -> Process:
    """A critical process that is promised in a minute, with a channel that carries everything."""
    with owner.scope():
        made = make_process(name="Order release", owner=owner.user, criticality="critical")
        make_sla(made, target_s=60)
        make_rule(made, condition="resource['service.name'] == 'erp-bridge'")
        make_channel(min_severity="low")
    return made


def test_it_counts_an_identical_request_once_however_often_it_comes(owner: Member, process: Process) -> None:
    dead = attempt("u-1", 3, phase="dead", failed=True, said={"order.id": "4711"})
    late = span(lasts_s=90, said={"order.id": "4712"})
    body = traces(dead, late, attempt("u-2", 2))
    take(owner.tenant.pk, body)
    once = figures(owner.tenant.pk)
    assert once["alerts"] == [("dead_letter", "firing", 1), ("sla_breach", "firing", 1)]
    assert once["notifications"] == [("raised", "intended"), ("raised", "intended")]
    for _ in range(9):
        assert take(owner.tenant.pk, body).status == 200
    assert figures(owner.tenant.pk) == once


def test_it_counts_an_identical_batch_of_events_once(owner: Member, process: Process) -> None:
    news = [died("m-1"), event("order.released", "4711"), redriven("m-2")]
    take_events(owner.tenant.pk, *news)
    once = figures(owner.tenant.pk)
    for _ in range(3):
        take_events(owner.tenant.pk, *news)
    assert figures(owner.tenant.pk) == once


def test_it_knows_an_event_again_in_another_batch(owner: Member, process: Process) -> None:
    one, two = died("m-1"), died("m-2")
    take_events(owner.tenant.pk, one, two)
    once = figures(owner.tenant.pk)
    take_events(owner.tenant.pk, two, one)
    take_events(owner.tenant.pk, one)
    again = figures(owner.tenant.pk)
    assert again.pop("intake") == 3
    assert {"intake": 3, **again} == {**once, "intake": 3}


_KEYS_TOLD = [("lot", "B-1"), ("lot", "B-2"), ("order", "4711")]


def _two_tell_of_a_key(tenant_id: int) -> object:
    parts = [
        span(trace=8, number=number, at=at(number), said={"order.id": "4711", "lot.id": f"B-{number}"})
        for number in (1, 2)
    ]
    for part in parts:
        take(tenant_id, traces(part, part))
    take(tenant_id, traces(*parts))
    return figures(tenant_id)["keys"]


def test_it_names_a_key_once_for_a_run_that_several_requests_tell_of(owner: Member) -> None:
    assert _two_tell_of_a_key(owner.tenant.pk) == _KEYS_TOLD


def test_writing_keys_unseen_is_caught(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: keys of a run that is there already, written without a look at what they are."""
    monkeypatch.setattr("monitoring.project.keys._known", lambda *_: [])
    assert _two_tell_of_a_key(owner.tenant.pk) != _KEYS_TOLD


def test_it_keeps_the_same_body_of_two_tenants_twice(owner: Member, stranger: Member) -> None:
    body = traces(attempt("u-1", 3, phase="dead"))
    for member in (owner, stranger):
        take(member.tenant.pk, body)
    assert figures(owner.tenant.pk) == figures(stranger.tenant.pk)
    assert figures(stranger.tenant.pk)["intake"] == 1


def test_a_dedup_key_without_the_tenant_is_caught(
    owner: Member, stranger: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a log that knows a body by its digest alone would lose the second tenant's request."""
    seen: set[bytes] = set()

    def keep_without_tenant(arrival: Arrival, payload: Payload, decoded: Decoded, mark: bytes, stored: Packed) -> Asked:
        if mark in seen:
            return ask("SELECT 0, true", [])
        seen.add(mark)
        return ask_to_keep(arrival, payload, decoded, mark, stored)

    monkeypatch.setattr("monitoring.receive.accept.ask_to_keep", keep_without_tenant)
    body = traces(attempt("u-1", 3, phase="dead"))
    for member in (owner, stranger):
        take(member.tenant.pk, body)
    assert figures(owner.tenant.pk) != figures(stranger.tenant.pk)


def test_counting_beside_the_log_is_caught(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: projections that are written whether or not the log took the request count it twice."""

    def keep_and_forget(arrival: Arrival, payload: Payload, decoded: Decoded, mark: bytes, stored: Packed) -> Asked:
        kept = Kept.of(ask_to_keep(arrival, payload, decoded, mark, stored))
        return ask("SELECT %s::bigint, false", [kept.intake_id])

    body = traces(span(trace=8))
    take(owner.tenant.pk, body)
    once = figures(owner.tenant.pk)
    monkeypatch.setattr("monitoring.receive.accept.ask_to_keep", keep_and_forget)
    take(owner.tenant.pk, body)
    assert figures(owner.tenant.pk) != once


_PARTS = {
    "root": traces(span("release", trace=3, number=1, kind=2, lasts_s=9, at=at(0))),
    "child": traces(span("call", trace=3, number=2, parent=1, failed=True, at=at(1), said={"order.id": "4711"})),
    "tries": traces(
        *(
            span(
                "confirm", trace=3, number=2 + number, parent=2, failed=number < 2, at=at(1 + number),
                said={"andon.unit_id": "c-1", "andon.attempt": number, "andon.max_attempts": 3},
            )
            for number in (1, 2)
        ),
        service="mes",
    ),
    "death": traces(
        span("park", trace=3, number=9, parent=2, at=at(4), said={"andon.unit_id": "c-1", "andon.phase": "dead"}),
        service="mes",
    ),
}  # fmt: skip


def test_it_comes_to_the_same_figures_in_any_order_of_requests(owner: Member, process: Process) -> None:
    names = list(_PARTS)
    turned = [names[at:] + names[:at] for at in range(len(names))]
    orders = [*turned, *(order[::-1] for order in turned)]
    found = [_projected_in(owner, order) for order in orders]
    for one in found[1:]:
        assert one == found[0]
    assert found[0]["runs"] == [("0" * 31 + "3", "dead", 5, 2, 3, 1)]
    assert found[0]["keys"] == [("order", "4711")]


def _projected_in(member: Member, order: Sequence[str]) -> dict[str, object]:
    """What the parts come to in this order; everything they wrote is taken back afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT order_of_requests")
        for name in order:
            assert take(member.tenant.pk, _PARTS[name]).status == 200
        seen = figures(member.tenant.pk)
        # How loud a run was on its way is history: alerts and their timers may have come and gone.
        for passing in ("alerts", "notifications", "timers"):
            del seen[passing]
        cursor.execute("ROLLBACK TO SAVEPOINT order_of_requests")
    return seen


def test_it_finds_a_run_by_its_log_rows(owner: Member) -> None:
    for name in ("child", "root"):
        take(owner.tenant.pk, _PARTS[name])
    with owner.scope():
        assert Run.objects.get().intakes == list(Intake.objects.order_by("pk").values_list("pk", flat=True))
        assert Channel.objects.count() == 0
