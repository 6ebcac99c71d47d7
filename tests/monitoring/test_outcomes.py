"""The counts of several web workers add up, and no sum goes down while their run lasts."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from monitoring.receive.tally import Outcome, Tally, process_mark

TAKEN: Outcome = ("traces", 200, "taken")
REFUSED: Outcome = ("logs", 400, "malformed")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is published but when a test says so."""
    monkeypatch.setattr(Tally, "_keep_publishing", lambda _: None)


def worker(folder: Path, name: str, *outcomes: Outcome) -> Tally:
    found = Tally(folder, worker=name)
    for outcome in outcomes:
        found.add(outcome)
    return found


def test_it_sums_what_two_workers_counted_whoever_is_asked(silent: None, tmp_path: Path) -> None:
    first, second = worker(tmp_path, "1-1", TAKEN, TAKEN), worker(tmp_path, "2-1", TAKEN, REFUSED)
    second.publish()
    assert first.everyone() == Counter({TAKEN: 3, REFUSED: 1})
    assert second.everyone() == Counter({TAKEN: 3, REFUSED: 1})


def test_two_workers_that_answer_for_themselves_are_caught(silent: None, tmp_path: Path) -> None:
    """The control: own counts jump up and down with the worker that is asked."""
    first, second = worker(tmp_path, "1-1", TAKEN, TAKEN), worker(tmp_path, "2-1", TAKEN)
    assert (first.own()[TAKEN], second.own()[TAKEN]) == (2, 1)


def test_it_keeps_what_a_worker_counted_that_has_died(silent: None, tmp_path: Path) -> None:
    worker(tmp_path, "1-1", TAKEN, TAKEN).publish()
    successor = worker(tmp_path, "1-2", TAKEN)
    assert successor.everyone() == Counter({TAKEN: 3})


def test_it_forgets_runs_that_have_ended_and_no_other(silent: None, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    living = process_mark(os.getpid())
    # A later process may have an ended one's number; its start tells them apart.
    for run in (f"{ended.pid}-77", f"{os.getpid()}-1", living):
        Tally(tmp_path, run=run, worker="1-1")
        (tmp_path / run).mkdir()
        (tmp_path / run / "1-1.json").write_text(json.dumps([[*TAKEN, 9]]))
    assert worker(tmp_path, "2-1", TAKEN).everyone() == Counter({TAKEN: 1})
    assert {run.name for run in tmp_path.iterdir()} == {living, process_mark(os.getppid())}


def test_it_writes_nothing_where_nothing_changed(silent: None, tmp_path: Path) -> None:
    tally = worker(tmp_path, "1-1")
    tally.publish()
    assert list(tmp_path.iterdir()) == []
    tally.add(TAKEN)
    tally.publish()
    (file,) = tmp_path.glob("*/*")
    before = file.stat().st_ino
    tally.publish()
    assert (file.stat().st_ino, file.suffix) == (before, ".json")


def test_it_still_tells_its_own_where_it_cannot_write(
    silent: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert worker(tmp_path / "taken", "1-1", TAKEN).everyone() == Counter({TAKEN: 1})
    assert "the counts of this process could not be published" in caplog.text
