"""What another program does to the table is noticed, whatever statement it uses, and none of them fails for us."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from tests.catalogue.conftest import ADA
from tests.earlier import insert
from webadmin import catalogue, db

Earlier = Callable[..., sqlite3.Connection]
Opened = Callable[[], Session]


def absorb() -> int:
    with db.transaction() as session:
        return catalogue.absorb(session)


def test_opening_keeps_every_row_and_gives_each_its_first_revision(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    insert(other, "test-1", tags='["a"]')
    insert(other, "test-2", status="published", is_public=1)
    before = other.execute("SELECT * FROM assistants").fetchall()
    session = opened()
    assert other.execute("SELECT * FROM assistants").fetchall() == before
    revisions = [catalogue.list_revisions(session, found) for found in ("test-1", "test-2")]
    assert [[entry.source for entry in entries] for entries in revisions] == [["found"], ["found"]]


def test_the_table_keeps_its_definition_its_indexes_and_its_migrations(earlier: Earlier, opened: Opened) -> None:
    other = earlier("category TEXT", "mood POINT")
    wanted = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'aa_%' ORDER BY name"
    before = other.execute(wanted).fetchall()
    opened()
    assert other.execute(wanted).fetchall() == before
    assert other.execute("SELECT version FROM migrations").fetchall() == [("1.0.0",)]


def test_an_insert_is_listed_counted_and_gets_a_revision(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    opened()
    insert(other, "x", title="Needle")
    session = opened()
    assert [item.id for item in catalogue.find(session, catalogue.Query(search="needle")).items] == ["x"]
    assert catalogue.counts(session, catalogue.Query())["draft"] == 1
    assert catalogue.are_pending(session)
    assert absorb() == 1
    assert [entry.source for entry in catalogue.list_revisions(opened(), "x")] == ["other program"]
    assert not catalogue.are_pending(opened())


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE"])
def test_replace_is_a_revision_of_the_same_assistant(earlier: Earlier, opened: Opened, verb: str) -> None:
    other = earlier()
    insert(other, "x")
    opened()
    insert(other, "x", verb=verb, title="Replaced")
    absorb()
    newest = catalogue.list_revisions(opened(), "x")[0]
    assert (newest.source, newest.fields) == ("other program", ["title"])


def test_upsert_and_optimistic_update_work_and_are_noticed(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    insert(other, "x")
    opened()
    done = other.execute(
        "UPDATE assistants SET prompt = 'new', version = version + 1 WHERE id = 'x' AND version = 1"
    ).rowcount
    assert done == 1
    assert other.execute("UPDATE assistants SET prompt = 'no' WHERE id = 'x' AND version = 1").rowcount == 0
    other.execute(
        "INSERT INTO assistants (id, title, desc, prompt, author, created_at) VALUES ('x', 't', 'd', 'p', 'a', 'c') "
        "ON CONFLICT(id) DO UPDATE SET title = 'upserted'"
    )
    absorb()
    record = catalogue.get(opened(), "x")
    assert (record.title, record.prompt, record.version) == ("upserted", "new", 2)
    assert set(catalogue.list_revisions(opened(), "x")[0].fields) == {"title", "prompt"}


def test_a_row_that_the_other_program_deletes_can_be_brought_back_whole(earlier: Earlier, opened: Opened) -> None:
    other = earlier("category TEXT", "usage_count INTEGER", "rating REAL", "mood TEXT")
    insert(other, "x", tags='["a","b"]', category='["c"]', usage_count=7, rating=4.5, mood="calm")
    opened()
    row = other.execute("SELECT * FROM assistants").fetchone()
    other.execute("DELETE FROM assistants WHERE id = 'x'")
    absorb()
    entry = catalogue.newest_in_trash(opened(), "x")
    assert entry is not None
    with db.transaction() as session:
        catalogue.put_back(session, ADA, entry.number)
    back = other.execute("SELECT * FROM assistants").fetchone()
    names = [column[0] for column in other.execute("SELECT * FROM assistants").description]
    changed = {name for name, old, new in zip(names, row, back, strict=True) if old != new}
    assert changed == {"version", "updated_at"}


def test_a_changed_id_moves_the_old_one_to_the_trash(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    insert(other, "old")
    opened()
    other.execute("UPDATE assistants SET id = 'new' WHERE id = 'old'")
    absorb()
    session = opened()
    assert catalogue.newest_in_trash(session, "old") is not None
    assert [entry.source for entry in catalogue.list_revisions(session, "new")] == ["other program"]


def test_a_table_that_was_rebuilt_without_our_triggers_is_compared_whole(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    for name in ("keep", "change", "lose"):
        insert(other, name)
    opened()
    definition = other.execute("SELECT sql FROM sqlite_master WHERE name = 'assistants'").fetchone()[0]
    other.executescript(
        f"ALTER TABLE assistants RENAME TO gone; {definition}; INSERT INTO assistants SELECT * FROM gone;"
        "DROP TABLE gone; DELETE FROM assistants WHERE id = 'lose';"
        "UPDATE assistants SET title = 't' WHERE id = 'change'"
    )
    assert absorb() == 2
    session = opened()
    assert [entry.assistant_id for entry in catalogue.list_trash(session)] == ["lose"]
    assert catalogue.list_revisions(session, "change")[0].fields == ["title"]
    assert len(catalogue.list_revisions(session, "keep")) == 1
    insert(other, "again")
    assert absorb() == 1


def test_our_own_writes_are_not_taken_for_foreign_ones(make: Callable[..., str], opened: Opened) -> None:
    found = make()
    with db.transaction() as session:
        catalogue.update(session, ADA, found, {"title": "Other"}, version=1)
    assert absorb() == 0
    assert [entry.actor_name for entry in catalogue.list_revisions(opened(), found)] == ["ada", "ada"]


def test_odd_rows_never_stop_reading_or_history(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    insert(other, "blob", title=b"bytes")
    insert(other, "tags", tags="not json")
    insert(other, None, title="no id")
    other.execute("INSERT INTO assistants SELECT 'utf8', CAST(x'41ff42' AS TEXT), desc, emoji, prompt, tags, is_public,"
                  " status, author, created_at, updated_at, reviewed_at, published_at, review_note, version"
                  " FROM assistants WHERE id = 'tags'")  # fmt: skip
    before = other.execute("SELECT id, CAST(title AS BLOB), tags FROM assistants").fetchall()
    session = opened()
    told: list[object] = []
    records = list(catalogue.iter_records(session.connection(), warn=told.append))
    assert {record.id: record.title for record in records} == {
        None: "no id", "blob": "bytes", "tags": "Title of tags", "utf8": "A\ufffdB"
    }  # fmt: skip
    assert told
    assert {item.id for item in catalogue.find(session, catalogue.Query()).items} == {"blob", "tags", "utf8"}
    with db.transaction() as writing:
        catalogue.update(writing, ADA, "utf8", {"desc": "changed"}, version=1)
    after = other.execute("SELECT id, CAST(title AS BLOB), tags FROM assistants").fetchall()
    assert sorted(map(str, after)) == sorted(map(str, before))


def test_a_column_that_another_program_adds_is_read_at_once(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    insert(other, "x")
    assert catalogue.get(opened(), "x").extra == {}
    other.execute("ALTER TABLE assistants ADD COLUMN mood TEXT DEFAULT 'good'")
    assert catalogue.get(opened(), "x").extra == {"mood": b'"good"'}


def test_a_column_whose_making_was_undone_is_not_taken_for_the_next_one(earlier: Earlier, opened: Opened) -> None:
    other = earlier()
    insert(other, "x")
    opened()
    with contextlib.suppress(InterruptedError), db.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE assistants ADD COLUMN mood TEXT DEFAULT 'good'")
        assert catalogue.get(session, "x").extra == {"mood": b'"good"'}
        raise InterruptedError
    other.execute("ALTER TABLE assistants ADD COLUMN team TEXT DEFAULT 'ours'")
    assert catalogue.get(opened(), "x").extra == {"team": b'"ours"'}
