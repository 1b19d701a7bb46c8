"""A real browser on a real server. Without Chromium these tests are skipped, and say so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.serving import served

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What Chromium would otherwise ask its maker, or a proxy of this machine.
_OFFLINE = [
    "--no-sandbox",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Each window would start more processes for its address bar and menus, which nobody sees: half of what a window costs.
# Chromium heeds only the last such list, so what Playwright has in its own and a page would notice is said again.
_WITHOUT = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,PreloadTopChromeWebUI,TabSearch,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,"
    "PreconnectToSearch"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser that the system's packages brought."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*_OFFLINE, f"--disable-features={_WITHOUT}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The address at which the application is served."""
    with served(app) as url:
        yield url


@pytest.fixture
def open_browser(chromium: Browser, site: str, ada: FlaskClient) -> Iterator[Callable[..., BrowserContext]]:
    """Open a window of Ada's, who is signed in: `open_browser(java_script_enabled=False, locale="zh-CN")`."""
    opened: list[BrowserContext] = []

    def open_window(**options: object) -> BrowserContext:
        context = chromium.new_context(base_url=site, **options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        cookie = ada.get_cookie("aa_session")
        context.add_cookies([{"name": "aa_session", "value": cookie.value, "url": site}])
        opened.append(context)
        return context

    yield open_window
    for context in opened:
        context.close()


@pytest.fixture
def page(open_browser: Callable[..., BrowserContext]) -> Iterator[Page]:
    """A page of Ada's; whatever the console complains about fails the test."""
    found = open_browser(viewport={"width": 1280, "height": 900}).new_page()
    complaints: list[str] = []
    found.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    # A refused form is a 4xx, which Chromium reports of its own accord.
    assert [text for text in complaints if "status of 4" not in text] == []
