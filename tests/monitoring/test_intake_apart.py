"""Large bodies are worked on in a process of their own: each counts once, whatever becomes of the process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from monitoring.decode import native
from monitoring.models import Intake, Run
from tests.conformance.corpus import body_of
from tests.live import LiveConsole
from tests.monitoring.line import span, traces
from tests.online import JSON, PROTOBUF, Answered, Online
from tests.troubles import locked

_PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def aster(troubled_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(troubled_console, django_db_blocker, "Aster Foods")


def large(name: str) -> bytes:
    return traces(span(name=name, said={"text": "x" * (6 << 20)}))


def sent(aster: Online, body: bytes, content_type: str = JSON) -> Answered:
    """The answer to a sender that comes back when told to: on a busy machine the process takes its time to start."""
    deadline = time.monotonic() + _PATIENCE_S
    while (answer := aster.post("/v1/traces", body, content_type)).status == 503 and time.monotonic() < deadline:
        time.sleep(float(answer.headers["retry-after"]))
    return answer


def workers(console: LiveConsole) -> list[psutil.Process]:
    children = psutil.Process(console.pids()["web"]).children(recursive=True)
    return [one for one in children if one.status() != psutil.STATUS_ZOMBIE and "large_bodies" in one.cmdline()]


def eventually(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def taken(aster: Online, name: str) -> tuple[int, int]:
    """How often its run stands there, and how many requests were kept."""
    with aster.rows():
        return Run.objects.filter(root_name=name).count(), Intake.objects.count()


@pytest.mark.skipif(bool(native.ABSENT), reason="Without the compiled walk no body of this size is told apart.")
def test_it_takes_a_body_that_is_small_and_slow_to_read_there_too(aster: Online) -> None:
    slow = body_of("one-span-100k-events")
    assert len(slow) < 1 << 20
    assert sent(aster, slow, PROTOBUF).status == 413
    [worker] = workers(aster.console)
    worker.kill()
    eventually(lambda: workers(aster.console) == [])


def test_it_takes_a_large_body_once_in_a_process_that_stays(aster: Online) -> None:
    assert workers(aster.console) == []
    assert aster.post("/v1/traces", traces(span(name="small"))).status == 200
    assert workers(aster.console) == []
    body = large("plain")
    assert [sent(aster, body).status for _ in range(2)] == [200, 200]
    assert taken(aster, "plain") == (1, 2)
    [worker] = workers(aster.console)
    assert worker.nice() > psutil.Process(aster.console.pids()["web"]).nice()
    assert sent(aster, large("next")).status == 200
    assert workers(aster.console) == [worker]


def test_it_asks_to_come_back_when_the_process_is_killed_and_counts_once(aster: Online) -> None:
    body = large("killed")
    assert sent(aster, large("before")).status == 200
    [worker], (_, before) = workers(aster.console), taken(aster, "killed")
    answers: list[Answered] = []
    sender = threading.Thread(target=lambda: answers.append(aster.post("/v1/traces", body)))
    with locked(aster.console):
        sender.start()
        eventually(lambda: waits_for_lock(aster))
        worker.send_signal(signal.SIGKILL)
        sender.join()
    assert (answers[0].status, answers[0].headers["retry-after"]) == (503, "1")
    assert b"has ended" in answers[0].body
    assert taken(aster, "killed") == (0, before)
    assert sent(aster, body).status == 200
    assert taken(aster, "killed") == (1, before + 1)
    assert worker not in workers(aster.console)


def test_one_that_ended_between_two_bodies_is_replaced_unnoticed(aster: Online) -> None:
    assert sent(aster, large("one")).status == 200
    [worker] = workers(aster.console)
    worker.send_signal(signal.SIGKILL)
    eventually(lambda: not workers(aster.console))
    assert sent(aster, large("two")).status == 200


def test_it_never_outlives_the_web_process(aster: Online) -> None:
    assert sent(aster, large("last")).status == 200
    [worker] = workers(aster.console)
    os.kill(aster.console.pids()["web"], signal.SIGKILL)
    worker.wait(_PATIENCE_S)


def waits_for_lock(aster: Online) -> bool:
    with aster.orm(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])
