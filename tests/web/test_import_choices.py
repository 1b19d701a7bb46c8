"""What is decided about single records of an import: kept on the server, counted, and done as shown."""

import pytest

from tests.people import close, sign_in
from tests.web.conftest import PARTIAL, Browser, soup, words
from webadmin import catalogue
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.db import db, transaction


def apply_form(page):
    return page.select_one("form[action$='/apply']")


def choices_form(page):
    return page.select_one("form[action$='/choices']")


def bar(page):
    return words(page.select_one("#import-bar p"))


def chosen(page):
    """The titles of a page with the value that is chosen for each."""
    rows = page.select("form[action$='/choices'] tbody tr")
    return {words(row.select_one(".entry-title")): row.select_one("input[checked]")["value"] for row in rows}


def choose(browser, page, title, value):
    form = choices_form(page)
    row = next(each for each in form.select("tbody tr") if words(each.select_one(".entry-title")) == title)
    fields = {each["name"]: each["value"] for each in form.select("input[type=hidden], input[checked]")}
    return browser.client.post(form["action"], data=fields | {row.select_one("input")["name"]: value})


def bulk(browser, page, value):
    form = choices_form(page)
    fields = {each["name"]: each["value"] for each in form.select("input[type=hidden], input[checked]")}
    return browser.client.post(form["action"], data=fields | {"bulk": value})


def titles(app):
    with app.app_context():
        return {record.id: record.title for record in catalogue.iter_records(db.session().connection())}


@pytest.fixture
def stored(browser, document):
    """Four assistants in the catalogue."""
    address = browser.imported(document(4))
    browser.submit(apply_form(browser.page(address)))
    browser.settled(address)


@pytest.fixture
def review(browser, document, stored):
    """A file that changes 0, 1 and 2, adds 9, and does not hold 3."""
    file = document(3, desc="new")
    for number, record in enumerate(file["assistants"]):
        record["title"] = f"File {number}"
    file["assistants"].append({"id": "ast_9", "title": "File 9", "prompt": "x", "createdAt": "2026-01-15"})
    file["metadata"]["recordCount"] = 4
    return browser.imported(file)


def test_a_record_that_is_kept_stays_and_the_counts_say_so(app, browser, review):
    page = browser.page(review)
    assert chosen(page) == {"File 0": "take", "File 1": "take", "File 2": "take"}
    answer = choose(browser, page, "File 1", "keep")
    page = browser.page(answer.location)
    assert chosen(page) == {"File 0": "take", "File 1": "keep", "File 2": "take"}
    assert bar(page).endswith("1 added · 2 updated · 0 removed · 1 left as it is")
    assert words(apply_form(page)) == "Apply 3 changes"
    browser.submit(apply_form(page))
    result = browser.settled(review)
    assert "3 changes were applied" in words(result)
    assert "Left as they are 1" in words(result)
    assert titles(app) == {
        "ast_0": "File 0", "ast_1": "Assistant 1", "ast_2": "File 2", "ast_3": "Assistant 3", "ast_9": "File 9",
    }  # fmt: skip


def test_what_is_new_in_the_file_can_be_skipped(app, browser, review):
    choose(browser, browser.page(f"{review}?tab=added"), "File 9", "keep")
    page = browser.page(review)
    assert "0 added · 3 updated" in bar(page)
    browser.submit(apply_form(page))
    browser.settled(review)
    assert "ast_9" not in titles(app)


def test_what_is_only_here_is_a_choice_where_the_file_replaces(app, browser, review):
    assert choices_form(browser.page(f"{review}?tab=only-here")).select("input[type=radio]") == []
    page = browser.page(f"{review}?tab=only-here&mode=replace")
    assert chosen(page) == {"Assistant 3": "take"}
    page = browser.page(choose(browser, page, "Assistant 3", "keep").location)
    assert "0 removed" in bar(page)
    browser.submit(apply_form(page))
    browser.settled(review)
    assert titles(app)["ast_3"] == "Assistant 3"


def test_one_button_decides_for_all_of_a_tab(browser, review):
    page = browser.page(review)
    assert [words(each) for each in choices_form(page).select("button[name=bulk]")] == [
        "Take file for all 3", "Keep mine for all 3",
    ]  # fmt: skip
    page = browser.page(bulk(browser, page, "keep").location)
    assert set(chosen(page).values()) == {"keep"}
    assert "1 added · 0 updated" in bar(page)
    assert set(chosen(browser.page(bulk(browser, page, "take").location)).values()) == {"take"}


@pytest.mark.parametrize("newer", [{"version": 0}, {"updatedAt": "2020-01-01T00:00:00.000Z"}])
def test_what_is_newer_here_is_kept_unless_told_otherwise(app, browser, document, stored, newer):
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_1", {"desc": "mine"}, version=1)
    page = browser.page(browser.imported(document(4, desc="theirs", **newer)))
    assert chosen(page)["Assistant 1"] == "keep"
    row = page.select("form[action$='/choices'] tbody tr")[1]
    assert "The one here is newer" in words(row)


