"""A rebuild that is killed with -9 at its work, beside senders that go on: run again, everything is as the log says."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.models import Rebuild, Run, WorkflowMinute
from tests.live import LiveConsole
from tests.monitoring.line import span, traces
from tests.monitoring.plant_stories import at
from tests.monitoring.projection import projection, settle_all
from tests.online import Online

PROJECT = Path(__file__).parents[2]
RUNS, IN_REQUEST = 900, 300


@pytest.fixture
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Rebuilds")


def _send(online: Online, first: int, count: int) -> None:
    told = [span("release", trace=trace, number=trace, at=at(trace % 600)) for trace in range(first, first + count)]
    assert online.post("/v1/traces", traces(*told)).status == 200


def _rebuild(online: Online) -> subprocess.Popen[bytes]:
    command = [sys.executable, "manage.py", "rebuild", "--tenant", online.tenant.slug]
    return subprocess.Popen(command, cwd=PROJECT, env=online.console.env, stdout=subprocess.PIPE)


def _is_correcting(online: Online) -> bool:
    with online.rows():
        row = Rebuild.objects.first()
        return row is not None and row.phase == "runs" and row.counts.get("runs corrected", 0) > 0


def test_it_is_killed_at_its_work_and_comes_through_the_second_time(aster: Online) -> None:
    for first in range(1, RUNS, IN_REQUEST):
        _send(aster, first, IN_REQUEST)
    with aster.rows():
        before = projection(aster.tenant.pk)
        Run.objects.update(status="error", span_count=9)
        WorkflowMinute.objects.update(runs=1)
    killed = _rebuild(aster)
    until = time.monotonic() + 60
    while not _is_correcting(aster) and time.monotonic() < until:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    with aster.rows():
        assert Rebuild.objects.exists()
        assert 0 < Run.objects.filter(span_count=9).count() < RUNS
    again = _rebuild(aster)
    _send(aster, RUNS + 1, 50)
    said, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert b"Going on where an earlier rebuild stopped, in runs." in said
    with aster.orm():
        settle_all(aster.tenant.pk)
        after = projection(aster.tenant.pk)
    assert len(after["runs"]) == RUNS + 50
    assert set(before["runs"]) <= set(after["runs"])
    assert sum(row[3] for row in after["figures"]) == RUNS + 50
