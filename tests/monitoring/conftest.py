"""What every test of monitoring starts from: nothing remembered of a database that was made anew since."""

from __future__ import annotations

import pytest

from monitoring import catalogue, pipeline
from monitoring.mapping import VerdictCache
from monitoring.project import looks, run_kinds, windows, workflows


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenants of a fresh database have the numbers of those before; the caches of this process would mix them up."""
    monkeypatch.setattr(pipeline, "_verdicts", VerdictCache())
    monkeypatch.setattr(catalogue, "_cached", {})
    monkeypatch.setattr(workflows, "_cached", {})
    monkeypatch.setattr(run_kinds, "_cached", {})
    monkeypatch.setattr(windows, "_spoken_of", set())
    monkeypatch.setattr(looks, "_last", {})
