"""The way of a file from upload to result, as a browser without scripts goes it."""

import gzip
import json
import re
from pathlib import Path

import pytest
from flask import Flask

from tests.people import add_person, close, sign_in
from tests.web.conftest import PARTIAL, Browser, soup, tile, words
from webadmin import backups, catalogue, runtime
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.db import db, transaction


def count(app: Flask) -> int:
    with app.app_context():
        return catalogue.counts(db.session(), catalogue.Query())["all"]


def apply_form(page):
    return page.select_one("form[action$='/apply']")


def test_nothing_is_written_until_the_shown_changes_are_applied(app, browser, document):
    address = browser.imported(document(3))
    page = browser.page(address)
    assert "Nothing has been written yet" in words(page)
    assert [tile(page, name) for name in ("Added", "Changed", "Unchanged", "Only here")] == ["3", "0", "0", "0"]
    assert count(app) == 0
    assert browser.submit(apply_form(page)).status_code == 303
    result = browser.settled(address)
    assert "3 changes were applied" in words(result)
    assert count(app) == 3


def test_result_links_to_the_safety_backup_of_the_state_before(browser, document):
    first = browser.imported(document(3))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    second = browser.imported(document(3, title="Changed"))
    browser.submit(apply_form(browser.page(second)))
    link = browser.settled(second).select_one("main a[href^='/backups/assistants_backup_']")
    inside = json.loads(browser.get(link["href"] + "/download").data)
    assert {record["title"] for record in inside["assistants"]} == {"Assistant 0", "Assistant 1", "Assistant 2"}


def test_the_same_file_again_has_nothing_to_apply(browser, document):
    first = browser.imported(document(3))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    page = browser.page(browser.imported(document(3)))
    assert "3 unchanged, nothing to write" in words(page)
    assert apply_form(page) is None


def test_each_mode_shows_its_own_result(browser, document):
    first = browser.imported(document(4))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    new = document(3, desc="new")
    new["assistants"].append({"id": "ast_9", "title": "Nine", "prompt": "Nine"})
    new["metadata"]["recordCount"] = 4
    address = browser.imported(new)
    merged, added, replaced = (browser.page(f"{address}?mode={mode}") for mode in ("merge", "skip", "replace"))
    assert "1 added · 3 updated · 0 removed" in words(merged)
    assert "1 added · 0 updated · 0 removed" in words(added)
    assert "1 added · 3 updated · 1 removed" in words(replaced)
    assert tile(replaced, "Only here") == "1"


def test_list_of_changes_names_what_differs_and_both_versions(browser, document):
    first = browser.imported(document(2))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    page = browser.page(browser.imported(document(2, title="Renamed", version=7)) + "?tab=changed")
    row = words(page.select("main tbody tr")[0])
    assert all(word in row for word in ("Renamed", "Title", "v1", "v7")), row


def test_long_lists_of_changes_are_paged(browser, document):
    address = browser.imported(document(60))
    first = browser.page(address)
    assert len(first.select("main tbody tr")) == 25
    last = browser.page(f"{address}?tab=added&page=2")
    assert (len(last.select("main tbody tr")), last.select_one("[rel=next]")) == (10, None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not json at all", "does not begin like a JSON document"),
        (b"", "empty"),
        (b'{"assistants": [{"id": "a"', "cut short"),
        (b"SQLite format 3\x00", "SQLite database"),
        (b"[" * 100_000, "cut short"),
        (json.dumps({"hello": "world"}).encode(), "no list named"),
        (json.dumps({"version": "1.0", "count": 3, "assistants": []}).encode(), "3 records, but 0"),
    ],
)
def test_file_that_is_no_backup_is_refused_in_words(app, browser, content, sentence):
    answer = browser.upload(content)
    page = browser.settled(answer.location)
    assert sentence in words(page)
    assert "Nothing was changed" in words(page)
    assert apply_form(page) is None
    assert count(app) == 0


def test_broken_gzip_is_refused_on_the_form(browser):
    answer = browser.upload(gzip.compress(b"[]")[:-9])
    assert "gzip file is cut or damaged" in words(soup(answer, 422))


def test_gzip_is_unpacked(browser, document):
    packed = gzip.compress(json.dumps(document(2)).encode())
    assert tile(browser.page(browser.imported(packed)), "Added") == "2"


def test_no_file_is_said_on_the_form(browser):
    page = soup(browser.post("/import"), 422)
    assert "Choose a file first" in words(page.select_one("[role=alert]"))


def test_bad_records_are_named_and_skipped_only_when_asked(app, browser, document):
    content = document(3)
    del content["assistants"][1]["title"]
    address = browser.imported(content)
    page = browser.page(address)
    assert "Record 2" in words(page)
    assert "title" in words(page)
    assert apply_form(page) is None
    review = browser.page(f"{address}?errors=skip")
    browser.submit(apply_form(review))
    assert "Record 2" in words(browser.settled(address))
    assert count(app) == 2


def test_altered_file_needs_consent(app, browser, document):
    first = browser.imported(document(2))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    with app.app_context():
        made = backups.create(SYSTEM)
        with backups.open_backup(made.name) as file:
            data = file.read().replace(b"Assistant 0", b"Assistant X")
    address = browser.imported(data)
    page = browser.page(address)
    assert "changed after it was made" in words(page)
    assert apply_form(page) is None
    assert apply_form(browser.page(f"{address}?altered=accept")) is not None


