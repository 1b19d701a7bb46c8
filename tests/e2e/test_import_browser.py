"""The review of an import in a real browser: choices are kept as they are made, with scripts and without."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.test_backups_browser import settled
from tests.factories import make_record, store, stored

REVIEW = re.compile(r"/import/[0-9a-f]{16}")


@pytest.fixture
def market(app, tmp_path):
    """A file that changes two assistants of the catalogue."""
    titles = ("One", "Two")
    store(app, *(make_record(f"a{n}", title=title) for n, title in enumerate(titles)))
    records = [
        {"id": f"a{n}", "title": f"{title} of the file", "prompt": "new", "createdAt": "2026-11-20T12:00:00.000Z"}
        for n, title in enumerate(titles)
    ]
    path = tmp_path / "market.json"
    path.write_text(json.dumps(records))
    return path


def upload(page, path):
    page.goto("/import")
    page.set_input_files("#file", path)
    page.get_by_role("button", name="Check the file").click()
    page.wait_for_url(REVIEW)


def choice(page, title, value):
    return page.get_by_role("row", name=title).get_by_role("radio", name=value)


def test_a_choice_is_kept_when_it_is_made(app, page, market):
    upload(page, market)
    apply = page.locator("#import-bar").get_by_role("button", name="Apply")
    expect(apply).to_have_text("Apply 2 changes")
    expect(page.get_by_role("button", name="Save choices")).to_be_hidden()
    choice(page, "Two of the file", "Take file").focus()
    page.keyboard.press("ArrowLeft")
    expect(apply).to_have_text("Apply 1 change")
    expect(choice(page, "Two of the file", "Keep mine")).to_be_checked()
    page.reload()
    expect(choice(page, "Two of the file", "Keep mine")).to_be_checked()
    opener = page.get_by_role("link", name="Two of the file")
    opener.press("Enter")
    expect(page.locator("dl.changes ins").first).to_have_text(" of the file")
    expect(opener).to_be_focused()
    opener.press("Enter")
    expect(page.locator("dl.changes")).to_have_count(0)
    apply.click()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 change was applied")
    assert [stored(app, key).title for key in ("a0", "a1")] == ["One of the file", "Two"]


def test_choices_are_saved_by_a_button_without_scripts(app, open_browser, market):
    page = open_browser(java_script_enabled=False).new_page()
    upload(page, market)
    choice(page, "One of the file", "Keep mine").check(force=True)
    page.get_by_role("button", name="Save choices").click()
    expect(page.get_by_role("button", name="Apply 1 change")).to_be_visible()
    page.get_by_role("link", name="One of the file").click()
    expect(page.locator("dl.changes ins").first).to_be_visible()
    page.get_by_role("link", name="Back to the review").click()
    page.get_by_role("button", name="Take file for all 2").click()
    expect(choice(page, "One of the file", "Take file")).to_be_checked()
    choice(page, "Two of the file", "Keep mine").check(force=True)
    page.get_by_role("button", name="Save choices").click()
    page.get_by_role("button", name="Apply 1 change").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 change was applied", timeout=20_000)
    assert [stored(app, key).title for key in ("a0", "a1")] == ["One of the file", "Two"]


def test_an_import_is_undone_from_its_result(app, page, market):
    upload(page, market)
    page.get_by_role("button", name="Apply 2 changes").click()
    settled(page)
    page.get_by_role("button", name="Undo this import").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 changes to review")
    choice(page, "Two", "Keep mine").check(force=True)
    page.get_by_role("button", name="Apply 1 change").click()
    settled(page)
    expect(page.get_by_role("button", name="Undo this undo")).to_be_visible()
    assert [stored(app, key).title for key in ("a0", "a1")] == ["One", "Two of the file"]
