"""The page Activity: by day, filtered, page by page, opened to before and after, exported; for administrators alone."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.people import add_person, sign_in
from tests.web.conftest import Browser, soup, words
from webadmin import audit, catalogue
from webadmin.accounts import Actor, ActorKind
from webadmin.audit import PAGE_SIZE, Act, Kind, Thing
from webadmin.db import transaction

FIELDS = {"title": "=cmd()", "desc": "d", "emoji": "1", "prompt": "p"}
BOB = Actor(ActorKind.PERSON, "Bob", id=99)


@pytest.fixture
def filled(app, browser) -> Browser:
    """Ada created and changed an assistant; Bob, who is gone, did more than a page holds."""
    browser.post("/assistants/new", **FIELDS)
    with app.app_context(), transaction() as session:
        for number in range(PAGE_SIZE + 10):
            audit.record(session, BOB, Act.BACKUP_PINNED, Thing(Kind.BACKUP, f"b-{number}.json"))
        [assistant] = [each.id for each in catalogue.iter_records(session.connection())]
        catalogue.update(session, BOB, assistant, {"title": "Two"}, version=1)
    return browser


def shown(page) -> list[str]:
    return [words(row.select_one(".made")) for row in page.select("tbody tr")]


def test_entries_are_listed_by_day_and_filtered(filled):
    page = filled.page("/activity")
    assert len(page.select("h2")) == 1
    assert shown(page)[0] == "Assistant changed · Two"
    assert len(shown(page)) == PAGE_SIZE
    # Before and after are the two states, one beside the other.
    compare = page.select_one("tbody tr details a")
    assert words(compare) == "Before and after"
    assert "Two" in words(filled.page(compare["href"]))

    older = filled.page(page.select_one("a[rel=next]")["href"])
    assert shown(older)[-2:] == ["Signed in · Ada", "Person added · Ada"]
    assert older.select_one("a[rel=next]") is None
    newer = filled.page(older.select_one("a[rel=prev]")["href"])
    assert shown(newer) == shown(page)

    by_ada = filled.page("/activity?who=person:1")
    assert shown(by_ada) == ["Assistant created · =cmd()", "Signed in · Ada"]
    assert shown(filled.page("/activity?object=b-7.json&kind=backup")) == ["Backup pinned · b-7.json"]
    assert shown(filled.page("/activity?object=Two")) == ["Assistant changed · Two"]
    assert shown(filled.page("/activity?act=signin.done")) == ["Signed in · Ada"]
    assert len(shown(filled.page("/activity?from=2001-01-01&to=9998-01-01"))) == PAGE_SIZE
    assert "Nothing was done" in words(filled.page("/activity?to=2001-01-01"))
    for number in ("9" * 30, f"-{'9' * 30}", "0", "x"):
        assert shown(filled.page(f"/activity?older={number}")) == shown(filled.page(f"/activity?newer={number}"))
    for nonsense in ("who=:&act=x&kind=y&from=z", "older=0", "newer=99999999", "older=x", "who=person:%00"):
        assert filled.get(f"/activity?{nonsense}").status_code == 200


def test_exports_are_whole_and_guarded(filled):
    rows = list(csv.DictReader(io.StringIO(filled.get("/activity/export?format=csv").text.lstrip("\ufeff"))))
    assert [row["act"] for row in rows[:2]] == [Act.LOG_EXPORTED, Act.ASSISTANT_CHANGED]
    assert [int(row["number"]) for row in rows] == list(range(len(rows), 0, -1))
    [created] = [row for row in rows if row["act"] == Act.ASSISTANT_CREATED]
    assert created["object_name"] == "'=cmd()"
    entries = json.loads(filled.get("/activity/export?format=json&who=person:1").text)
    assert [entry["act"] for entry in entries][-2:] == ["assistant.create", "signin.done"]
    assert entries[-2]["object"]["name"] == "=cmd()"


def test_what_an_assistant_or_a_person_did_is_one_link_away(app, filled):
    person = filled.page("/settings/people/1")
    assert shown(filled.page(person.select_one("main a[href^='/activity?']")["href"]))[-1] == "Signed in · Ada"
    [entry] = json.loads(filled.get("/activity/export?format=json&object=Two").text)
    history = filled.page(f"/assistants/history/{entry['object']['id']}")
    about = shown(filled.page(history.select_one("main a[href^='/activity?']")["href"]))
    assert about == ["Assistant changed · Two", "Assistant created · =cmd()"]
    gone = soup(filled.get("/assistants/edit/no-such"), 404)
    assert gone.select_one("a[href='/activity']")


def test_only_administrators_see_it(app, ada):
    add_person(app, "Ed", role="reviewer")
    browser = app.test_client()
    sign_in(browser, "Ed")
    assert browser.get("/activity").status_code == 403
    assert not soup(browser.get("/")).select("a[href='/activity']")
    with app.app_context(), transaction() as session:
        [row] = session.connection().exec_driver_sql("SELECT * FROM aa_audit WHERE result = 'refused'").mappings()
    assert (row["who_name"], row["act"], json.loads(row["details"])["route"]) == ("Ed", "request.refused", "/activity")
