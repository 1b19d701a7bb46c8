"""Every screen in every state: axe finds nothing, nothing scrolls sideways, is cut off or too small to hit.

In English and light at 1280 px, in English and dark on a phone, in Chinese; widths between them by measure alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.screens import BY_ID, Screen
from tests.e2e.worlds import World, build

HERE = Path(__file__).parent
AXE = (HERE.parent / "vendor" / "axe-core-4.14.1.min.js").read_text(encoding="utf-8")
LOOKS = (HERE / "looks.js").read_text(encoding="utf-8")
RUN_AXE = """() => axe.run(document, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  rules: {'target-size': {enabled: !document.querySelector('.menu[open]')}}, // What lies under a menu is not pressed.
  resultTypes: ['violations'], preload: false,
}).then(({violations}) => violations.flatMap(each => each.nodes.map(
  node => `${each.id}: ${node.target.join(' ')}: ${node.failureSummary.split('\\n')[1].trim()}`)))"""
PHONE_WIDTHS, DESK_WIDTHS = (320, 390), (768, 1024, 1280)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """The site of that name, built when it is first asked for."""
    built: dict[str, World] = {}
    with ExitStack() as stack:

        def give(name: str) -> World:
            if name not in built:
                built[name] = stack.enter_context(build(name, tmp_path_factory.mktemp(name)))
            return built[name]

        yield give


@pytest.fixture
def show(chromium: Browser, worlds: Callable[[str], World]) -> Iterator[Callable[..., Page]]:
    """Open a screen in a new window: `show(screen, locale="zh-CN")`; a complaint of the console fails the test."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_screen(screen: Screen, **options: object) -> Page:
            world = worlds(screen.world)
            context = chromium.new_context(base_url=world.url, viewport={"width": 1280, "height": 900}, **options)
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            if screen.role:
                context.add_cookies([{"name": "aa_session", "value": world.session(screen.role), "url": world.url}])
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            screen.open(page, world)
            return page

        yield open_screen
    # Chromium reports refused forms, error pages and the lost connection of its own accord, and so does htmx.
    expected = ("Failed to load resource", "Failed to fetch")
    assert [text for text in complaints if not any(each in text for each in expected)] == []


def axe(page: Page) -> list[str]:
    # As high as the page, so that nothing lies under the sticky bars.
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": max(height, 900)})
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    return page.evaluate(RUN_AXE)


def looks(page: Page, width: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": 900})
    least = 40 if width in PHONE_WIDTHS else 24
    return [f"{width} px: {each}" for each in page.evaluate(LOOKS, least)]


@pytest.mark.parametrize("screen", BY_ID.values(), ids=BY_ID.keys())
def test_looks_right(screen: Screen, show: Callable[..., Page]) -> None:
    page = show(screen, locale="en-US")
    found = axe(page)
    for width in (*PHONE_WIDTHS, *DESK_WIDTHS):
        found += looks(page, width)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    found += [f"dark, on a phone: {each}" for each in axe(page)]
    page = show(screen, locale="zh-CN")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    found += [f"Chinese: {each}" for each in [*axe(page), *looks(page, 320), *looks(page, 768)]]
    assert not found, "\n".join(dict.fromkeys(found))


@pytest.mark.parametrize("name", ["list-filled", "editor-published", "backups-filled"])
def test_a_tablet_has_targets_for_fingers(name: str, show: Callable[..., Page]) -> None:
    page = show(BY_ID[name], has_touch=True, is_mobile=True)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    page.set_viewport_size({"width": 1024, "height": 768})
    found = page.evaluate(LOOKS, 40)
    assert not found, "\n".join(found)
