"""A tenant of a live console for the conformance tests, and what its web worker costs."""

from __future__ import annotations

import pytest
from pytest_django import DjangoDbBlocker

from tests.conformance.meter import Meter
from tests.live import LiveConsole
from tests.online import Online


@pytest.fixture(scope="module")
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


@pytest.fixture
def meter(live_console: LiveConsole) -> Meter:
    return Meter(live_console._running["web"].pid)
