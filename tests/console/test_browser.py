"""Every page in a real browser: accessible, inside the content security policy, usable by keyboard, alive."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.live import LiveConsole

pytestmark = pytest.mark.browser

_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_PAGES = [
    "",
    "?wall=1",
    "alerts/",
    "alerts/{alert}/",
    "dead-letters/",
    "runs/",
    "runs/{run}/",
    "catalogue/",
    "catalogue/processes/{process}/",
    "catalogue/processes/{process}/edit/",
    "catalogue/processes/{process}/slas/{sla}/",
    "connect/",
]
_PHONE, _DESK = (390, 844), (1440, 900)


@dataclass(frozen=True, slots=True)
class Plant:
    """A filled tenant and an empty one of a running console, and a session in them."""

    console: LiveConsole
    full: str
    empty: str
    key: str
    ids: dict[str, int]
    session: Any

    def url(self, path: str = "", *, tenant: str = "") -> str:
        """The address of a page."""
        return f"{self.console.url}/t/{tenant or self.full}/{path.format(**self.ids)}"


@pytest.fixture(scope="module")
def plant(live_console: LiveConsole, chromium: Browser) -> Plant:
    """Two tenants of one partner, and an operator who is signed in."""
    person = ("--user", "operator@northwind.example", "--role", "partner_admin")
    made = [
        json.loads(
            live_console.manage("provision", "--partner", "Northwind", "--tenant", name, *person, "--json").stdout
        )
        for name in ("Browser Foods", "Browser Empty")
    ]
    code = "from tests.console.fill import fill; fill('browser-foods')"
    ids = json.loads(live_console.manage("shell", "--no-imports", "-c", code).stdout)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{live_console.url}/accounts/login/")
    page.get_by_label("E-mail address").fill("operator@northwind.example")
    page.get_by_label("Password").fill(made[0]["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    session = context.storage_state()
    context.close()
    return Plant(live_console, "browser-foods", "browser-empty", made[0]["ingest_key"], ids, session)


@pytest.fixture
def context(plant: Plant, chromium: Browser) -> Iterator[BrowserContext]:
    """A signed-in profile on a desk."""
    opened = chromium.new_context(storage_state=plant.session, viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def desk(context: BrowserContext) -> Page:
    """A page on a desk."""
    return context.new_page()


def _complaints(page: Page) -> list[str]:
    """Collect what the browser complains about: broken policies, errors, missing files."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def _check(page: Page, place: str, width: int) -> list[str]:
    found = Axe().run(page, options=_RULES).response["violations"]
    faults = [f"{place}: {fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in found]
    scrolled = page.evaluate("document.documentElement.scrollWidth")
    return faults + ([f"{place}: {scrolled} px wide on {width} px"] if scrolled > width else [])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [_DESK, _PHONE], ids=["desk", "phone"])
def test_every_page_is_accessible_and_fits(
    plant: Plant, chromium: Browser, theme: Any, size: tuple[int, int]
) -> None:  # fmt: skip
    width, height = size
    context = chromium.new_context(
        storage_state=plant.session,
        viewport={"width": width, "height": height},
        color_scheme=theme,
        has_touch=size == _PHONE,
    )
    page = context.new_page()
    said = _complaints(page)
    faults: list[str] = []
    for path in _PAGES:
        page.goto(plant.url(path))
        faults += _check(page, path or "board", width)
    for path in ("", "alerts/", "dead-letters/", "runs/", "catalogue/", "connect/"):
        page.goto(plant.url(path, tenant=plant.empty))
        faults += _check(page, f"empty {path or 'board'}", width)
    context.clear_cookies()
    page.goto(f"{plant.console.url}/accounts/login/")
    faults += _check(page, "login", width)
    context.close()
    assert faults == []
    assert said == []


def test_the_first_tab_stop_skips_to_the_content(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url())
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("link", name="Skip to content")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("#main")).to_be_focused()


def test_keys_walk_the_rows_open_them_and_go_places(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url())
    desk.keyboard.press("j")
    first = desk.locator("[data-row].selected")
    expect(first).to_contain_text("Order release")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("button", name="Order release")).to_have_attribute("aria-expanded", "true")
    expect(desk.get_by_role("link", name="release to ERP")).to_be_visible()
    desk.keyboard.press("j")
    expect(desk.locator("[data-row].selected")).to_contain_text("Label printing")
    desk.keyboard.press("/")
    expect(desk.locator("#search")).to_be_focused()
    desk.keyboard.press("Escape")
    desk.keyboard.press("g")
    desk.keyboard.press("a")
    desk.wait_for_url(re.compile("/alerts/"))


