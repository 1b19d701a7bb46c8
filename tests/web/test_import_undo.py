"""Taking an import back: only what it touched, and nothing that was edited since."""

import pytest

from tests.web.conftest import tile, words
from tests.web.test_import_choices import apply_form, chosen, titles
from webadmin import catalogue
from webadmin.accounts import SYSTEM
from webadmin.db import db, transaction


def records(app):
    with app.app_context():
        return {record.id: record for record in catalogue.iter_records(db.session().connection())}


def apply(browser, address):
    """Apply what the page shows, past the question before a deletion."""
    page = browser.page(address)
    if apply_form(page) is None:
        page = browser.page(page.select_one("#import-bar a.primary")["href"])
    browser.submit(apply_form(page))
    return browser.settled(address.partition("?")[0])


def undo_form(page):
    return page.select_one("form[action='/import/undo']")


@pytest.fixture
def before(app, browser, document):
    """Four assistants in the catalogue."""
    apply(browser, browser.imported(document(4)))
    return records(app)


@pytest.fixture
def result(browser, document, before):
    """The result of a replacement that changed 0 and 1, added 9, left 2 as it was and deleted 3."""
    file = document(3)
    for number in (0, 1):
        file["assistants"][number]["title"] = f"File {number}"
    file["assistants"].append({"id": "ast_9", "title": "File 9", "prompt": "x", "createdAt": "2026-01-15"})
    file["metadata"]["recordCount"] = 4
    return apply(browser, f"{browser.imported(file)}?mode=replace")


def test_an_import_undone_at_once_leaves_an_equal_catalogue(app, browser, before, result):
    assert "ast_9" in records(app)
    address = browser.submit(undo_form(result)).location
    page = browser.settled(address)
    assert "Undo of the import of market.json by Ada, " in words(page)
    assert [tile(page, name) for name in ("Added", "Changed", "Unchanged", "Only here")] == ["1", "2", "0", "1"]
    done = apply(browser, address)
    assert "4 changes were applied" in words(done)
    after = records(app)
    assert after.keys() == before.keys()
    assert all(catalogue.equal(after[key], before[key]) for key in before)
    assert after["ast_0"].version == 3
    with app.app_context():
        assert "ast_9" in [entry.assistant_id for entry in catalogue.list_trash(db.session())]


def test_an_undo_can_be_undone(app, browser, result):
    imported = titles(app)
    done = apply(browser, browser.submit(undo_form(result)).location)
    apply(browser, browser.submit(undo_form(done)).location)
    assert titles(app) == imported


def test_what_was_edited_since_is_shown_and_kept(app, browser, result):
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_1", {"title": "Mine"}, version=2)
        catalogue.update(session, SYSTEM, "ast_2", {"title": "Not the import's"}, version=1)
    address = browser.submit(undo_form(result)).location
    page = browser.settled(address)
    assert chosen(browser.page(f"{address}?tab=changed")) == {"Assistant 0": "take", "Assistant 1": "keep"}
    assert "Edited since the import" in words(page)
    apply(browser, address)
    assert titles(app) == {
        "ast_0": "Assistant 0", "ast_1": "Mine", "ast_2": "Not the import's", "ast_3": "Assistant 3",
    }  # fmt: skip


def test_what_was_added_and_edited_since_is_not_deleted_by_itself(app, browser, result):
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_9", {"title": "Mine"}, version=1)
    address = browser.submit(undo_form(result)).location
    browser.settled(address)
    apply(browser, address)
    assert titles(app)["ast_9"] == "Mine"


def test_an_edit_after_the_undo_was_shown_refuses_it(app, browser, result):
    address = browser.submit(undo_form(result)).location
    question = browser.page(browser.settled(address).select_one("#import-bar a.primary")["href"])
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_1", {"title": "Mine"}, version=2)
    assert browser.submit(apply_form(question)).status_code == 409
    page = browser.page(address)
    assert (chosen(page), titles(app)["ast_0"]) == ({"Assistant 1": "keep"}, "File 0")


def test_the_safety_backup_offers_the_undo_as_long_as_it_is_there(app, browser, folder, result):
    name = undo_form(result).select_one("[name=name]")["value"]
    assert undo_form(browser.page(f"/backups/{name}")) is not None
    (folder / "backups" / name).unlink()
    assert browser.post("/import/undo", name=name).status_code == 404
    assert undo_form(browser.page(f"/backups/{name}")) is None


def test_other_backups_undo_nothing(browser, result):
    assert browser.post("/import/undo", name="assistants_backup_20200101_000000.json").status_code == 404
