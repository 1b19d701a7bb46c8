"""The list of backups after the loss of the database, and files that come and go by hand."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from flask import current_app
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA, make_record, root_like_anybody
from webadmin import backups, db
from webadmin.accounts import SYSTEM
from webadmin.backups import Backup, Kind, State
from webadmin.config import Config
from webadmin.errors import Unavailable

GOLDEN = Path(__file__).parents[1] / "golden" / "backups"
Fill = Callable[..., None]


def history() -> list[Backup]:
    backups.sync()
    with db.reading() as connection:
        return backups.list_backups(Session(connection))


def lose_the_rows() -> None:
    """What is left of the list in a database that was made anew."""
    with db.writing(db.db.engine) as connection:
        connection.exec_driver_sql("DELETE FROM aa_backup")
        connection.exec_driver_sql("DELETE FROM backups")


def age(folder: Path) -> None:
    """As if every file had been written some minutes ago."""
    for path in folder.glob("*.json"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns - 300 * 10**9))


def test_rows_come_back_with_all_that_the_files_say(data: Config, fill: Fill) -> None:
    fill(make_record(1), make_record(2, status="published"))
    for reason in ("scheduled", "manual", "safety"):
        backups.create(ADA, reason=reason)
    shutil.copy(GOLDEN / "layout_b.json", data.database_backup_dir / "assistants_backup_found.json")
    known = (
        "name",
        "kind",
        "is_ours",
        "made_at",
        "actor",
        "local_day",
        "record_count",
        "counts",
        "size_bytes",
        "is_auto",
    )
    before = [tuple(getattr(backup, field) for field in known) for backup in history()]
    lose_the_rows()
    after = history()
    assert [tuple(getattr(backup, field) for field in known) for backup in after] == before
    assert {backup.kind for backup in after} == {Kind.SCHEDULED, Kind.MANUAL, Kind.SAFETY, Kind.FOUND}
    assert {backup.state for backup in after} == {State.UNCHECKED}


def test_pins_and_notes_are_lost_with_the_database(data: Config) -> None:
    name = backups.create(ADA, note="before the move").name
    with db.transaction() as session:
        backups.pin(session, SYSTEM, name, is_pinned=True)
    lose_the_rows()
    [found] = history()
    assert (found.is_pinned, found.note) == (False, None)


def test_rebuilt_rows_are_proved_again_newest_first(data: Config, fill: Fill) -> None:
    names = []
    for day in (1, 2, 3):
        with time_machine.travel(datetime(2026, 11, day, 9, 0, tzinfo=UTC)):
            names.append(backups.create(ADA).name)
    spoiled = data.database_backup_dir / names[1]
    spoiled.write_bytes(spoiled.read_bytes().replace(b'"ada"', b'"eve"'))
    age(data.database_backup_dir)
    lose_the_rows()
    proved = [backups.verify_new() for _ in range(4)]
    assert [each and (each.name, each.state) for each in proved] == [
        (names[2], State.VERIFIED),
        (names[1], State.ALTERED),
        (names[0], State.VERIFIED),
        None,
    ]


def test_file_without_checksum_is_read_once(data: Config) -> None:
    data.database_backup_dir.mkdir()
    shutil.copy(GOLDEN / "layout_b.json", data.database_backup_dir / "assistants_backup_found.json")
    age(data.database_backup_dir)
    first = backups.verify_new()
    assert first is not None
    assert first.state is State.UNCHECKED
    assert backups.verify_new() is None


def test_file_that_is_still_being_copied_waits(data: Config) -> None:
    data.database_backup_dir.mkdir()
    path = data.database_backup_dir / "assistants_backup_found.json"
    path.write_bytes((GOLDEN / "format_1.json").read_bytes()[:300])
    assert backups.verify_new() is None
    path.write_bytes((GOLDEN / "format_1.json").read_bytes())
    age(data.database_backup_dir)
    found = backups.verify_new()
    assert found is not None
    assert found.state is State.VERIFIED


def test_file_that_cannot_be_read_keeps_no_other_from_its_turn(data: Config) -> None:
    older, newer = backups.create(ADA).name, backups.create(ADA).name
    age(data.database_backup_dir)
    lose_the_rows()
    (data.database_backup_dir / newer).chmod(0)
    with root_like_anybody():
        found = backups.verify_new()
        assert found is not None
        assert found.name == older
        with pytest.raises(Unavailable):
            backups.verify_new()
    (data.database_backup_dir / newer).chmod(0o600)
    again = backups.verify_new()
    assert again is not None
    assert again.name == newer


def test_files_put_here_and_removed_by_hand_show_at_the_next_look(data: Config) -> None:
    gone = backups.create(ADA).name
    shutil.copy(GOLDEN / "format_1.json", data.database_backup_dir / "assistants_backup_put.json")
    (data.database_backup_dir / gone).unlink()
    found = {backup.name: backup for backup in history()}
    assert (found[gone].state, found[gone].has_file) == (State.MISSING, False)
    put = found["assistants_backup_put.json"]
    assert (put.state, put.is_ours) == (State.UNCHECKED, False)


def test_looks_while_backups_are_made_lose_nothing_that_is_known_of_them(data: Config) -> None:
    app = current_app._get_current_object()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            with app.app_context():
                backups.sync()

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(look) for _ in range(2)]
        try:
            for number in range(15):
                backups.create(ADA, note=f"the {number}th")
        finally:
            is_over.set()
        for each in looks:
            each.result()
    found = {(each.note, each.state, each.actor) for each in history()}
    assert found == {(f"the {number}th", State.VERIFIED, "ada") for number in range(15)}


def test_first_look_at_more_new_files_asks_the_database_no_more_often(data: Config) -> None:
    made = data.database_backup_dir / backups.create(ADA).name
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    def looks_at(count: int) -> int:
        for number in range(count):
            shutil.copy(made, made.with_name(f"assistants_backup_{count}_{number}.json"))
        asked.clear()
        assert len(backups.look(wholly=True)) == count
        found = len(asked)
        backups.sync()
        return found

    event.listen(db.db.engine, "before_cursor_execute", note)
    try:
        assert looks_at(2) == looks_at(20)
    finally:
        event.remove(db.db.engine, "before_cursor_execute", note)
