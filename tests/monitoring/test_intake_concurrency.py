"""Many requests at once about the same things: every sum is exact, and nobody hears of a deadlock."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import Alert, Attempt, BusinessKey, Intake, Run, RunKind, Workflow, WorkflowMinute
from tests.live import LiveConsole
from tests.monitoring.line import attempt, now, span, traces
from tests.online import Online

MANY = 20
AT = now()


@pytest.fixture
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


def at_once(online: Online, bodies: Sequence[bytes]) -> list[int]:
    """Send all of these at the same moment; the answers' status."""
    start = threading.Barrier(len(bodies))
    found: list[int] = []

    def send(body: bytes) -> None:
        start.wait()
        found.append(online.post("/v1/traces", body).status)

    senders = [threading.Thread(target=send, args=[body]) for body in bodies]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return found


def test_it_adds_up_what_twenty_requests_say_of_one_trace(aster: Online) -> None:
    bodies = [
        traces(
            span("release", trace=1, number=1, at=AT, lasts_s=5)
            if number == 0
            else span("step", trace=1, number=number + 1, parent=1, at=AT, said={"order.id": str(number)})
        )
        for number in range(MANY)
    ]
    assert at_once(aster, bodies) == [200] * MANY
    with aster.rows():
        run = Run.objects.get()
        assert (run.span_count, run.root_seen, len(set(run.intakes))) == (MANY, True, MANY)
        assert BusinessKey.objects.count() == MANY - 1
        assert Workflow.objects.filter(source_key="erp-bridge/release").count() == 1
        assert sum(row.runs for row in WorkflowMinute.objects.all()) == 1


def test_it_adds_up_crossing_requests_about_the_same_traces_and_units(aster: Online) -> None:
    """Half of the requests name the traces in one order, half in the other; each brings one new dead letter."""
    bodies = []
    for number in range(MANY):
        parts = [
            span("release", trace=100 + trace, number=1 + number, parent=99, at=AT, said={"order.id": "4711"})
            for trace in range(8)
        ]
        parts.append(attempt(f"u-{number}", 3, phase="dead", at=AT, said={"error.type": "TimeoutError"}))
        bodies.append(traces(*(parts if number % 2 else parts[::-1])))
    assert at_once(aster, bodies) == [200] * MANY
    with aster.rows():
        shared = Run.objects.filter(root_seen=False)
        assert sorted(shared.values_list("span_count", flat=True)) == [MANY] * 8
        keys = BusinessKey.objects.filter(run__in=shared)
        assert sorted(keys.values_list("run", "value")) == sorted((run.pk, "4711") for run in shared)
        assert Alert.objects.get(kind="dead_letter").count == MANY
        assert Attempt.objects.count() == MANY
        assert sum(row.dead_letters for row in WorkflowMinute.objects.all()) == MANY


def test_it_makes_the_kinds_of_runs_once_that_crossing_requests_bring(aster: Online) -> None:
    kinds = [{"andon.workflow": "release", "andon.workflow.version": str(number)} for number in range(100)]
    bodies = [
        traces(*(span("release", said=said, at=AT) for said in (kinds if number % 2 else kinds[::-1])))
        for number in range(MANY)
    ]
    assert at_once(aster, bodies) == [200] * MANY
    with aster.rows():
        assert RunKind.objects.count() == 100
        assert Run.objects.values("kind").distinct().count() == 100
        assert Run.objects.count() == MANY * 100


def test_it_takes_the_same_request_once_when_it_comes_twenty_times_at_once(aster: Online) -> None:
    body = traces(attempt("u", 3, phase="dead", at=AT))
    assert at_once(aster, [body] * MANY) == [200] * MANY
    with aster.rows():
        assert (Intake.objects.count(), Run.objects.get().span_count) == (1, 1)
        assert Alert.objects.get(kind="dead_letter").count == 1
        assert sum(row.dead_letters for row in WorkflowMinute.objects.all()) == 1


def test_a_sum_in_a_second_transaction_is_caught(aster: Online) -> None:
    """The control: figures read in one transaction and written in another lose what happened between the two."""
    start = threading.Barrier(MANY)
    found: list[int] = []
    with aster.rows():
        Workflow.objects.create(source_system="otel", source_key="sum", name="0", first_seen_at=AT)
    own = aster.console.env["ANDON_APP_DATABASE_URL"]
    scope = f"SET LOCAL app.tenant_id = '{aster.tenant.pk}'; SET LOCAL app.actor = 'system:tests'"

    def add() -> None:
        with psycopg.connect(own) as connection:
            with connection.transaction():
                connection.execute(scope)
                row = connection.execute("SELECT name FROM monitoring_workflow WHERE source_key = 'sum'").fetchone()
            start.wait()
            assert row is not None
            with connection.transaction():
                connection.execute(scope)
                connection.execute(
                    "UPDATE monitoring_workflow SET name = %s WHERE source_key = 'sum'", [str(int(row[0]) + 1)]
                )
        found.append(1)

    adders = [threading.Thread(target=add) for _ in range(MANY)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    with aster.rows():
        assert int(Workflow.objects.get(source_key="sum").name) < len(found) == MANY
