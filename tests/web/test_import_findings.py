"""What the review of an import tells beside the choices: lines, what stays, where foreign keys go, what came of it."""

from datetime import timedelta

import pytest
import time_machine

from tests.web.conftest import words
from tests.web.test_import_choices import apply_form
from tests.web.test_import_undo import apply, undo_form
from webadmin import catalogue, clock
from webadmin.backups import RestoreRun
from webadmin.db import transaction


def titles_in(page):
    return [words(each).removesuffix(" Private") for each in page.select("main .entry-title")]


def mapping(page):
    """The rows of the table of fields: key, where it goes, in how many records, an example."""
    table = next((each for each in page.select("table") if "Goes to" in words(each)), None)
    return None if table is None else [[words(cell) for cell in row.select("td")] for row in table.select("tbody tr")]


def test_a_changed_prompt_is_told_with_its_lines(browser, document):
    apply(browser, browser.imported(document(2, prompt="one\ntwo\nthree")))
    page = browser.page(browser.imported(document(1, prompt="one\n2\nthree\nfour")))
    assert "System prompt +2 −1" in words(page.select_one("main tbody tr"))


def test_what_is_the_same_has_a_tab_of_its_own_in_pages(browser, document):
    apply(browser, browser.imported(document(60)))
    file = document(61)
    file["assistants"][7]["title"] = "Renamed"
    address = browser.imported(file)
    first, last = (browser.page(f"{address}?tab=same&page={number}") for number in (0, 2))
    assert [(words(each.parent)) for each in first.select("main .tabs .count")][-1] == "Unchanged 59"
    assert (len(titles_in(first)), len(titles_in(last))) == (25, 9)
    assert "51–59 of 59" in words(last.select_one(".pager"))
    assert "Renamed" not in titles_in(first) + titles_in(last)
    assert first.select_one("main .entry-title")["href"] == "/assistants/edit/ast_0"
    assert first.select("main table input") == []


def test_a_file_with_nothing_new_shows_what_is_the_same(browser, document):
    apply(browser, browser.imported(document(2)))
    page = browser.page(browser.imported(document(2)))
    assert titles_in(page) == ["Assistant 0", "Assistant 1"]


def test_each_key_of_a_foreign_file_is_shown_with_its_place(browser, document):
    file = document(2, colour="blue", old=None)
    file["assistants"][0]["desc"] = "Reads a diff"
    rows = {row[0]: row[1:] for row in mapping(browser.page(browser.imported(file)))}
    assert rows == {
        "id": ["Id", "2", "ast_0"],
        "title": ["Title", "2", "Assistant 0"],
        "prompt": ["System prompt", "2", "Prompt 0"],
        "createdAt": ["Created", "2", "2026-01-15T10:30:00.000Z"],
        "colour": ["Other fields, kept as it is", "2", "blue"],
        "old": ["Nowhere: it is always empty", "0", ""],
        "desc": ["Description", "1", "Reads a diff"],
    }


def test_a_key_that_is_missing_is_named_before_its_records_are_left_out(browser):
    page = browser.page(browser.imported([{"id": "a", "name": "Anna", "prompt": "x"}]))
    assert mapping(page)[0][:2] == ["title", "Not in the file: records without it cannot be read"]
    assert ["name", "Other fields, kept as it is", "1", "Anna"] in mapping(page)


def test_keys_that_are_ours_need_no_table(browser, document):
    assert mapping(browser.page(browser.imported(document(2)))) is None


def test_the_result_leads_to_the_assistants_that_the_import_wrote(browser, document):
    apply(browser, browser.imported(document(5)))
    file = document(2, title="Renamed")
    file["assistants"].append({"id": "ast_9", "title": "Nine", "prompt": "x"})
    file["metadata"]["recordCount"] = 3
    result = apply(browser, browser.imported(file))
    link = next(each for each in result.select("main a.btn") if words(each) == "Show the 3 assistants")
    page = browser.page(link["href"])
    assert sorted(titles_in(page)) == ["Nine", "Renamed", "Renamed"]
    chip = page.select_one("#list-filters a.chip.on")
    assert words(chip) == "Changed by: market.json"
    assert len(titles_in(browser.page(chip["href"]))) == 6


def test_a_list_by_revisions_that_never_were_is_empty(browser, document):
    apply(browser, browser.imported(document(2)))
    assert titles_in(browser.page("/assistants?changed=900-901")) == []
    assert len(titles_in(browser.page("/assistants?changed=nonsense"))) == 2


@pytest.fixture
def deleting(browser, document):
    """The result of an import that replaced three assistants by one of them."""
    apply(browser, browser.imported(document(3)))
    return apply(browser, f"{browser.imported(document(1, title='Renamed'))}?mode=replace")


def test_an_undo_names_what_the_emptied_trash_keeps_from_it(app, browser, deleting):
    with app.app_context(), time_machine.travel(clock.now() + timedelta(days=31)), transaction() as session:
        assert catalogue.purge_trash(session) == 2
    page = browser.settled(browser.submit(undo_form(deleting)).location)
    assert "2 changes of this import are not listed" in words(page)
    assert words(apply_form(page)) == "Apply 1 change"


def test_an_import_of_an_earlier_version_says_that_it_has_no_undo(app, browser, deleting):
    name = undo_form(deleting).select_one("[name=name]")["value"]
    with app.app_context(), transaction() as session:
        for run in session.query(RestoreRun):
            run.first_revision = run.last_revision = None
    page = browser.page(f"/backups/{name}")
    assert undo_form(page) is None
    assert "made by an earlier version" in words(page)
    assert browser.post("/import/undo", name=name).status_code == 404


def test_a_result_whose_safety_backup_is_gone_says_so(browser, folder, document):
    apply(browser, browser.imported(document(1)))
    address = browser.imported(document(1, title="Renamed"))
    result = apply(browser, address)
    (folder / "backups" / undo_form(result).select_one("[name=name]")["value"]).unlink()
    page = browser.page(address)
    assert undo_form(page) is None
    assert "its safety backup is not in the folder" in words(page)
