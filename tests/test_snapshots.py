"""Snapshots: the whole database copied once a day, proved by checksum, the old ones gone and those of upgrades kept."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from tests.people import add_person
from webadmin import snapshots
from webadmin.db import DatabaseCorrupt
from webadmin.errors import NotFound
from webadmin.snapshots import State

DAY = datetime(2026, 11, 23, 2, 0, 30, tzinfo=UTC)


@pytest.fixture
def inside(app: Flask) -> Iterator[Flask]:
    """Inside the application, whose database holds one person."""
    add_person(app, "Ada")
    with app.app_context():
        yield app


def names() -> list[str]:
    return [snapshot.name for snapshot in snapshots.list_snapshots()]


def take_at(instant: datetime) -> str:
    with time_machine.travel(instant, tick=False):
        return snapshots.take().name


def test_snapshot_holds_what_a_json_backup_does_not(inside: Flask) -> None:
    made = snapshots.take()
    path = snapshots.folder() / made.name
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM aa_user").fetchall() == [("Ada",)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert snapshots.check(made.name) is State.SOUND
    assert not list(snapshots.folder().glob(".tmp-*"))


def test_its_checksum_is_the_one_that_sha256sum_checks(inside: Flask) -> None:
    made = snapshots.take()
    command = ["sha256sum", "--check", f"{made.name}.sha256"]
    assert subprocess.run(command, cwd=snapshots.folder(), capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("at", [30, -100])
def test_one_changed_bit_is_seen(inside: Flask, at: int) -> None:
    made = snapshots.take()
    path = snapshots.folder() / made.name
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert snapshots.check(made.name) is State.ALTERED


def test_without_its_checksum_a_snapshot_counts_as_unchecked(inside: Flask) -> None:
    made = snapshots.take()
    (snapshots.folder() / f"{made.name}.sha256").unlink()
    assert snapshots.check(made.name) is State.UNCHECKED


def test_one_is_taken_a_day(inside: Flask) -> None:
    taken = []
    for hours in (0, 1, 21, 22, 46):
        at = DAY + timedelta(hours=hours)
        with time_machine.travel(at, tick=False):
            taken.append(snapshots.take_daily(at) is not None)
    assert taken == [True, False, False, True, True]


def test_one_from_before_an_upgrade_is_not_that_of_the_day(inside: Flask) -> None:
    old = take_at(DAY)
    with sqlite3.connect(snapshots.folder() / old) as connection:
        connection.execute("DROP TABLE aa_schema_version")
    with time_machine.travel(DAY + timedelta(hours=1), tick=False):
        assert snapshots.take_daily(DAY + timedelta(hours=1)) is not None
        assert snapshots.take_daily(DAY + timedelta(hours=1)) is None


def test_the_newest_three_stay(inside: Flask) -> None:
    taken = [take_at(DAY + timedelta(days=day)) for day in range(5)]
    assert names() == taken[:1:-1]
    assert sorted(path.name for path in snapshots.folder().iterdir()) == sorted(
        name for kept in taken[2:] for name in (kept, f"{kept}.sha256")
    )


def test_one_from_before_an_upgrade_stays_for_thirty_days(inside: Flask, folder: Path) -> None:
    old = take_at(DAY)
    with sqlite3.connect(snapshots.folder() / old) as connection:
        connection.execute("DROP TABLE aa_schema_version")
    for day in range(1, 29):
        take_at(DAY + timedelta(days=day))
    assert (old in names(), len(names())) == (True, 4)
    for day in range(31, 34):
        take_at(DAY + timedelta(days=day))
    assert (old in names(), len(names())) == (False, 3)


def test_two_in_a_second_get_names_of_their_own(inside: Flask) -> None:
    assert take_at(DAY) != take_at(DAY)


def test_files_named_otherwise_and_links_are_left_alone(inside: Flask, tmp_path: Path) -> None:
    take_at(DAY)
    mine = snapshots.folder() / "assistants_before_the_move.db"
    mine.write_text("mine")
    link = snapshots.folder() / "assistants_20200101_000000.db"
    target = tmp_path / "elsewhere.db"
    target.write_text("elsewhere")
    link.symlink_to(target)
    for day in range(1, 5):
        take_at(DAY + timedelta(days=day))
    assert (mine.read_text(), target.read_text(), link.is_symlink()) == ("mine", "elsewhere", True)
    assert len(names()) == 3


def test_damaged_database_gives_no_snapshot(inside: Flask, folder: Path) -> None:
    with sqlite3.connect(folder / "assistants.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray((folder / "assistants.db").read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xa5" * 4096
    (folder / "assistants.db").write_bytes(content)
    with pytest.raises(DatabaseCorrupt):
        snapshots.take()
    assert names() == []
    assert not list(snapshots.folder().iterdir())


def test_what_a_killed_copy_left_goes_after_an_hour(inside: Flask) -> None:
    snapshots.take()
    left = snapshots.folder() / ".tmp-1-assistants_20261123_020000.db"
    left.write_text("half")
    snapshots.remove_leftovers()
    assert left.exists()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
        snapshots.remove_leftovers()
    assert not left.exists()


@pytest.mark.parametrize("name", ["../assistants.db", "assistants_20200101_000000.db", "x"])
def test_what_is_no_snapshot_is_not_found(inside: Flask, name: str) -> None:
    with pytest.raises(NotFound):
        snapshots.check(name)
