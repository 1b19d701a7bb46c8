"""/api/docs in a real browser: its JavaScript examples run, it is narrow enough for a phone, and copies."""

from __future__ import annotations

import json

import pytest

from tests.api.story import READER, tell
from tests.sites import Site


@pytest.fixture
def real_site(tmp_path):
    made = Site(tmp_path, READER)
    yield made
    made.close()


def test_every_javascript_example_does_what_the_page_says(real_site, chromium):
    with real_site.client(real_site.serve()) as client:
        context = chromium.new_context(base_url=str(client.base_url))
        page = context.new_page()
        page.goto("/sign-in")

        def run(text, variables):
            done = page.evaluate(
                """async ([text, variables]) => {
                    Object.assign(globalThis, variables);
                    const printed = [], log = console.log;
                    console.log = value => printed.push(value);
                    const AsyncFunction = (async () => {}).constructor;
                    try { await AsyncFunction(text)(); } catch (error) { return {error: String(error)}; }
                    finally { console.log = log; }
                    return {printed};
                }""",
                [text, variables],
            )
            if "error" in done:
                assert "VERSION_CONFLICT" in done["error"], done["error"]
                return None
            (value,) = done["printed"]
            return json.dumps(value)

        tell(client, "javascript", run, json.loads)
        context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(open_browser, width):
    page = open_browser(viewport={"width": width, "height": 900}).new_page()
    for language in ("curl", "python", "javascript"):
        page.goto(f"/api/docs?language={language}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_example_is_copied_as_it_stands(open_browser):
    context = open_browser(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/api/docs?language=python#getAssistant")
    page.locator("#getAssistant [data-copy]").first.click()
    page.wait_for_function("document.querySelector('#live').textContent")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#getAssistant pre").first.text_content()


def test_a_language_is_chosen_with_the_keyboard_and_without_scripts(open_browser):
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/api/docs")
    page.locator("#getAssistant .seg a", has_text="Python").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/api/docs?language=python#getAssistant")
    assert "requests.get(" in page.locator("#getAssistant pre").first.text_content()
    assert page.locator("#getAssistant").is_visible()


def test_nothing_comes_from_elsewhere_and_the_console_is_silent(open_browser, site):
    page = open_browser().new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto("/api/docs")
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith(f"{site}/")] == []
    assert said == []
