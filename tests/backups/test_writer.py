"""Making backups and exports: whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import resource
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA, full_disk, lines, make_record, stored
from webadmin import backups, db
from webadmin.backups import Backup, Busy, Integrity, Kind, State
from webadmin.backups import folder as folder_of
from webadmin.backups.document import open_document, records
from webadmin.catalogue import encode
from webadmin.config import Config
from webadmin.db import DiskFull

Fill = Callable[..., None]


def history() -> list[Backup]:
    with db.reading() as connection:
        return backups.list_backups(Session(connection))


def test_backup_holds_every_record_and_proves_itself(data: Config, fill: Fill) -> None:
    made = [make_record(2), make_record(1, status="published", extra={"mine": b"[1]"}), make_record(3, id="Ä")]
    fill(*made)
    backup = backups.create(ADA, note="first")
    path = data.database_backup_dir / backup.name
    with path.open("rb") as file:
        document = open_document(file)
        found = [span for _, span in records(file, document)]
    assert found == [encode(record) for record in sorted(made, key=lambda record: str(record.id).encode())]
    assert document.integrity is Integrity.RIGHT
    assert document.kind == "manual"
    assert document.counts == {"draft": 2, "pending": 0, "published": 1, "rejected": 0}
    assert (backup.state, backup.record_count, backup.note, backup.id) == (State.VERIFIED, 3, "first", 1)
    assert backup.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [entry.name for entry in history()] == [backup.name]


def test_two_exports_have_the_same_record_lines(data: Config, fill: Fill) -> None:
    fill(*(make_record(number) for number in range(20)))
    first, second = lines(), lines()
    assert first[1:] == second[1:]
    assert len(first) == 22


def test_name_is_in_local_time_and_the_repeated_hour_overwrites_nothing(
    data: Config, make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    from webadmin import config

    berlin = make_config(TIMEZONE="Europe/Berlin")
    monkeypatch.setattr(config, "_provider", lambda: berlin)
    names = []
    for hour in (0, 1):
        with time_machine.travel(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), tick=False):
            names.append(backups.create(ADA).name)
    assert names == ["assistants_backup_20261025_023000.json", "assistants_backup_20261025_023001.json"]


def test_backup_of_a_catalogue_with_broken_rows_is_made_all_the_same(data: Config, fill: Fill) -> None:
    fill(make_record(1))
    with sqlite3.connect(data.database_path) as other:
        other.executescript(
            """INSERT INTO assistants (id, title, desc, emoji, prompt, author, created_at) VALUES
            (NULL, 'no id', '', '', 'p', 'x', 'now'), ('b', CAST(x'ff00' AS TEXT), x'00ff', '', '', 'x', '2024'),
            ('t', 't', '', '', 'p', 'x', '2024-01-01');
            UPDATE assistants SET tags = '{"no": "list"}' WHERE id = 't';"""
        )
    other.close()
    backup = backups.create(ADA)
    assert (backup.state, backup.record_count) == (State.VERIFIED, 4)


def test_backup_runs_while_another_program_holds_the_write_lock(data: Config, fill: Fill) -> None:
    fill(make_record(1))
    other = sqlite3.connect(data.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    backup = backups.create(ADA)
    assert backup.state is State.VERIFIED
    other.execute("ROLLBACK")
    other.close()
    backups.sync()
    (found,) = history()
    assert (found.name, found.kind, found.is_ours, found.id) == (backup.name, Kind.MANUAL, True, 1)
    assert found.state is State.VERIFIED


def test_full_disk_leaves_no_file_and_a_row_that_says_so(data: Config, fill: Fill) -> None:
    fill(*(make_record(number, prompt="x" * 5000) for number in range(200)))
    with pytest.raises(DiskFull), full_disk(500_000):
        backups.create(ADA)
    (found,) = history()
    assert (found.state, found.has_file) == (State.FAILED, False)
    assert "full" in str(found.error)
    assert folder_of.entries(data.database_backup_dir) == []
    assert list(data.database_backup_dir.glob(".tmp-*")) == []
    assert backups.create(ADA).state is State.VERIFIED


def test_second_backup_at_the_same_time_is_told_to_wait(data: Config) -> None:
    with backups.hold(ADA, "import"), pytest.raises(Busy):
        backups.create(ADA)
    assert [backup.state for backup in history()] == []


def test_catalogue_is_untouched_by_a_backup(data: Config, fill: Fill) -> None:
    fill(make_record(1))
    before = stored()
    backups.create(ADA)
    assert stored() == before


def test_memory_of_a_large_backup_stays_small(data: Config, fill: Fill, tmp_path: Path) -> None:
    for start in range(0, 4000, 500):
        fill(*(make_record(number, prompt="产品 " * 2500) for number in range(start, start + 500)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    backup = backups.create(ADA)
    copy, scratch = tmp_path / "copy.json", tmp_path / "scratch.db"
    staged = backups.stage_listed(ADA, backup.name, copy, scratch)
    backups.make_plan(staged, backups.Mode.MERGE)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (backup.size_bytes or 0) > 40_000_000
    assert grown < 30
