"""The log is append-only: whatever statement tries to change or remove an entry, and whoever sends it, is refused."""

from __future__ import annotations

import sqlite3

import pytest

from webadmin import audit, upgrade
from webadmin.accounts import SYSTEM
from webadmin.audit import KEPT_DAYS_MIN, KEPT_MIN, Act
from webadmin.db import db, transaction

OLD = f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{KEPT_DAYS_MIN + 1} days')"
NEW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
NEEDED = "at, who_kind, act, result, way, details"
CHANGES = (
    "UPDATE aa_audit SET who_name = 'Eve'",
    "UPDATE OR IGNORE aa_audit SET who_name = 'Eve'",
    "UPDATE OR REPLACE aa_audit SET number = 1 WHERE number = 2",
    "UPDATE aa_audit SET number = number + 10",
    "DELETE FROM aa_audit",
    "DELETE FROM aa_audit WHERE number = 1",
    "REPLACE INTO aa_audit SELECT * FROM aa_audit WHERE number = 1",
    f"INSERT OR REPLACE INTO aa_audit (rowid, {NEEDED}) VALUES (2, {NEW}, 'x', 'x', 'x', 'x', '{{}}')",
    "INSERT INTO aa_audit SELECT * FROM aa_audit WHERE true ON CONFLICT DO UPDATE SET who_name = 'Eve'",
    "INSERT OR IGNORE INTO aa_audit SELECT * FROM aa_audit",
    f"INSERT OR REPLACE INTO aa_audit (number, {NEEDED}) VALUES (-1, {NEW}, 'x', 'x', 'x', 'x', '{{}}')",
    f"INSERT INTO aa_audit ({NEEDED}) VALUES ('1999', 'x', 'x', 'x', 'x', '{{}}')",
)


def add(connection: sqlite3.Connection, count: int, at: str) -> None:
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO aa_audit (at, who_kind, act, result, way, details)"
        f" SELECT {at}, 'system', 'x', 'done', 'program', '{{}}' FROM n",
        (count,),
    )


def entries(connection: sqlite3.Connection) -> list[tuple]:
    return [tuple(row) for row in connection.execute("SELECT * FROM aa_audit ORDER BY number")]


def test_no_statement_changes_or_removes_an_entry(file):
    add(file, 3, NEW)
    before = entries(file)
    for pragma in ("recursive_triggers=OFF", "recursive_triggers=ON", "foreign_keys=OFF"):
        file.execute(f"PRAGMA {pragma}")
        for statement in CHANGES:
            with pytest.raises(sqlite3.IntegrityError):
                file.execute(statement)
    assert entries(file) == before


def test_old_entries_go_from_the_beginning_and_the_newest_stay(file):
    add(file, KEPT_MIN + 5, OLD)
    with pytest.raises(sqlite3.IntegrityError):
        file.execute("DELETE FROM aa_audit WHERE number = 3")
    # By its own newest entries the log is as old as those it would lose.
    with pytest.raises(sqlite3.IntegrityError):
        file.execute("DELETE FROM aa_audit WHERE number <= 5")
    add(file, KEPT_MIN + 1, NEW)
    file.execute("DELETE FROM aa_audit WHERE number <= 5")
    with pytest.raises(sqlite3.IntegrityError):
        file.execute(f"DELETE FROM aa_audit WHERE number > {KEPT_MIN}")
    assert len(entries(file)) == 2 * KEPT_MIN + 1


def test_a_clock_that_jumped_ahead_removes_nothing(file):
    add(file, KEPT_MIN + 5, NEW)
    add(file, 500, "'2099-01-01T00:00:00.000Z'")
    # What the trigger takes for the time of the machine is years ahead.
    text = file.execute("SELECT sql FROM sqlite_master WHERE name = 'aa_audit_no_delete'").fetchone()[0]
    file.execute("DROP TRIGGER aa_audit_no_delete")
    file.execute(text.replace("'now'", "'2099-01-01'"))
    with pytest.raises(sqlite3.IntegrityError):
        file.execute("DELETE FROM aa_audit WHERE number <= 5")


def test_missing_triggers_and_entries_are_noticed_and_triggers_made_again(opened, file):
    with transaction() as session:
        for _ in range(4):
            audit.record(session, SYSTEM, Act.UPGRADED)
        assert not audit.find_faults(session.connection())
    file.execute("DROP TRIGGER aa_audit_no_delete")
    file.execute("DELETE FROM aa_audit WHERE number IN (2, 4)")
    with db.engine.connect() as connection:
        assert audit.find_faults(connection) == audit.Faults(("aa_audit_no_delete",), 2)
    upgrade.open_database()
    with pytest.raises(sqlite3.IntegrityError):
        file.execute("DELETE FROM aa_audit")
    assert [row["act"] for row in file.execute("SELECT act FROM aa_audit ORDER BY number DESC LIMIT 1")] == [
        Act.LOG_GUARDED
    ]
