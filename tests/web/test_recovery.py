"""Recovery from the page: prepared as a task, chosen record by record, put in place under servers that run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.people import add_person, close, sign_in
from tests.test_recovery import damage_it, titles
from tests.web.conftest import Browser, soup, words
from webadmin import audit, damage, snapshots
from webadmin.app import create_app
from webadmin.db import db

COUNT = 30
PAGE = "/health/recovery"


@pytest.fixture
def path(folder) -> Path:
    return folder / "assistants.db"


@pytest.fixture
def broken(app, path, make_config):
    """Ada's site, whose database is damaged; later than its copies one was edited, one added, one deleted."""
    damage_it(app, path, COUNT, delete="ast_0004")
    built = create_app(make_config())
    yield built
    close(built)


@pytest.fixture
def visitor(broken) -> Browser:
    client = broken.test_client()
    sign_in(client, "Ada")
    return Browser(client)


def prepare(visitor: Browser, **fields: str):
    """The page of what was prepared."""
    begun = visitor.post(PAGE, **fields)
    assert begun.status_code == 303
    visitor.settled(begun.location)
    return visitor.page(PAGE)


def put_in_place(visitor: Browser) -> str:
    form = visitor.page(PAGE).select_one(f"form[action='{PAGE}/apply']")
    return words(visitor.settled(visitor.submit(form).location).select_one("main"))


def test_recover_now_prepares_shows_and_puts_in_place(visitor, path):
    shown = visitor.page("/health")
    assert shown.select_one(f"main form[action='{PAGE}'] .primary").text.strip() == "Recover now"
    report = prepare(visitor)
    assert damage.find(path)
    assert [each.select_one(".figure").text for each in report.select(".tile")] == ["30", "30", "2", "0"]
    assert words(visitor.page(f"{PAGE}?tab=copy").select_one("tbody")).count("ast_0004") == 1
    assert "30 assistants" not in words(report.select_one("#recovery-bar"))
    assert "Go on with the recovery" in words(visitor.page("/health").select_one("main"))
    said = put_in_place(visitor)
    assert "31 assistants; later edits brought back: 2" in said
    assert damage.find(path) is None
    found = titles(path)
    assert (len(found), found["ast_0007"]) == (COUNT + 1, "Later")
    # The log of the damaged file came along, what was done meanwhile followed, and no entry is missing.
    with visitor.client.application.app_context(), db.engine.connect() as connection:
        audit.settle()
        acts = [row.act for row in connection.exec_driver_sql("SELECT act FROM aa_audit ORDER BY number")]
        assert not audit.find_faults(connection)
    assert {"assistant.change", "assistant.delete", "recovery.begin", "recovery.apply", "signin.done"} <= {*acts}
    assert visitor.get(PAGE).status_code == 303
    assert "damaged" not in words(visitor.page("/").select_one("#safety-pill"))


def test_each_record_is_chosen_and_a_deletion_too(visitor, path):
    report = prepare(visitor)
    [row] = report.select("tbody tr")
    assert "ast_0007" in words(row)
    choice = row.select_one("input[checked]")
    assert choice["value"] == "read"
    visitor.post(f"{PAGE}/choices", tab="both", **{choice["name"]: "copy"})
    gone = visitor.page(f"{PAGE}?tab=copy").select_one("tbody input[value=read]")
    visitor.post(f"{PAGE}/choices", tab="copy", **{gone["name"]: "read"})
    assert "1 goes to the trash" in words(visitor.page(PAGE).select_one("#recovery-bar"))
    assert "30 assistants; later edits brought back: 1" in put_in_place(visitor)
    found = titles(path)
    assert "ast_0004" not in found
    assert found["ast_0007"] == "One"
    assert "ast_later" in found


def test_all_of_a_kind_are_left_out_by_one_button(visitor, path):
    prepare(visitor)
    visitor.post(f"{PAGE}/choices", tab="read", bulk="copy")
    put_in_place(visitor)
    assert "ast_later" not in titles(path)


def test_differences_open_field_by_field(visitor):
    link = prepare(visitor).select_one("tbody a")
    page = visitor.page(link["href"])
    assert page.h1.text == "Later"
    assert {"del", "ins"} <= {each.name for each in page.select(".changes *")}
    assert visitor.get(f"{PAGE}/999").status_code == 404


