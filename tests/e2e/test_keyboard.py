"""The keyboard alone: everything is reached, the focus is seen and never lost."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.factories import make_record, store

ASK = Path(__file__).with_name("keyboard.js").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _records(app):
    store(
        app,
        make_record(status="pending"),
        *(make_record(f"n{n:02}", title=f"Number {n:02}", status="draft") for n in range(12)),
    )


def walk(page):
    """Press Tab until the page is left; each stop and what is wrong with it."""
    reached, wrong = set(), []
    for _ in range(300):
        page.keyboard.press("Tab")
        number, complaints = page.evaluate(ASK, "focused")
        if number in reached or number < 0:
            break
        reached.add(number)
        wrong += complaints
    return reached, wrong


@pytest.mark.parametrize(
    "path", ["/", "/assistants", "/assistants/edit/ast_1", "/backups", "/import", "/settings/tokens"]
)
@pytest.mark.parametrize("width", [1280, 390])
def test_every_control_is_reached_with_a_focus_that_is_seen(open_browser, path, width):
    page = open_browser(viewport={"width": width, "height": 700}).new_page()
    page.goto(path)
    page.wait_for_load_state("networkidle")
    wanted = dict(page.evaluate(ASK, "reachable"))
    reached, wrong = walk(page)
    wrong += [f"not reached: {html}" for number, html in wanted.items() if number not in reached]
    assert not wrong, "\n".join(wrong)


def test_the_first_stop_skips_to_the_content(page):
    page.goto("/assistants")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("main a").first).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(page):
    page.goto("/backups")
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#history tbody tr")).to_have_count(1)
    page.locator("#history a.entry-title").press("Enter")
    opener = page.get_by_role("link", name="Delete…")
    page.wait_for_load_state()
    opener.press("Enter")
    expect(page.locator("dialog h1")).to_be_focused()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def test_escape_closes_a_menu_then_clears_the_selection(page):
    page.goto("/assistants?sort=title")
    page.locator("[data-select]").first.check()
    menu = page.locator("#list-filters .menu").last
    menu.locator("summary").press("Enter")
    expect(menu.locator("a").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.locator("a").first).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    expect(page.locator("[data-bulk-bar]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-bulk-bar]")).to_be_hidden()


def test_rows_by_letters(page):
    page.goto("/assistants?sort=title")
    for key in ("j", "j", "k", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("[data-bulk-count]")).to_have_text("2 selected")
    page.keyboard.press("Enter")
    expect(page.locator("#editor")).to_be_visible()


def test_the_keys_are_told_and_lead_to_pages(page):
    page.goto("/")
    page.keyboard.press("?")
    expect(page.locator("dialog h2")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.locator("h1")).to_have_text("Backups")
    page.wait_for_load_state()
    page.keyboard.press("/")
    expect(page.locator("#jump")).to_be_focused()
    page.keyboard.type("number 03")
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_a_refused_form_takes_the_focus_and_leads_to_the_field(page):
    page.goto("/assistants/new")
    page.keyboard.press("Control+s")
    summary = page.locator("#editor [role=alert]")
    expect(summary).to_be_focused()
    summary.get_by_role("link").first.press("Enter")
    expect(page.locator("#title")).to_be_focused()