def test_replacing_asks_with_the_number_before_it_deletes(app, browser, document):
    first = browser.imported(document(4))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    address = browser.imported(document(1))
    review = browser.page(f"{address}?mode=replace")
    assert apply_form(review) is None
    question = browser.page(f"{address}/confirm?mode=replace")
    assert "Delete 3 assistants that are not in the file" in words(question)
    form = apply_form(question)
    fields = {each["name"]: each["value"] for each in form.select("input[type=hidden]")}
    unticked = browser.client.post(form["action"], data=fields)
    assert "Tick the box" in words(soup(unticked, 422))
    assert count(app) == 4
    browser.submit(form)
    browser.settled(address)
    assert count(app) == 1


def test_empty_file_replaces_only_after_the_same_question(app, browser, document):
    first = browser.imported(document(2))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    address = browser.imported(document(0))
    question = browser.page(f"{address}/confirm?mode=replace")
    assert "The file is empty" in words(question)
    browser.submit(apply_form(question))
    browser.settled(address)
    assert count(app) == 0


def test_catalogue_changed_since_the_review_is_shown_anew(app, browser, document):
    address = browser.imported(document(2))
    form = apply_form(browser.page(address))
    with app.app_context(), transaction() as session:
        fields = {"title": "Mine", "desc": "x", "emoji": "🤖", "prompt": "x"}
        catalogue.create(session, SYSTEM, fields, assistant_id="ast_0")
    answer = browser.submit(form)
    page = soup(answer, 409)
    assert "The catalogue changed" in words(page)
    assert (tile(page, "Added"), tile(page, "Changed")) == ("1", "1")
    assert count(app) == 1
    browser.submit(apply_form(page))
    browser.settled(address)
    assert count(app) == 2


def test_import_survives_another_process(app, browser, document, make_config):
    address = browser.imported(document(2))
    other = create_app(make_config())
    try:
        elsewhere = Browser(other.test_client())
        sign_in(elsewhere.client, "Ada")
        browser_page = elsewhere.page(address)
        elsewhere.submit(apply_form(browser_page))
        elsewhere.settled(address)
    finally:
        close(other)
    assert "2 changes were applied" in words(browser.page(address))


def test_listed_backup_is_restored_by_the_same_way(app, browser, document):
    first = browser.imported(document(2))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    with app.app_context():
        name = backups.create(SYSTEM).name
        with transaction() as session:
            catalogue.remove(session, SYSTEM, "ast_1")
    answer = browser.post("/import/backup", name=name)
    page = browser.settled(answer.location)
    assert (tile(page, "Added"), tile(page, "Unchanged")) == ("1", "1")
    browser.submit(apply_form(page))
    browser.settled(answer.location)
    assert count(app) == 2


def test_restoring_a_backup_that_is_not_there_is_404(browser):
    assert browser.post("/import/backup", name="assistants_backup_no.json").status_code == 404
    assert browser.post("/import/backup", name="../secret-key").status_code == 404


def test_cancelled_review_says_that_nothing_was_changed(app, browser, document):
    address = browser.imported(document(2))
    page = browser.page(address)
    browser.submit(page.select_one("form[action$='/cancel']"))
    after = browser.page(address)
    assert "Cancelled. Nothing was changed" in words(after)
    assert browser.post(f"{address}/apply").status_code == 409
    assert count(app) == 0


def test_unknown_import_is_404(browser):
    assert browser.get("/import/0123456789abcdef").status_code == 404


def test_too_large_upload_answers_413_with_both_sizes(make_config, document):
    small = create_app(make_config(MAX_UPLOAD_SIZE="2000"))
    try:
        add_person(small, "Ada")
        browser = Browser(small.test_client())
        sign_in(browser.client, "Ada")
        token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/import").text)[1]
        for headers in ({"X-CSRFToken": token}, {"X-CSRFToken": token, **PARTIAL}):
            answer = browser.upload(document(100), headers=headers)
            assert "the limit is 2.0 kB" in words(soup(answer, 413)).replace("2 kB", "2.0 kB")
    finally:
        close(small)


def test_fragment_is_the_step_alone(browser, document):
    address = browser.imported(document(2))
    part = browser.get(address, headers=PARTIAL).text
    assert part.lstrip().startswith('<div class="stack" id="import"')
    assert "<html" not in part


def test_uploads_leave_nothing_behind_but_the_job(folder: Path, browser, document):
    browser.imported(document(2))
    assert not [path for path in (folder / ".incoming").iterdir() if path.suffix == ".upload"]


def test_nobody_gets_in(app):
    add_person(app, "Ada")
    visitor = app.test_client()
    assert visitor.get("/import").location.startswith("/sign-in")
    assert visitor.post("/import").status_code in (302, 401)


def test_killed_import_is_told_by_what_the_catalogue_holds(app, browser, document):
    address = browser.imported(document(2))
    browser.submit(apply_form(browser.page(address)))
    browser.settled(address)
    with app.app_context():
        # As a kill between the end of the transaction and the end of the task leaves it.
        runtime.current().write(
            "UPDATE jobs SET state='running', result=NULL WHERE id=?", (address.rpartition("/")[2],)
        )
    assert "2 changes were applied" in words(browser.page(address))


def test_import_killed_before_its_end_was_stopped(app, browser, document):
    address = browser.imported(document(2))
    with app.app_context():
        runtime.current().write("UPDATE jobs SET state='running' WHERE id=?", (address.rpartition("/")[2],))
    assert "It was stopped, nothing was changed" in words(browser.page(address))


def test_records_of_a_finished_import_do_not_fill_the_disk(folder: Path, browser, document):
    address = browser.imported(document(2))
    browser.submit(apply_form(browser.page(address)))
    browser.settled(address)
    cancelled = browser.imported(document(3))
    browser.submit(browser.page(cancelled).select_one("form[action$='/cancel']"))
    assert not list((folder / ".incoming").glob("*.db*"))
