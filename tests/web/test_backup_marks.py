"""Pins, notes and the proof of all backups, as a browser without scripts uses them."""

import pytest

from tests.factories import make_record, store
from tests.web.conftest import PARTIAL, soup, words
from webadmin import backups, jobs
from webadmin.accounts import SYSTEM
from webadmin.db import db
from webadmin.errors import Message


@pytest.fixture
def name(app):
    store(app, make_record())
    with app.app_context():
        return backups.create(SYSTEM).name


def stored(app, name):
    with app.app_context():
        return backups.get(db.session(), name)


def form(page, end):
    return page.select_one(f"main form[action$='/{end}']")


def test_pinning_asks_for_a_note_and_unpinning_gives_it_back_to_retention(app, browser, name):
    question = browser.page(browser.page(f"/backups/{name}").select_one("main [href$='/pin']")["href"])
    answer = browser.submit(form(question, "pin"), note="before the autumn clean-up")
    assert (answer.status_code, answer.location) == (303, f"/backups/{name}")
    page = browser.page(answer.location)
    assert "Pinned" in words(page.select_one(".page-title"))
    assert "before the autumn clean-up" in words(page.select_one(".page-title"))
    assert "Kept until it is unpinned" in words(page)
    assert "Pinned" in words(browser.page("/backups").select_one("#history tbody tr"))
    browser.submit(form(page, "unpin"))
    assert "Pinned" not in words(browser.page(f"/backups/{name}").select_one(".page-title"))
    assert (stored(app, name).is_pinned, stored(app, name).note) == (False, "before the autumn clean-up")


def test_note_is_changed_alone_and_may_be_emptied(app, browser, name):
    for text, kept in (("  first line ", "first line"), ("", None)):
        browser.submit(form(browser.page(f"/backups/{name}/note"), "note"), note=text)
        assert (stored(app, name).note, stored(app, name).is_pinned) == (kept, False)


def test_note_that_is_too_long_is_refused_and_kept_in_the_form(app, browser, name):
    answer = browser.submit(form(browser.page(f"/backups/{name}/pin"), "pin"), note="n" * 2001)
    page = soup(answer, 422)
    assert page.select_one("#note")["value"] == "n" * 2001
    assert "more than 2000 characters" in words(page.select_one(".error"))
    assert (stored(app, name).note, stored(app, name).is_pinned) == (None, False)


@pytest.mark.parametrize("end", ["note", "pin"])
@pytest.mark.parametrize("first", ["", "before the audit"])
def test_old_form_replaces_no_note_that_another_wrote_meanwhile(app, browser, name, end, first):
    browser.post(f"/backups/{name}/note", note=first, shown="")
    old = form(browser.page(f"/backups/{name}/{end}"), end)
    browser.submit(form(browser.page(f"/backups/{name}/note"), "note"), note="the one <of> Ada")
    page = soup(browser.submit(old, note="mine"), 409)
    assert "“the one <of> Ada”" in words(page.select_one(".error"))
    assert page.select_one("#note")["value"] == "mine"
    assert (stored(app, name).note, stored(app, name).is_pinned) == ("the one <of> Ada", False)
    assert browser.submit(form(page, end)).status_code == 303
    assert (stored(app, name).note, stored(app, name).is_pinned) == ("mine", end == "pin")


def test_old_form_is_told_of_a_note_that_was_taken_away(app, browser, name):
    browser.post(f"/backups/{name}/note", note="first", shown="")
    old = form(browser.page(f"/backups/{name}/note"), "note")
    browser.submit(old, note="")
    page = soup(browser.submit(old, note="second"), 409)
    assert "Somebody took the note away" in words(page.select_one(".error"))
    assert (stored(app, name).note, page.select_one("#note")["value"]) == (None, "second")


def test_same_note_sent_twice_is_saved(app, browser, name):
    old = form(browser.page(f"/backups/{name}/note"), "note")
    assert [browser.submit(old, note=" twice ").status_code for _ in range(2)] == [303, 303]
    assert stored(app, name).note == "twice"


def test_note_of_the_program_shown_in_chinese_stays_translatable(app, browser):
    store(app, make_record())
    with app.app_context():
        name = backups.create(SYSTEM, reason="safety", note="before an import").name
    page = soup(browser.get(f"/backups/{name}/pin", headers={"Accept-Language": "zh-CN"}))
    shown = page.select_one("#note")["value"]
    assert shown != "before an import"
    token = page.select_one("[name=csrf_token]")["value"]
    fields = {"csrf_token": token, "note": shown}
    browser.client.post(f"/backups/{name}/pin", data=fields, headers={"Accept-Language": "zh-CN"})
    assert (stored(app, name).note, stored(app, name).is_pinned) == ("before an import", True)


def test_menu_of_a_pinned_row_unpins(app, browser, name):
    browser.post(f"/backups/{name}/pin", note="")
    menu = soup(browser.get(f"/backups/{name}", headers=PARTIAL))
    assert [words(each) for each in menu.select(".menu button, .menu a")] == [
        "Compare",
        "Verify",
        "Copy checksum",
        "Unpin",
        "Delete…",
    ]


def test_mark_on_a_backup_that_does_not_exist_is_404(browser):
    for end in ("pin", "unpin", "note"):
        assert browser.post(f"/backups/assistants_backup_none.json/{end}", note="x").status_code == 404


def test_verify_all_is_one_task_that_counts_files(app, browser, folder, name):
    with app.app_context():
        other = backups.create(SYSTEM).name
    path = folder / "backups" / other
    path.write_bytes(path.read_bytes().replace(b"Code Reviewer", b"Code Reviewes"))
    button = browser.page("/backups").select_one("form[action='/backups/verify']")
    answer = browser.submit(button)
    page = browser.settled(answer.location)
    assert "Verified: 1, Altered: 1" in words(page)
    assert page.select_one(".note.bad")
    assert (stored(app, name).state, stored(app, other).state) == ("verified", "altered")


def test_second_press_of_verify_all_leads_to_the_task_that_runs(app, browser):
    def work(progress):
        while True:
            progress.update("verifying", 3, 35)
            progress.check_cancelled()

    with app.app_context():
        job = jobs.start("verify-all", SYSTEM, work, title=Message("Verifying all backups"))
    try:
        assert browser.post("/backups/verify").location == f"/jobs/{job.id}"
        assert "3 / 35" in words(browser.page("/backups").select_one("#running"))
    finally:
        browser.post(f"/jobs/{job.id}/cancel")
        with app.app_context():
            jobs.wait(job.id, 10)