def test_replacing_everything_does_not_keep_what_is_newer_by_itself(app, browser, document, stored):
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_1", {"desc": "mine"}, version=1)
    page = browser.page(browser.imported(document(4)) + "?mode=replace")
    assert chosen(page) == {"Assistant 1": "take"}


def test_choices_survive_paging_and_another_process(app, browser, document, make_config):
    address = browser.imported(document(60))
    choose(browser, browser.page(f"{address}?tab=added&page=1"), "Assistant 50", "keep")
    browser.page(f"{address}?tab=added&page=2")
    other = create_app(make_config())
    try:
        elsewhere = Browser(other.test_client())
        sign_in(elsewhere.client, "Ada")
        page = elsewhere.page(f"{address}?tab=added&page=1")
        assert [title for title, value in chosen(page).items() if value == "keep"] == ["Assistant 50"]
        elsewhere.submit(apply_form(page))
        elsewhere.settled(address)
    finally:
        close(other)
    assert len(titles(app)) == 59


def test_a_choice_is_answered_with_the_foot_of_the_page(browser, review):
    form = choices_form(browser.page(review))
    assert (form["hx-target"], form["hx-trigger"]) == ("#import-bar", "change")
    fields = {each["name"]: each["value"] for each in form.select("input[type=hidden]")}
    name = form.select_one("input[type=radio]")["name"]
    part = soup(browser.client.post(form["action"], data=fields | {name: "keep"}, headers=PARTIAL))
    assert part.select_one("div")["id"] == "import-bar"
    assert "2 updated" in words(part)
    named = "input[name=fingerprint]"
    assert part.select_one(named)["value"] == apply_form(browser.page(review)).select_one(named)["value"]


def test_a_choice_made_elsewhere_after_the_page_was_shown_is_shown_before_it_is_applied(app, browser, review):
    stale = browser.page(review)
    choose(browser, stale, "File 1", "keep")
    answer = browser.submit(apply_form(stale))
    assert chosen(soup(answer, 409))["File 1"] == "keep"
    assert titles(app)["ast_0"] == "Assistant 0"


def test_after_an_edit_only_what_it_touched_is_asked_about_again(app, browser, review):
    page = browser.page(choose(browser, browser.page(review), "File 1", "keep").location)
    form = apply_form(page)
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_2", {"desc": "mine"}, version=1)
    page = soup(browser.submit(form), 409)
    assert "The catalogue changed" in words(page)
    assert words(page.select_one(".tabs [aria-current]")) == "Changed since you looked 1"
    assert chosen(page) == {"File 2": "keep"}
    assert titles(app)["ast_0"] == "Assistant 0"
    assert chosen(browser.page(f"{review}?tab=changed")) == {"File 0": "take", "File 1": "keep", "File 2": "keep"}
    page = browser.page(bulk(browser, page, "take").location)
    browser.submit(apply_form(page))
    browser.settled(review)
    found = titles(app)
    assert (found["ast_0"], found["ast_1"], found["ast_2"]) == ("File 0", "Assistant 1", "File 2")


def test_choices_on_a_page_from_before_the_comparison_was_made_again_are_not_taken(app, browser, review):
    stale = browser.page(review)
    with app.app_context(), transaction() as session:
        catalogue.remove(session, SYSTEM, "ast_0")
    browser.submit(apply_form(stale))
    browser.settled(review)
    assert choose(browser, stale, "File 1", "keep").status_code == 409
    assert chosen(browser.page(f"{review}?tab=changed"))["File 1"] == "take"


def test_nothing_is_left_to_apply_when_all_is_kept(browser, review):
    bulk(browser, browser.page(review), "keep")
    bulk(browser, browser.page(f"{review}?tab=added"), "keep")
    page = browser.page(review)
    assert apply_form(page) is None
    assert "0 added · 0 updated" in bar(page)


def test_a_row_opens_to_its_differences_field_by_field(browser, review):
    link = browser.page(review).select_one("tbody a.entry-title")
    part = soup(browser.get(link["hx-get"], headers=PARTIAL))
    row, opened = part.select("tbody tr")
    assert "File 0" in words(row)
    assert row.select_one("input[checked]")["value"] == "take"
    shown = dict(zip(map(words, opened.select("dt")), opened.select("dd"), strict=True))
    assert list(shown) == ["Title", "Description"]
    assert (words(shown["Title"].select_one("del")), words(shown["Title"].select_one("ins"))) == ("Assistant", "File")
    closed = soup(browser.get(row.select_one("a.entry-title")["hx-get"], headers=PARTIAL))
    assert len(closed.select("tr")) == 1


def test_the_differences_are_a_page_too_that_leads_back(browser, review):
    link = browser.page(f"{review}?tab=added").select_one("tbody a.entry-title")
    page = browser.page(link["href"])
    assert "File 9" in words(page.select_one("dl.changes ins"))
    back = next(each for each in page.select("main a.btn") if words(each) == "Back to the review")
    assert words(browser.page(back["href"]).select_one(".tabs [aria-current]")) == "Added 1"


def test_there_is_no_difference_of_a_number_that_is_not_there(browser, review):
    assert browser.get(f"{review}/changes/999").status_code == 404