def test_single_keys_can_be_switched_off(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url())
    desk.keyboard.press("?")
    desk.get_by_label("Single keys do something").uncheck()
    desk.keyboard.press("Escape")
    desk.keyboard.press("j")
    expect(desk.locator("[data-row].selected")).to_have_count(0)


def test_the_theme_is_remembered(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url())
    desk.get_by_role("button", name="Theme: auto. Switch to light").click()
    desk.get_by_role("button", name="Theme: light. Switch to dark").click()
    desk.goto(plant.url("catalogue/"))
    expect(desk.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_time_tells_its_exact_moment_on_focus_and_on_hover(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url("catalogue/"))
    time = desk.locator(".main time.when").first
    time.hover()
    expect(desk.locator(".tip")).to_contain_text(re.compile(r"CET.*UTC", re.DOTALL))
    desk.mouse.move(0, 0)
    desk.keyboard.press("Tab")
    time.focus()
    expect(desk.locator(".tip")).to_contain_text("UTC")


def test_an_event_that_arrives_stands_on_the_open_board(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url())
    expect(desk.locator("[data-live-words]")).to_have_text("Live")
    desk.get_by_role("button", name="Order release").click()
    unowned = desk.locator("#board .unowned")
    expect(unowned).to_contain_text("1 workflow serves no process yet")
    event = {"specversion": "1.0", "id": "b1", "source": "/plant/mes", "type": "dev.andon.mfg.order.released.v1"}
    answer = httpx.post(
        f"{plant.console.url}/v1/events",
        json=event | {"subject": "4712"},
        headers={"Authorization": f"Bearer {plant.key}", "Content-Type": "application/cloudevents+json"},
    )
    assert answer.status_code in {200, 202}
    expect(unowned).to_contain_text("2 workflows serve no process yet", timeout=2_000)
    # What a person had opened stays open.
    expect(desk.get_by_role("link", name="release to ERP")).to_be_visible()


def test_an_owner_is_given_in_two_clicks(plant: Plant, desk: Page) -> None:
    def late(route: Route) -> None:
        """What was done is announced to the page before its answer arrives."""
        answer = route.fetch()
        time.sleep(1.5)
        route.fulfill(response=answer)

    desk.route("**/assign/", late)
    desk.goto(plant.url("catalogue/"))
    row = desk.locator("#unowned tr", has_text="nightly copy")
    row.get_by_role("combobox").select_option(label="Label printing")
    row.get_by_role("button", name="Assign").click()
    expect(desk.get_by_role("status").filter(has_text="nightly copy now serves Label printing")).to_be_visible()
    expect(row).to_have_count(0)


def test_a_key_is_revoked_only_after_a_plain_question(plant: Plant, desk: Page) -> None:
    desk.goto(plant.url("connect/", tenant=plant.empty))
    desk.get_by_label("Another key, for").fill("trial")
    desk.get_by_role("button", name="Issue a key").click()
    expect(desk.get_by_role("heading", name="Your new key: trial")).to_be_visible()
    desk.goto(plant.url("connect/", tenant=plant.empty))
    desk.get_by_role("button", name="Revoke trial").click()
    question = desk.get_by_role("dialog")
    expect(question).to_contain_text("is refused from its next request on")
    question.get_by_role("button", name="Cancel").click()
    expect(desk.get_by_role("button", name="Revoke trial")).to_be_visible()
    desk.get_by_role("button", name="Revoke trial").click()
    question.get_by_role("button", name="Revoke trial").click()
    expect(desk.get_by_text("trial is revoked.")).to_be_visible()
    expect(desk.get_by_role("button", name="Revoke trial")).to_have_count(0)


def test_rows_that_arrive_shift_nothing(plant: Plant, desk: Page) -> None:
    desk.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach((entry) => "
        "{ window.shift += entry.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    desk.goto(plant.url())
    desk.evaluate("htmx.trigger('#board', 'live')")
    desk.wait_for_timeout(800)
    assert desk.evaluate("window.shift") < 0.02
