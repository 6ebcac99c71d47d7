"""Two people take the same step at once: one does it, the other is told, and nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from monitoring.models import Alert, AlertEvent, DeadLetter
from monitoring.services.alerts import alert_acknowledge, alert_resolve
from monitoring.services.dead_letters import dead_letter_discard
from tests import rows
from tests.cast import Member

pytestmark = pytest.mark.django_db(transaction=True)
_RACERS = 6


def _race(member: Member, steps: Sequence[Callable[[], Any]]) -> list[Any]:
    barrier = Barrier(len(steps))

    def run(step: Callable[[], Any]) -> Any:
        try:
            with member.scope():
                barrier.wait(timeout=10)
                return step()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


def test_of_many_who_acknowledge_and_resolve_each_step_happens_once(transactional_db: None, owner: Member) -> None:
    with owner.scope():
        alert = rows.make_alert()
    viewer = owner.viewer
    steps: list[Callable[[], Any]] = [
        *[lambda: alert_acknowledge(alert=alert, viewer=viewer)] * _RACERS,
        *[lambda: alert_resolve(alert=alert, resolution="fixed", viewer=viewer)] * _RACERS,
    ]
    verdicts = _race(owner, steps)
    with owner.scope():
        actions = list(AlertEvent.objects.filter(alert=alert).order_by("id").values_list("action", flat=True))
        assert Alert.objects.get().status == "resolved"
    assert actions in (["acknowledged", "resolved"], ["resolved"])
    assert sum(verdict.changed for verdict in verdicts) == len(actions)
    assert all(verdict.reason for verdict in verdicts)


def test_the_last_two_letters_settled_at_once_still_resolve_their_alert(transactional_db: None, owner: Member) -> None:
    with owner.scope():
        alert = rows.make_alert(fingerprint="f")
        letters = [rows.make_dead_letter(fingerprint="f") for _ in range(_RACERS)]
    viewer = owner.viewer
    steps = [partial(dead_letter_discard, dead_letter=letter, reason="test", viewer=viewer) for letter in letters]
    verdicts = _race(owner, steps)
    with owner.scope():
        assert not DeadLetter.objects.filter(state="open").exists()
        assert Alert.objects.get(pk=alert.pk).status == "resolved"
    assert [verdict.resolved_alert_id for verdict in verdicts].count(alert.pk) == 1
