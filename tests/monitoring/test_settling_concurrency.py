"""Eight senders at once with the parts of the same traces: settled, it is what one sender after the other makes."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.live import LiveConsole
from tests.monitoring.line import attempt, died, redriven, span
from tests.monitoring.plant_stories import at, body_of
from tests.monitoring.projection import projection, settle_all
from tests.online import Online

SENDERS = 8
TRACES = 12


@pytest.fixture
def at_once(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Eight senders")


@pytest.fixture
def in_turn(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "One sender")


def _spans() -> list[tuple[str, dict[str, Any]]]:
    """Traces that tell of the same few units: tries that fail, go well, die and are put back."""
    draw = random.Random(4711)  # noqa: S311  The same story each time.
    found: list[tuple[str, dict[str, Any]]] = []
    for trace in range(1, TRACES + 1):
        root = span("release", trace=trace, number=trace * 100, at=at(trace), lasts_s=draw.choice([5, 70]))
        found.append(("erp-bridge", root))
        for number in range(1, 7):
            failed, when = draw.random() < 0.4, at(draw.randrange(300))
            fields: dict[str, Any] = {"trace": trace, "parent": trace * 100, "at": when, "failed": failed}
            phase = draw.choice(["", "", "", "dead", "redriven"])
            tried = attempt(f"u-{draw.randrange(5)}", draw.randrange(1, 4), phase=phase, **fields)
            found.append((draw.choice(["erp-bridge", "mes"]), tried | {"spanId": f"{trace * 100 + number:016x}"}))
    return found


def _events() -> list[dict[str, Any]]:
    told = [died(f"u-{number % 5}", at=at(40 * number), attempts=3) for number in range(6)]
    return told + [redriven(f"u-{number % 5}", at=at(50 * number)) for number in range(4)]


def _sent(online: Online, bodies: Sequence[bytes], found: list[int]) -> None:
    found.extend(online.post("/v1/traces", body).status for body in bodies)


def test_eight_senders_at_once_settle_to_what_one_makes(at_once: Online, in_turn: Online) -> None:
    spans, events = _spans(), _events()
    assert in_turn.post("/v1/traces", body_of(spans)).status == 200
    for event in events:
        assert in_turn.post("/v1/events", json.dumps(event), "application/cloudevents+json").status == 200
    draw = random.Random(12)  # noqa: S311  The same shares each time.
    shares: list[list[bytes]] = []
    for _ in range(SENDERS):
        # Each sends about a third of all, so that most is told by several in other batches.
        mine = [pair for pair in spans if draw.random() < 0.35]
        draw.shuffle(mine)
        shares.append([body_of(mine[start : start + 5]) for start in range(0, len(mine), 5)])
    shares[0].append(body_of(spans[::-1]))
    found: list[int] = []
    senders = [threading.Thread(target=_sent, args=[at_once, share, found]) for share in shares]
    for sender in senders:
        sender.start()
    for event in events:
        assert at_once.post("/v1/events", json.dumps(event), "application/cloudevents+json").status == 200
    for sender in senders:
        sender.join()
    assert found == [200] * sum(map(len, shares))
    assert _settled(at_once) == _settled(in_turn)


def _settled(online: Online) -> object:
    with online.orm():
        settle_all(online.tenant.pk)
        return projection(online.tenant.pk)