def test_a_number_beyond_those_of_sqlite_is_no_difference(visitor):
    prepare(visitor)
    assert visitor.get(f"{PAGE}/{2**63}").status_code == 404


def test_a_copy_without_an_account_is_told_before_it_is_put_in_place(app, path):
    with app.app_context():
        snapshots.take()
    add_person(app, "Ada")
    with app.app_context():
        snapshots.take()
    [newer, older] = sorted((each.name for each in path.with_name("snapshots").glob("*.db")), reverse=True)
    client = app.test_client()
    sign_in(client, "Ada")
    path.rename(path.with_name("away.db"))
    visitor = Browser(client)
    assert "Nobody has an account" in words(prepare(visitor, name=older).select_one("main"))
    assert "Nobody has an account" not in words(prepare(visitor, name=newer).select_one("main"))
    for name in ("../secret-key", "/etc/passwd", f"{newer}/../secret-key", "\0", "x" * 100_000):
        assert visitor.post(PAGE, name=name).status_code == 404


def test_form_of_older_choices_puts_nothing_in_place(visitor, path):
    form = prepare(visitor).select_one(f"form[action='{PAGE}/apply']")
    visitor.post(f"{PAGE}/choices", tab="both", bulk="copy")
    answer = visitor.submit(form)
    assert "Choices were changed" in words(soup(answer, 409))
    assert damage.find(path)


def test_damaged_file_that_changed_meanwhile_is_not_replaced(visitor, path):
    form = prepare(visitor).select_one(f"form[action='{PAGE}/apply']")
    path.with_name("assistants.db-wal").write_bytes(b"another program wrote" * 10)
    assert "changed since this was shown" in words(visitor.settled(visitor.submit(form).location).select_one("main"))
    assert damage.find(path)
    path.with_name("assistants.db-wal").unlink()


def test_copy_that_changed_meanwhile_is_not_used(visitor, path, folder):
    form = prepare(visitor).select_one(f"form[action='{PAGE}/apply']")
    [snapshot] = (folder / "snapshots").glob("*.db")
    snapshot.write_bytes(snapshot.read_bytes() + b"x")
    assert "changed since this was shown" in words(visitor.settled(visitor.submit(form).location).select_one("main"))
    assert damage.find(path)


def test_another_backup_is_chosen_and_an_unsound_one_refused(visitor, path, folder):
    listed = visitor.page(f"{PAGE}/copies")
    rows = {words(row.select_one("td:nth-of-type(2)")): row for row in listed.select("tbody tr")}
    assert {kind: row.select_one(".num").text for kind, row in rows.items()} == {"Snapshot": "30", "Backup": "30"}
    name = rows["Backup"].select_one("input[name=name]")["value"]
    report = prepare(visitor, name=name)
    assert "people, tokens" in words(report.select_one("main"))
    stored = folder / "backups" / name
    stored.write_bytes(stored.read_bytes().replace(b"One", b"Two"))
    begun = visitor.post(PAGE, name=name)
    assert "cannot be relied on" in words(visitor.settled(begun.location).select_one("main"))
    assert not (folder / ".recovery").exists()


def test_what_was_prepared_is_discarded(visitor, path):
    prepare(visitor)
    visitor.post(f"{PAGE}/discard")
    assert visitor.get(PAGE).status_code == 303
    assert damage.find(path)
    assert not (path.parent / ".recovery").exists()


def test_only_an_administrator_may(visitor, path):
    prepare(visitor)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE aa_user SET role='viewer'")
        connection.commit()
    assert {visitor.get(address).status_code for address in (PAGE, f"{PAGE}/copies", f"{PAGE}/1")} == {403}
    for address in (PAGE, f"{PAGE}/choices", f"{PAGE}/apply", f"{PAGE}/discard"):
        assert visitor.post(address).status_code == 403
    assert (path.parent / ".recovery" / "plan.db").exists()


def test_missing_file_is_recovered_from_the_page(visitor, path):
    path.rename(path.with_name("away.db"))
    report = prepare(visitor)
    assert "there is no file" in words(report.select_one(".tiles"))
    assert "30 assistants" in put_in_place(visitor)
    assert len(titles(path)) == COUNT
