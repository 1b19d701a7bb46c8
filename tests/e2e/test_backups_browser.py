"""Backups and import in a real browser: with scripts, without, on a phone, in Chinese, and against the real server."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.factories import make_record, store, stored
from tests.people import PASSWORD
from tests.sites import Site
from webadmin import backups
from webadmin.accounts import SYSTEM
from webadmin.backups import Kind

REVIEW = re.compile(r"/import/[0-9a-f]{16}$")


@pytest.fixture
def market(tmp_path):
    """A file to import: one new assistant, one that differs, one as it is here."""
    records = [
        {"id": "ast_1", "title": "Renamed", "prompt": "new", "createdAt": "2026-11-20T12:00:00.000Z"},
        {"id": "ast_2", "title": "产品经理", "prompt": "你是一名产品经理。", "createdAt": "2026-11-20T12:00:00.000Z"},
    ]
    metadata = {"version": "1.0.0", "timestamp": "2026-11-20T12:00:00.000Z", "recordCount": 2}
    path = tmp_path / "market.json"
    path.write_text(json.dumps({"metadata": metadata, "assistants": records}, ensure_ascii=False))
    return path


def settled(page):
    """Wait until nothing on the page asks again by itself, the safety pill aside."""
    expect(page.locator("main [data-poll]")).to_have_count(0, timeout=30_000)


@pytest.fixture
def todays_backup(app):
    """Today's automatic backup is made, so that none is late whatever the time of day is."""
    with app.app_context():
        backups.create(SYSTEM, reason=Kind.SCHEDULED)


def test_backing_up_shows_progress_and_ends_in_the_list(app, page, todays_backup):
    store(app, *(make_record(f"n{n:05}", prompt="x" * 100) for n in range(40_000)))
    page.goto("/backups")
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#running progress")).to_be_visible()
    expect(page.get_by_role("button", name="Running…")).to_be_disabled()
    settled(page)
    expect(page.locator("#history tbody tr")).to_have_count(2)
    expect(page.locator("#history .badge").first).to_have_text("Verified")
    expect(page.get_by_role("button", name="Back up now")).to_be_enabled()
    expect(page.locator("[data-toast]")).to_contain_text("Backup made and verified: 40,000 records")
    expect(page.locator("#safety-pill")).to_contain_text("Backed up just now")


def test_upload_review_apply_result(app, page, market):
    store(app, make_record())
    page.goto("/import")
    page.set_input_files("#file", market)
    page.get_by_role("button", name="Check the file").click()
    page.wait_for_url(REVIEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("2 changes to review")
    address = page.url
    page.locator(".tabs a", has_text="Added").click()
    expect(page.locator("main tbody")).to_contain_text("产品经理")
    page.get_by_role("link", name="Add new only").click()
    expect(page.get_by_role("button", name="Apply 1 change")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Apply 1 change")).to_be_visible()
    page.goto(address)
    page.get_by_role("button", name="Apply 2 changes").click()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("2 changes were applied")
    assert stored(app).title == "Renamed"
    page.locator("main a[href^='/backups/assistants_backup_']").click()
    expect(page.get_by_text("This file can be restored.")).to_be_visible()


def test_replacing_asks_in_the_dialog(app, page, market):
    store(app, make_record("only_here"))
    page.goto("/import")
    page.set_input_files("#file", market)
    page.get_by_role("button", name="Check the file").click()
    page.wait_for_url(REVIEW)
    page.get_by_role("link", name="Replace everything").click()
    page.get_by_role("link", name="Apply 3 changes…").click()
    dialog = page.locator("#dlg")
    expect(dialog.get_by_role("heading")).to_have_text("Delete 1 assistant?")
    dialog.get_by_role("button", name="Apply 3 changes").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Delete 1 assistant that is not in the file").check()
    dialog.get_by_role("button", name="Apply 3 changes").click()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("3 changes were applied")


def test_refused_file_says_why_where_it_was_chosen(page, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("hello")
    page.goto("/backups/upload")
    page.set_input_files("#file", broken)
    page.locator("main").get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert").filter(has_text="does not begin like a JSON document")).to_be_focused()


def test_everything_works_without_scripts(app, open_browser, market):
    store(app, make_record())
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/backups")
    page.get_by_role("button", name="Back up now").click()
    expect(page.locator("#history .badge")).to_have_text("Verified", timeout=20_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert json.loads(download.value.path().read_text())["metadata"]["recordCount"] == 1
    page.goto("/import")
    page.set_input_files("#file", market)
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Apply 2 changes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 changes were applied", timeout=20_000)
    page.goto("/backups")
    page.get_by_role("button", name="Restore…").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 change to review", timeout=20_000)
    page.get_by_role("link", name="Replace everything").click()
    page.get_by_role("link", name="Apply 2 changes…").click()
    page.get_by_label("Delete 1 assistant that is not in the file").check()
    page.get_by_role("button", name="Apply 2 changes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 changes were applied", timeout=20_000)
    assert stored(app).title == "Code Reviewer"
    page.goto("/backups")
    page.get_by_role("link", name="More on").last.click()
    page.get_by_role("link", name="Delete…").last.click()
    page.get_by_role("button", name="Delete the backup").click()
    page.goto("/backups/bin")
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_text("is back.")).to_be_visible()
    page.goto("/backups/upload")
    page.set_input_files("#file", market)
    page.locator("main").get_by_role("button", name="Upload").click()
    expect(page.get_by_text("The file is kept as")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_page_scrolls_sideways(app, open_browser, market, width):
    store(app, make_record(title="长标题" * 100), *(make_record(f"n{n}", status="pending") for n in range(5)))
    page = open_browser(viewport={"width": width, "height": 800}).new_page()
    page.goto("/backups")
    page.get_by_role("button", name="Back up now").click()
    settled(page)
    seen = ["/", "/backups", "/backups/upload", "/backups/bin", "/import"]
    seen.append(page.locator("#history a.entry-title").first.get_attribute("href"))
    page.goto("/import")
    page.set_input_files("#file", market)
    page.get_by_role("button", name="Check the file").click()
    page.wait_for_url(REVIEW)
    seen += [page.url, f"{page.url}/confirm?mode=replace"]
    for path in seen:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_pages_speak_chinese(app, open_browser, todays_backup):
    store(app, make_record())
    page = open_browser(locale="zh-CN").new_page()
    page.goto("/backups")
    expect(page.get_by_role("heading", level=1)).to_have_text("备份")
    page.get_by_role("button", name="立即备份").click()
    settled(page)
    expect(page.locator("#history .badge").first).to_have_text("已验证")
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("数据安全")


@pytest.mark.parametrize("has_script", [True, False])
def test_too_large_upload_is_told_on_the_page(chromium, tmp_path, has_script):
    """Against the server that `make run` starts: it answers before the body has come, and closes without a reset."""
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 30_000_000)
    real = Site(tmp_path, {"MAX_UPLOAD_SIZE": "1MiB", "ADMIN_USERNAME": "Ada", "ADMIN_PASSWORD": PASSWORD})
    try:
        server = real.serve()
        context = chromium.new_context(base_url=server.url, java_script_enabled=has_script)
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("User name").fill("Ada")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.locator("main").get_by_role("button", name="Sign in").click()
        for path, button in (("/import", "Check the file"), ("/backups/upload", "Upload")):
            page.goto(path)
            page.set_input_files("#file", large)
            page.locator("main").get_by_role("button", name=button).click()
            expect(page.get_by_text("The file is 30 MB; the limit is 1 MB.").first).to_be_visible()
        context.close()
    finally:
        real.close()
