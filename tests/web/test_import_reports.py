"""The reports of an import as CSV files."""

import csv
import io

import pytest

from tests.web.conftest import words
from tests.web.test_import_choices import apply_form
from webadmin.web.import_reports import guarded


def read(browser, address):
    answer = browser.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def applied(browser, document):
    """An import that changed 0, kept 1 by choice, added 9 and left 2, which the file does not hold."""
    first = browser.imported(document(3))
    browser.submit(apply_form(browser.page(first)))
    browser.settled(first)
    file = document(2, title="=1+1")
    file["assistants"].append({"id": "+9", "title": '九, "quoted"\nline', "prompt": "x", "createdAt": "2026-01-15"})
    file["assistants"].append({"id": "@bad", "title": "-1"})
    file["metadata"]["recordCount"] = 4
    address = browser.imported(file)
    page = browser.page(f"{address}?errors=skip")
    form = page.select_one("form[action$='/choices']")
    fields = {each["name"]: each["value"] for each in form.select("input[type=hidden], input[checked]")}
    second = form.select("tbody tr")[1].select_one("input")["name"]
    location = browser.client.post(form["action"], data=fields | {second: "keep"}).location
    browser.submit(apply_form(browser.page(location)))
    browser.settled(address)
    return address


def test_every_record_that_differed_is_told_with_its_reason(browser, applied):
    assert [tuple(row.values()) for row in read(browser, f"{applied}/records.csv")] == [
        ("'+9", '九, "quoted"\nline', "created", "", ""),
        ("ast_0", "'=1+1", "updated", "title", ""),
        ("ast_1", "'=1+1", "kept", "title", "chosen"),
        ("ast_2", "Assistant 2", "kept", "", "not in the file"),
    ]


def test_errors_are_told_with_their_place(browser, applied):
    (row,) = read(browser, f"{applied}/problems.csv")
    assert (row["kind"], row["record"], row["id"], row["field"]) == ("error", "4", "'@bad", "prompt")
    assert row["message"] == "The prompt is missing or empty."


def test_the_result_leads_to_both(browser, applied):
    links = {words(link): link["href"] for link in browser.page(applied).select("main a[download]")}
    assert set(links.values()) == {f"{applied}/records.csv", f"{applied}/problems.csv"}


def test_there_is_no_report_of_what_was_not_applied(browser, document):
    address = browser.imported(document(1))
    assert browser.get(f"{address}/records.csv").status_code == 404
    assert read(browser, f"{address}/problems.csv") == []


@pytest.mark.parametrize("before", ["", " ", "  ", "\ufeff", "\ufeff ", " '", "'", "''"])
@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "\na", "\va", "plain", "", "1=1"])
def test_what_is_guarded_comes_back(before, text):
    shown = guarded(before + text)
    begins = shown.lstrip("' \ufeff")[:1] in tuple("=+-@\t\r\n\v")
    assert shown.startswith("'") or not begins
    assert (shown[1:] if shown.startswith("'") and begins else shown) == before + text
