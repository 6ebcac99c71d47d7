"""Every answer is counted once, the counts outlive their process, and no sum goes down while a run lasts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from monitoring.models import IntakeOutcome
from monitoring.receive import outcomes as module
from monitoring.receive import tally as tally_module
from monitoring.receive.arrival import Answer
from monitoring.receive.outcomes import Outcomes
from monitoring.receive.tally import Figures, Outcome, Tally, hour_of, is_alive, process_mark, read_counts
from monitoring.records import Signal
from partners.keys import KeyHolder
from tests.cast import Member

HOUR = tally_module.hour_of(1_790_000_000)
TAKEN = Outcome(HOUR, 7, "abc", "traces", 200, "")
REFUSED = Outcome(HOUR, 7, "abc", "logs", 400, "malformed")
ONE = Figures(requests=1, items=512, rejected=2, bytes=40_000)

_COUNT_AND_DIE = """
import os, signal, sys, time
from pathlib import Path
from monitoring.receive.tally import Figures, Outcome, Tally
tally = Tally(Path(sys.argv[1]), run="1-1")
for number in range(int(sys.argv[2])):
    tally.add(Outcome(int(time.time()) // 3600 * 3600, 7, "abc", "traces", 200, str(number % 900)), Figures(1, 2, 3, 4))
print("counted", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_after(folder: Path, count: int) -> Path:
    """The file of a process that counted so often and was then killed."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNT_AND_DIE, str(folder), str(count)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "counted\n")
    (file,) = folder.glob("1-1/*.counts")
    return file


def test_it_counts_and_reads_back_what_was_counted(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    for _ in range(3):
        tally.add(TAKEN, ONE)
    tally.add(REFUSED, Figures(requests=1, bytes=9))
    assert read_counts(tally.file) == {TAKEN: Figures(3, 1_536, 6, 120_000), REFUSED: Figures(1, 0, 0, 9)}


def test_its_counts_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    """More kinds of answers than the file first had room for."""
    counts = read_counts(killed_after(tmp_path, 10_000))
    assert len(counts) == 900
    assert sum(one.requests for one in counts.values()) == 10_000


def test_counts_kept_in_memory_are_lost_with_their_process() -> None:
    """The control: what a process has not handed over dies with it."""
    script = "import os, signal; counted = [1] * 10_000; os.kill(os.getpid(), signal.SIGKILL); print(sum(counted))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


def test_it_folds_what_is_written_down_and_over_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally_module, "_FOLD_SIZE", 1)
    tally = Tally(tmp_path)
    tally.add(TAKEN, ONE)
    tally.add(TAKEN._replace(hour=HOUR + 3600), ONE)
    tally.take_changed()
    tally.add(REFUSED, ONE)
    tally.fold()
    anybody = TAKEN._replace(hour=0, tenant_id=0, key_prefix="")
    assert read_counts(tally.file) == {anybody: ONE.plus(ONE), REFUSED: ONE}
    tally.add(REFUSED, ONE)
    assert read_counts(tally.file)[REFUSED] == ONE.plus(ONE)


def count(counted: Outcomes, member: Member, *answers: Answer) -> None:
    for answer in answers:
        counted.count(KeyHolder("abc", member.tenant.pk, None), Signal.TRACES, answer, 100)


def written(member: Member) -> list[tuple[object, ...]]:
    with member.scope():
        return list(
            IntakeOutcome.objects.order_by("status", "reason").values_list(
                "status", "reason", "requests", "items", "rejected", "bytes"
            )
        )


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcomes:
    """Nothing is written down but when a test says so."""
    monkeypatch.setattr(Outcomes, "_start_writing", lambda _: None)
    return Outcomes(tmp_path)


@pytest.mark.django_db(transaction=True)
def test_it_writes_down_what_a_tenant_received_once_however_often_it_writes(owner: Member, counted: Outcomes) -> None:
    taken = Answer(200, b"", "", items=10, rejected=2)
    count(counted, owner, taken, taken, Answer(503, b"", "", "database", items=12))
    counted.write()
    assert written(owner) == [(200, "", 2, 20, 4, 200), (503, "database", 1, 12, 0, 100)]
    count(counted, owner, taken)
    counted.write()
    counted.write()
    assert written(owner) == [(200, "", 3, 30, 6, 300), (503, "database", 1, 12, 0, 100)]


@pytest.mark.django_db(transaction=True)
def test_it_writes_later_what_the_database_would_not_take(
    owner: Member, counted: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(counted, owner, Answer(400, b"", "", "malformed"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_UPSERT", "SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM nowhere")
        counted.write()
    assert written(owner) == []
    counted.write()
    assert written(owner) == [(400, "malformed", 1, 0, 0, 100)]


@pytest.mark.django_db(transaction=True)
def test_it_writes_down_what_a_worker_counted_that_was_killed(
    owner: Member, counted: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "_COUNT_AND_DIE", _COUNT_AND_DIE.replace("7,", f"{owner.tenant.pk},"))
    file = killed_after(tmp_path, 5)
    for _ in range(2):
        counted.adopt()
    assert [row[2:] for row in written(owner)] == [(1, 2, 3, 4)] * 5
    # Its run has ended as well: nothing is left to be remembered.
    assert not file.exists()


@pytest.mark.django_db(transaction=True)
def test_it_writes_nothing_of_an_hour_whose_counts_are_folded(owner: Member, counted: Outcomes) -> None:
    """A worker's own row would be added to the sum that it is part of."""
    settled, later = (timezone.now() + ago for ago in (timedelta(days=-8), timedelta(days=-5)))
    folded = Outcome(hour_of(settled.timestamp()), owner.tenant.pk, "abc", "traces", 200, "")
    counted._tally.add(folded, ONE)
    counted._tally.add(folded._replace(hour=hour_of(later.timestamp())), ONE)
    counted.write()
    assert written(owner) == [(200, "", *ONE)]


@pytest.mark.django_db(transaction=True)
def test_it_keeps_the_sums_of_a_dead_worker_while_its_run_lasts(
    owner: Member, counted: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = killed_after(tmp_path, 5)
    folder = tmp_path / process_mark(os.getppid())
    folder.mkdir()
    file = file.rename(folder / file.name)
    counted.adopt()
    assert sum(one.requests for one in read_counts(file).values()) == 5
    connection.close()


def test_it_forgets_runs_that_have_ended_and_no_other(counted: Outcomes, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    living = process_mark(os.getpid())
    # A later process may have an ended one's number; its start tells them apart.
    for run in (f"{ended.pid}-77", f"{os.getpid()}-1", living):
        (tmp_path / run).mkdir()
    counted.adopt()
    assert [run.name for run in tmp_path.iterdir()] == [living]


def test_a_worker_that_was_killed_has_ended_before_its_parent_hears_of_it() -> None:
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = process_mark(worker.pid)
    assert is_alive(mark)
    worker.kill()
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert process_mark(worker.pid) == mark
    assert not is_alive(mark)
    worker.wait()


def test_where_nothing_is_known_of_processes_none_is_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.receive.tally._stat", lambda _: [])
    assert is_alive(process_mark(os.getpid()))


def test_it_goes_on_where_it_cannot_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    outcomes = Outcomes(tmp_path / "taken")
    outcomes._writer = object()  # type: ignore[assignment]
    outcomes.count(None, Signal.LOGS, Answer(401, b"", "", "unauthenticated"), 0)
    assert "a request could not be counted" in caplog.text
