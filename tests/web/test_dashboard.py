"""The first page tells the truth about the data, and stands when a part of it cannot be read."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import time_machine

from tests.factories import make_record, store
from tests.web.conftest import tile, words
from webadmin import backups, catalogue, clock, safety
from webadmin.accounts import SYSTEM
from webadmin.backups import Kind
from webadmin.db import db, transaction
from webadmin.errors import Message
from webadmin.web import dashboard


def back_up(app):
    """Make today's backup, so that none is late whatever the time of day is."""
    with app.app_context():
        backups.create(SYSTEM, reason=Kind.SCHEDULED)
        safety.forget()


def headline(page):
    return words(page.select_one(".headline"))


def test_empty_catalogue_offers_the_two_ways_to_begin(browser):
    page = browser.page("/")
    assert "Add your first assistant, or import a catalogue." in words(page)
    assert page.select("main a[href='/assistants/new']")
    assert page.select("main a[href='/import']")
    assert not page.select(".tile")


def test_headline_is_green_only_after_a_verified_backup(app, browser):
    store(app, make_record())
    assert "Check your backups" in headline(browser.page("/"))
    back_up(app)
    text = headline(browser.page("/"))
    assert "Your data is safe" in text
    assert "1 assistant was backed up just now" in text
    assert "1 of 1 Checksum and count match" in text


def test_edits_since_the_backup_are_counted(app, browser):
    store(app, make_record())
    back_up(app)
    assert "Nothing was edited since then" in headline(browser.page("/"))
    with app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "ast_1", {"desc": "new"}, version=1)
    assert "1 edit since then is not in a backup yet" in headline(browser.page("/"))


def test_catalogue_that_went_back_is_not_said_to_be_unedited(app, browser, folder):
    store(app, make_record())
    with closing(sqlite3.connect(folder / "assistants.db")) as live, closing(sqlite3.connect(folder / "kept")) as kept:
        live.backup(kept)
        with app.app_context(), transaction() as session:
            catalogue.update(session, SYSTEM, "ast_1", {"desc": "new"}, version=1)
        back_up(app)
        kept.backup(live)
    with app.app_context():
        backups.verify_all()
        safety.forget()
    said = headline(browser.page("/"))
    assert "Since then the database went back to an older state" in said
    assert "Nothing was edited" not in said


def test_recovery_since_the_backup_is_told_with_its_copy(app, browser):
    store(app, make_record())
    back_up(app)
    with app.app_context(), transaction() as session:
        session.add(
            backups.RestoreRun(
                applied_at=clock.now_text(), actor_kind="person", actor="Ada", source_name="assistants_then.db",
                source_sha256="", mode="recover", counts="{}", fingerprint="",
            )
        )  # fmt: skip
    said = headline(browser.page("/"))
    assert "Since then the database was recovered from assistants_then.db" in said
    assert "Nothing was edited" not in said


def test_line_that_is_a_sentence_gets_no_second_full_stop(app):
    found = safety.Safety(
        safety.State.CANNOT_WRITE,
        safety.Color.BAD,
        Message("No"),
        Message("It is so."),
        Message("Your data is at risk"),
    )
    with app.test_request_context():
        text = dashboard._headline(db.session(), found, None, has_catalogue=False)["text"]
    assert "It is so." in text
    assert ".." not in text


def test_how_long_a_restore_takes_is_told_beside_the_backup(app, browser):
    store(app, make_record())
    back_up(app)
    assert re.search(r"Restoring it takes about \d", headline(browser.page("/")))


def test_old_backup_is_told_in_red(app, browser):
    store(app, make_record())
    with time_machine.travel(datetime.now(UTC) - timedelta(days=4), tick=True):
        back_up(app)
    page = browser.page("/")
    assert page.select_one(".headline.bad")
    assert "Your data is at risk" in headline(page)


def test_file_that_is_not_proved_shows_in_the_evidence(app, browser, folder):
    store(app, make_record())
    back_up(app)
    (folder / "backups" / "assistants_backup_by_hand.json").write_text("[]")
    cell = next(each for each in browser.page("/").select(".evidence") if words(each).startswith("Verified"))
    assert "warn" in cell["class"]
    assert "1 of 2" in words(cell)


def test_tiles_count_and_lead_to_the_list(app, browser):
    store(app, make_record(), make_record("ast_2", status="draft"), make_record("ast_3", status="draft"))
    page = browser.page("/")
    assert [tile(page, name) for name in ("Published", "Pending", "Draft", "Rejected")] == ["1", "0", "2", "0"]
    assert page.select_one("a.tile[href='/assistants?status=draft']")


def test_longest_waiting_come_first_and_open_in_the_editor(app, browser):
    store(
        app,
        make_record("ast_1", status="pending", title="Younger", created_at="2026-03-01T00:00:00.000Z"),
        make_record("a/b", status="pending", title="Older", created_at="2026-02-01T00:00:00.000Z"),
    )
    links = browser.page("/").select("main .rows a.entry-title")
    assert [link.text for link in links] == ["Older", "Younger"]
    assert browser.get(links[0]["href"]).status_code == 200


def test_recent_changes_say_who_did_what(app, browser):
    store(app, make_record())
    with app.app_context(), transaction() as session:
        catalogue.set_status(session, SYSTEM, "ast_1", "draft", version=1)
    first = words(browser.page("/").select_one(".timeline li"))
    assert "system moved “Code Reviewer” back to draft" in first
    assert "v2" in first


def test_bars_lead_to_the_backups_and_are_a_table_too(app, browser):
    store(app, make_record())
    back_up(app)
    page = browser.page("/")
    bar = page.select_one("svg.chart a")
    assert browser.get(bar["href"]).status_code == 200
    assert "Verified" in bar["aria-label"]
    assert words(page.select_one(".as-table tbody td")) == bar["aria-label"]


def test_part_that_cannot_be_read_says_so_and_the_rest_stands(app, browser, folder):
    store(app, make_record())
    with app.app_context():
        db.engine.dispose()
    with closing(sqlite3.connect(folder / "assistants.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name='aa_revision'").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with (folder / "assistants.db").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    page = browser.page("/")
    assert "Could not load the recent changes" in words(page)
    assert tile(page, "Published") == "1"


def test_another_language_has_no_english_headline(browser):
    page = browser.get("/", headers={"Accept-Language": "zh-CN"}).text
    assert 'lang="zh-CN"' in page
