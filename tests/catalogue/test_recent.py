"""What the dashboard tells of the last changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from tests.catalogue.conftest import ADA
from tests.earlier import insert
from webadmin import catalogue, db

Opened = Callable[[], Session]


def test_newest_changes_come_first_with_what_they_were(opened: Opened, make: Callable[..., str]):
    first = make(title="First")
    make(title="Second")
    with db.transaction() as session:
        catalogue.update(session, ADA, first, {"desc": "new"}, version=1)
        catalogue.set_status(session, ADA, first, "published", version=2)
        catalogue.remove(session, ADA, first)
    found = catalogue.recent(opened())
    assert [(c.title, c.is_deletion, c.count) for c in found] == [
        ("First", True, 1), ("First", False, 1), ("First", False, 1), ("Second", False, 1), ("First", False, 1),
    ]  # fmt: skip
    assert (found[1].status, "status" in found[1].fields) == ("published", True)
    assert ("desc" in found[2].fields, "status" in found[2].fields, found[0].actor_name) == (True, False, "ada")


def test_what_another_program_wrote_in_a_row_is_one_line(
    opened: Opened, earlier: Callable[..., sqlite3.Connection], make: Callable[..., str]
):
    make(title="Mine")
    other = sqlite3.connect(_database(opened), isolation_level=None)
    for number in range(3):
        insert(other, f"ast_{number}")
    with db.transaction() as session:
        catalogue.absorb(session)
    newest, older = catalogue.recent(opened())
    assert (newest.count, newest.is_more, newest.actor_name) == (3, False, "other program")
    assert (older.count, older.title) == (1, "Mine")


def test_only_as_many_as_asked_for(opened: Opened, make: Callable[..., str]):
    for number in range(4):
        make(title=f"Number {number}")
    assert [change.title for change in catalogue.recent(opened(), most=2)] == ["Number 3", "Number 2"]


def test_edits_since_a_time_leave_out_what_was_found_at_the_first_opening(
    earlier: Callable[..., sqlite3.Connection], opened: Opened
):
    other = earlier()
    insert(other, "ast_1")
    session = opened()
    assert catalogue.edits_since(session, "2000-01-01T00:00:00.000Z") == (0, False)
    with db.transaction() as writing:
        catalogue.update(writing, ADA, "ast_1", {"desc": "new"}, version=1)
    assert catalogue.edits_since(opened(), "2000-01-01T00:00:00.000Z") == (1, False)
    assert catalogue.edits_since(opened(), "2999-01-01T00:00:00.000Z") == (0, False)


def _database(opened: Opened) -> Path:
    return Path(str(opened().get_bind().engine.url.database))
