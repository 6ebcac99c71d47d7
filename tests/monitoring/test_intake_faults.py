"""Faults that pass: an exporter that is told 503 keeps its batch, one that is told 500 drops it for good."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import IntakeOutcome, Run
from tests.live import LiveConsole
from tests.monitoring.line import figures, span, traces
from tests.online import JSON, Answered, Online
from tests.troubles import cut_off, locked, read_only, unreachable

_LIMIT_S = 20.0


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


def taken_again(online: Online, body: bytes) -> None:
    """What an exporter does: the same request until it is taken, told to come back in a second each time."""
    began = time.monotonic()
    while (answer := online.post("/v1/traces", body)).status != 200:
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert time.monotonic() - began < _LIMIT_S
        time.sleep(0.2)


@pytest.mark.parametrize("trouble", [unreachable, read_only, locked], ids=lambda trouble: trouble.__name__)
def test_it_asks_to_come_back_and_takes_the_same_request_afterwards(aster: Online, trouble: Any) -> None:
    body = traces(span(name=f"while {trouble.__name__}"))
    with aster.orm():
        before = figures(aster.tenant.pk)
    began = time.monotonic()
    with trouble(aster.console):
        answer = aster.post("/v1/traces", body)
    # An exporter's whole patience is ten seconds; it must be able to come back within them.
    assert time.monotonic() - began < 9
    assert (answer.status, answer.headers["content-type"], answer.headers["retry-after"]) == (503, JSON, "1")
    assert json.loads(answer.body)["code"] == 14
    with aster.orm():
        assert figures(aster.tenant.pk) == before
    taken_again(aster, body)
    with aster.rows():
        assert Run.objects.filter(root_name=f"while {trouble.__name__}").count() == 1


def test_it_survives_a_connection_that_breaks_between_two_requests(aster: Online) -> None:
    taken_again(aster, traces(span()))
    cut_off(aster.console)
    taken_again(aster, traces(span()))


def test_it_shows_the_tenant_what_was_refused_and_why(aster: Online) -> None:
    def refused() -> int:
        with aster.rows():
            return sum(row.requests for row in IntakeOutcome.objects.filter(signal="metrics", reason="malformed"))

    bad: list[Answered] = [aster.post("/v1/metrics", b"{nonsense") for _ in range(2)]
    assert [answer.status for answer in bad] == [400, 400]
    began = time.monotonic()
    while refused() < 2:
        assert time.monotonic() - began < _LIMIT_S
        time.sleep(0.2)
    assert refused() == 2
