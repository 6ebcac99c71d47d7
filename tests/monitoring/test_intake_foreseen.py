"""A payload is mapped before its transaction begins, by the catalogue as this process knows it; that has to hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

import monitoring.receive.accept as module
from monitoring import catalogue
from monitoring.mapping import map_decoded
from monitoring.models import Alert, Notification, Process, Run, Workflow
from monitoring.pipeline import Foreseen, foresee
from tests.cast import Member
from tests.monitoring.line import died, span, take, take_events, traces
from tests.rows import make_channel, make_process, make_rule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def foreseen(monkeypatch: pytest.MonkeyPatch) -> list[Foreseen | None]:
    """What was foreseen of each request."""
    found: list[Foreseen | None] = []

    def noted(*args: Any) -> Foreseen | None:
        found.append(foresee(*args))
        return found[-1]

    monkeypatch.setattr(module, "foresee", noted)
    return found


def before_the_transaction(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Let somebody change something once a request was mapped."""

    def interrupted(*args: Any) -> Foreseen | None:
        found = foresee(*args)
        monkeypatch.setattr(module, "foresee", foresee)
        change()
        return found

    monkeypatch.setattr(module, "foresee", interrupted)


def test_the_second_request_is_mapped_ahead_and_once(
    owner: Member, foreseen: list[Foreseen | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner.scope():
        process = make_process()
        make_rule(process)
    assert take(owner.tenant.pk, traces(span("release", trace=1))).status == 200
    mapped = Mock(side_effect=map_decoded)
    monkeypatch.setattr("monitoring.pipeline.map_decoded", mapped)
    assert take(owner.tenant.pk, traces(span("release", trace=2))).status == 200
    assert [found is not None for found in foreseen] == [False, True]
    assert mapped.call_count == 1
    with owner.scope():
        assert set(Run.objects.values_list("process_id", flat=True)) == {process.pk}


def test_a_rule_that_changed_meanwhile_is_the_one_that_counts(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    with owner.scope():
        first, other = make_process(), make_process()
        rule = make_rule(first)
    take(owner.tenant.pk, traces(span("release", trace=1)))

    def changed() -> None:
        with owner.scope():
            rule.process = other
            rule.save()

    before_the_transaction(monkeypatch, changed)
    answer = take(owner.tenant.pk, traces(span("release", trace=2), service="wms-bridge"))
    assert answer.status == 200
    with owner.scope():
        found = {bytes(run.trace_id)[-1]: (run.process_id, run.workflow.process_id) for run in Run.objects.all()}
    assert found[2] == (other.pk, other.pk)


def test_a_process_that_is_gone_meanwhile_harms_nobody(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    with owner.scope():
        process = make_process()
        rule = make_rule(process)
    take(owner.tenant.pk, traces(span("other", trace=1)))

    def removed() -> None:
        with owner.scope():
            rule.delete()
            Process.objects.filter(pk=process.pk).delete()

    before_the_transaction(monkeypatch, removed)
    assert take(owner.tenant.pk, traces(span("release", trace=2))).status == 200
    with owner.scope():
        assert set(Run.objects.values_list("process_id", flat=True)) == {None}
        assert set(Workflow.objects.values_list("process_id", flat=True)) == {None}


def test_a_repeat_is_known_though_it_was_mapped_ahead(owner: Member, foreseen: list[Foreseen | None]) -> None:
    bodies = [traces(span("release", trace=trace)) for trace in (1, 2)]
    answers = [take(owner.tenant.pk, body) for body in (*bodies, bodies[1])]
    assert [answer.reason for answer in answers] == ["", "", "repeated"]
    assert foreseen[-1] is not None
    with owner.scope():
        assert Run.objects.count() == 2


def test_a_channel_that_is_made_meanwhile_carries_the_next_alert(owner: Member) -> None:
    take_events(owner.tenant.pk, died("m-1", queue="first"))
    known = catalogue.last_known(owner.tenant.pk)
    assert known is not None
    assert known.channels == ()
    with owner.scope():
        channel = make_channel(min_severity="low")
    take_events(owner.tenant.pk, died("m-2", queue="second"))
    with owner.scope():
        told = set(Notification.objects.values_list("channel_id", "alert__kind", "state"))
        assert Alert.objects.filter(kind="dead_letter").count() == 2
    assert told == {(channel.pk, "dead_letter", "intended")}
