"""Dead letters and what becomes of them, in whatever order the news arrives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from monitoring.models import Alert, DeadLetter
from monitoring.storage.pruning import LATENESS, plain_tries_prune
from tests.cast import Member
from tests.monitoring.line import attempt, died, now, redriven, span, take, take_events, traces

START = now() - timedelta(minutes=10)


def minute(number: int) -> Any:
    return START + timedelta(minutes=number)


def letter(member: Member) -> DeadLetter:
    with member.scope():
        found: DeadLetter = DeadLetter.objects.get()
    return found


def alerts(member: Member) -> list[tuple[str, str, int]]:
    with member.scope():
        return list(Alert.objects.exclude(kind="unmapped").order_by("pk").values_list("kind", "status", "count"))


_LIFE = {
    "dead": died("m-1", at=minute(1)),
    "redriven": redriven("m-1", at=minute(2)),
    "dead again": died("m-1", at=minute(3), attempts=5),
    "redriven again": redriven("m-1", at=minute(4), attempts=6),
}


@pytest.mark.parametrize("order", list(itertools.permutations(["dead", "redriven"])))
def test_it_is_settled_whichever_of_death_and_redrive_comes_first(owner: Member, order: Sequence[str]) -> None:
    for name in order:
        take_events(owner.tenant.pk, _LIFE[name])
    assert letter(owner).state == "redriven"
    assert [status for _, status, _ in alerts(owner)] == (["resolved"] if order[0] == "dead" else [])


@pytest.mark.parametrize("order", list(itertools.permutations(_LIFE)))
def test_it_ends_as_the_last_news_says_in_any_order(owner: Member, order: Sequence[str]) -> None:
    for name in order:
        take_events(owner.tenant.pk, _LIFE[name])
    assert letter(owner).state == "redriven"
    assert "firing" not in [status for _, status, _ in alerts(owner)]


@pytest.mark.parametrize("order", list(itertools.permutations(["dead", "redriven", "dead again"])))
def test_it_stands_open_when_the_last_news_is_a_death_in_any_order(owner: Member, order: Sequence[str]) -> None:
    for name in order:
        take_events(owner.tenant.pk, _LIFE[name])
    found = letter(owner)
    assert (found.state, found.died_at) == ("open", minute(3))
    assert [status for _, status, _ in alerts(owner)][-1] == "firing"


def test_it_raises_nothing_about_a_death_that_is_settled_in_the_same_request(owner: Member) -> None:
    take_events(owner.tenant.pk, _LIFE["dead"], _LIFE["redriven"])
    assert letter(owner).state == "redriven"
    assert alerts(owner) == []


def test_it_takes_a_death_after_a_redrive_in_one_request_for_the_last_word(owner: Member) -> None:
    take_events(owner.tenant.pk, _LIFE["dead"])
    take_events(owner.tenant.pk, _LIFE["redriven"], _LIFE["dead again"])
    found = letter(owner)
    assert (found.state, found.deaths) == ("open", 2)


def test_it_sees_a_second_death_although_the_broker_counts_attempts_from_one_again(owner: Member) -> None:
    for number in (1, 2):
        take_events(owner.tenant.pk, died("m-1", at=minute(2 * number), attempts=3))
        take_events(owner.tenant.pk, redriven("m-1", at=minute(2 * number + 1), attempts=4))
    assert (letter(owner).state, letter(owner).deaths) == ("redriven", 2)
    assert [status for _, status, _ in alerts(owner)] == ["resolved", "resolved"]


def test_it_hears_a_repeated_notice_of_an_old_death_without_opening_it_again(owner: Member) -> None:
    take_events(owner.tenant.pk, _LIFE["dead"])
    take_events(owner.tenant.pk, _LIFE["redriven"])
    take_events(owner.tenant.pk, {**_LIFE["dead"], "id": "the same news under another id"})
    assert (letter(owner).state, letter(owner).deaths) == ("redriven", 1)


@pytest.mark.parametrize("parked_first", [True, False])
def test_it_does_not_take_the_end_of_the_consumer_that_parked_it_for_a_success(
    owner: Member, parked_first: bool
) -> None:
    message = {"messaging.system": "rabbitmq", "messaging.message.id": "m-9"}
    consumed = {**message, "messaging.destination.name": "orders", "messaging.message.retry.count": 2}
    parked = {**message, "messaging.destination.name": "orders.dlq", "messaging.operation.name": "publish"}
    consumer = span("orders process", trace=77, number=1, kind=5, at=minute(1), lasts_s=3, said=consumed)
    second = minute(1) + timedelta(seconds=1)
    parking = span("orders.dlq publish", trace=77, number=2, parent=1, kind=4, at=second, said=parked)
    for part in (parking, consumer) if parked_first else (consumer, parking):
        take(owner.tenant.pk, traces(part))
    assert letter(owner).state == "open"


def test_it_is_settled_by_a_later_try_that_ends_well(owner: Member) -> None:
    take(owner.tenant.pk, traces(attempt("u", 3, phase="dead", at=minute(1))))
    take(owner.tenant.pk, traces(attempt("u", 4, at=minute(2))))
    found = letter(owner)
    assert (found.state, found.settled_reason) == ("redriven", "A later attempt ended well.")


@pytest.mark.parametrize("hours", [-2000, -300, -190, -3, 0, 1, 30])
@pytest.mark.parametrize(("after", "state"), [(-1, "open"), (1, "redriven")])
def test_it_is_settled_by_a_first_try_that_was_told_of_before_whenever_that_was(
    owner: Member, hours: int, after: int, state: str
) -> None:
    at = minute(0) + timedelta(hours=hours)
    take(owner.tenant.pk, traces(attempt("u", 1, at=at + timedelta(minutes=after))))
    take(owner.tenant.pk, traces(attempt("u", 3, phase="dead", at=at), attempt("other", 3, phase="dead", at=at)))
    with owner.scope():
        assert dict(DeadLetter.objects.values_list("unit_id", "state")) == {"u": state, "other": "open"}


def test_it_stays_settled_when_notes_are_let_go_of_and_more_is_told(owner: Member) -> None:
    at = minute(0) - timedelta(days=10)
    take(owner.tenant.pk, traces(attempt("u", 3, phase="dead", at=at)))
    for unit in ("u", "other"):
        take(owner.tenant.pk, traces(attempt(unit, 1, at=at + timedelta(days=2))))
    assert letter(owner).state == "redriven"
    assert plain_tries_prune(owner.tenant.pk, now() + LATENESS + timedelta(hours=2)) == 1
    take(owner.tenant.pk, traces(attempt("u", 2, failed=True, at=at - timedelta(hours=1))))
    assert letter(owner).state == "redriven"


@pytest.mark.parametrize("hours", [1, 24])
def test_it_finds_what_was_told_before_the_clock_was_put_back(
    owner: Member, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = now() + timedelta(hours=hours)
    with monkeypatch.context() as patched:
        patched.setattr("monitoring.receive.accept.timezone.now", lambda: ahead)
        take(owner.tenant.pk, traces(attempt("u", 1, at=ahead)))
    take(owner.tenant.pk, traces(attempt("u", 3, phase="dead", at=minute(0))))
    assert letter(owner).state == "redriven"


def test_it_finds_the_workflow_of_a_run_that_another_request_named_more_surely(owner: Member) -> None:
    named = span("workflow.execute", trace=5, number=1, said={"andon.workflow": "order-release"}, at=minute(1))
    child = span(
        "confirm", trace=5, number=2, parent=1, at=minute(1), said={"andon.unit_id": "u", "andon.phase": "dead"}
    )
    take(owner.tenant.pk, traces(named))
    take(owner.tenant.pk, traces(child, service="mes"))
    with owner.scope():
        assert Alert.objects.get(kind="dead_letter").workflow.source_key == "order-release"
