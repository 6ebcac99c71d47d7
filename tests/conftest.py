"""What every test may use: databases of its own, a console that runs, a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from tests import browser, servers
from tests.live import LiveConsole

pytest_plugins = ("tests.cast",)

_SERVERS = pytest.StashKey[servers.TestServers]()
_BROWSER_ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def pytest_configure(config: pytest.Config) -> None:
    """The process that owns the run owns its servers; under xdist they stand before the workers start."""
    if settings.SETTINGS_MODULE != "tests.settings":
        raise pytest.UsageError(
            f"The tests ran with {settings.SETTINGS_MODULE}, which is a developer's own console. "
            "Set DJANGO_SETTINGS_MODULE=tests.settings (in pyproject.toml or the environment)."
        )
    if _is_worker(config):
        return
    config.stash[_SERVERS] = servers.TestServers(servers.run_home())
    if config.getoption("numprocesses", None) and not config.option.collectonly:
        config.stash[_SERVERS].start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing of the run stays behind."""
    if (own := config.stash.get(_SERVERS, None)) is not None:
        own.stop()


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> None:
    """The run's PostgreSQL with its migrated template. Workers find it running."""
    if (own := pytestconfig.stash.get(_SERVERS, None)) is not None:
        own.start()


@pytest.fixture(scope="session")
def django_db_setup(database_server: None, django_db_blocker: DjangoDbBlocker) -> None:
    """This worker's database; tests reach it as andon_app (`default`), andon_owner (`owner`), andon_fleet (`fleet`)."""
    servers.fresh_database(servers.run_home(), servers.database_name())


@pytest.fixture(scope="session", autouse=True)
def _fresh_database_after_committing_tests() -> Iterator[None]:
    """A test that commits has its database made anew: the app role may not TRUNCATE, which is Django's own way."""

    def make_anew(_: TransactionTestCase) -> None:
        connections.close_all()
        servers.fresh_database(servers.run_home(), servers.database_name())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", make_anew)
        yield


@pytest.fixture(scope="session")
def live_console(database_server: None) -> Iterator[LiveConsole]:
    """A console of this worker's own with web and broker; `.worker()` and `.beat()` start those."""
    console = LiveConsole(servers.run_home() / f"live-{servers.database_name()}", f"live_{servers.database_name()}")
    yield console
    console.stop()


@pytest.fixture(scope="module")
def troubled_console(database_server: None) -> Iterator[LiveConsole]:
    """A console for tests that take its database away: what they leave broken is met by no other test."""
    name = f"troubled_{servers.database_name()}"
    console = LiveConsole(servers.run_home() / name, name)
    yield console
    console.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real Chromium. Where there is none the test fails and says what to install."""
    # Playwright's event loop stands in this thread, which Django would take for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser.chromium(), args=_BROWSER_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a browser profile of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
