"""The database dies, stands still or has no room: nobody hears 500, and who comes back loses nothing."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.monitoring.line import span, traces
from tests.outage import Plant, small_disk

_number = itertools.count(1)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    found = Plant(tmp_path_factory.mktemp("outage"))
    yield found
    found.stop()


def ended(name: str) -> ReadableSpan:
    found = TracerProvider().get_tracer("tests").start_span(name)
    found.end()
    assert isinstance(found, ReadableSpan)
    return found


class Senders:
    """Real exporters and a chunked client that send small batches until they are told to stop."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._stop = threading.Event()
        self.taken: list[str] = []
        self.lost: list[str] = []
        self.statuses: set[int] = set()
        self._threads = [threading.Thread(target=run) for run in (self._exporter, self._exporter, self._chunked)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1.5)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _exporter(self) -> None:
        exporter = OTLPSpanExporter(
            endpoint=f"{self._plant.console.url}/v1/traces",
            headers={"authorization": f"Bearer {self._plant.key}"},
            compression=Compression.Gzip,
        )
        while not self._stop.is_set():
            name = f"exporter {next(_number)}"
            taken = exporter.export([ended(name)]) is SpanExportResult.SUCCESS
            (self.taken if taken else self.lost).append(name)
            time.sleep(0.05)

    def _chunked(self) -> None:
        while not self._stop.is_set():
            name = f"chunked {next(_number)}"
            body = traces(span(name))
            gives_up = time.monotonic() + 10
            while (status := self._plant.post(iter([body[:40], body[40:]]))[0]) != 200:
                self.statuses.add(status)
                if time.monotonic() > gives_up:
                    self.lost.append(name)
                    break
                time.sleep(1)
            else:
                self.taken.append(name)
            time.sleep(0.05)

    def check(self) -> None:
        """All that was acknowledged is there, once; nothing was given up; nobody heard anything but 503."""
        assert self.lost == []
        assert self.statuses <= {503}
        found = self._plant.asked("SELECT root_name, span_count FROM monitoring_run")
        stored = [name for name, count in found if name in set(self.taken) and count == 1]
        assert sorted(stored) == sorted(self.taken)


def test_exporters_ride_out_a_database_that_is_killed_for_five_seconds(plant: Plant) -> None:
    with Senders(plant) as senders, plant.killed_for(5):
        pass
    senders.check()


def test_exporters_ride_out_a_database_that_stands_still_for_six_seconds(plant: Plant) -> None:
    with Senders(plant) as senders, plant.paused_for(6):
        pass
    senders.check()


def crowded(plant: Plant) -> AbstractContextManager[None]:
    return plant.crowded()


def paused(plant: Plant) -> AbstractContextManager[None]:
    return plant.paused_for(8)


def killed(plant: Plant) -> AbstractContextManager[None]:
    return plant.killed_for(6)


@pytest.mark.parametrize("trouble", [crowded, paused, killed], ids=lambda trouble: trouble.__name__)
def test_it_answers_503_within_seconds_however_many_ask(
    plant: Plant, trouble: Callable[[Plant], AbstractContextManager[None]]
) -> None:
    while plant.post(traces(span()))[0] != 200:
        time.sleep(0.1)
    threads = _threads(plant)
    answers: list[tuple[int, str, float]] = []

    def ask() -> None:
        began = time.monotonic()
        answers.append((*plant.post(traces(span())), time.monotonic() - began))

    with trouble(plant):
        asking = [threading.Thread(target=ask) for _ in range(20)]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        during = _threads(plant)
    # The last to be asked may find the database back.
    assert {answer[:2] for answer in answers} <= {(503, "1"), (429, "1"), (200, "")}
    assert any(status == 503 for status, _, _ in answers)
    assert max(waited for _, _, waited in answers) < 7
    assert during <= threads + 4
    deadline = time.monotonic() + 5
    while plant.post(traces(span()))[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _threads(plant: Plant) -> int:
    return len(list(Path(f"/proc/{plant.console._running['web'].pid}/task").iterdir()))


def test_what_was_answered_adds_up_after_all_that(plant: Plant) -> None:
    def answered() -> tuple[int, int, int]:
        ((accepted, throttled, others),) = plant.asked(
            "SELECT sum(requests) FILTER (WHERE status = 200 AND reason = ''),"
            " sum(requests) FILTER (WHERE status IN (429, 503)),"
            " coalesce(sum(requests) FILTER (WHERE status NOT IN (200, 429, 503)), 0) FROM monitoring_intakeoutcome"
        )
        return accepted, throttled, others

    ((kept,),) = plant.asked("SELECT count(*) FROM monitoring_intake")
    deadline = time.monotonic() + 10
    # Some were committed after their sender had been told to come back, which would then have been known already.
    while not ((found := answered())[0] <= kept <= found[0] + found[1]):
        assert time.monotonic() < deadline, (kept, found)
        time.sleep(0.5)
    assert found[2] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_it_asks_to_come_back_while_the_disk_is_full_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with small_disk(tmp_path / "server", "500m"):
        plant = Plant(tmp_path)
        try:
            before = [plant.post(traces(span(f"before {number}")))[0] for number in range(5)]
            with plant.full():
                during = _until_refused(plant)
            after = _taken(plant, traces(span("after")))
            names = [name for (name,) in plant.asked("SELECT root_name FROM monitoring_run")]
        finally:
            plant.stop()
    assert (before, after) == ([200] * 5, 200)
    assert set(during) <= {(200, ""), (503, "1")}
    assert during[-1] == (503, "1")
    # What was acknowledged while the last room was used up is there as well.
    taken = sum(status == 200 for status, _ in during)
    assert sorted(name for name in names if name.startswith("before")) == [f"before {number}" for number in range(5)]
    assert sum(name.startswith("during") for name in names) >= taken


def _until_refused(plant: Plant) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    while not found or found[-1][0] == 200:
        text = os.urandom(2_000_000).hex()
        found.append(plant.post(traces(span(f"during {next(_number)}", said={"text": text}))))
        assert len(found) < 1_000
    return found


def _taken(plant: Plant, body: bytes) -> int:
    deadline = time.monotonic() + 20
    while (status := plant.post(body)[0]) != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    return status
