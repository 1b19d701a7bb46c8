"""What retention meets in a real folder: links, files it may not move, files that are just read."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA, make_record, stored
from webadmin import backups, db, operations
from webadmin.backups import Mode
from webadmin.backups.folder import BIN, FolderReadOnly
from webadmin.config import Config

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = START + timedelta(days=100)
Fill = Callable[..., None]


@pytest.fixture
def names(data: Config, fill: Fill) -> list[str]:
    """Ten backups, a day apart, of which retention drops the oldest three."""
    made = []
    for day in range(10):
        with time_machine.travel(START + timedelta(days=day), tick=False):
            fill(make_record(day))
            made.append(backups.create(ADA).name)
    return made


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Nobody may move or change the file, not even root."""
    if (
        not shutil.which("chattr")
        or subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode
    ):
        pytest.skip("this file system, or this account, makes no file immutable (chattr +i)")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


def prune() -> backups.PruneResult:
    with time_machine.travel(LATER, tick=False):
        return backups.prune(ADA)


def test_goes_on_past_a_file_that_cannot_be_moved(data: Config, names: list[str]) -> None:
    with immutable(data.database_backup_dir / names[1]):
        done = prune()
    assert done.stuck == (names[1],)
    assert [entry.name for entry in backups.list_bin()] == [names[2], names[0]]
    assert (data.database_backup_dir / names[1]).exists()
    assert prune().stuck == ()
    assert len(backups.list_bin()) == 3


def test_goes_on_past_a_file_in_the_bin_that_cannot_be_deleted(data: Config, names: list[str]) -> None:
    prune()
    with immutable(data.database_backup_dir / BIN / names[1]), time_machine.travel(LATER + timedelta(days=8)):
        assert sorted(backups.prune(ADA).emptied) == [names[0], names[2]]
    assert [entry.name for entry in backups.list_bin()] == [names[1]]


def test_bin_that_leads_elsewhere_is_not_used(data: Config, names: list[str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "assistants_backup_of_somebody.json").write_text("{}")
    (data.database_backup_dir / BIN).symlink_to(elsewhere)
    with time_machine.travel(LATER + timedelta(days=800), tick=False):
        done = backups.prune(ADA)
    assert (done.stuck, done.emptied) == (tuple(names[:3]), ())
    assert [path.name for path in elsewhere.iterdir()] == ["assistants_backup_of_somebody.json"]
    assert backups.list_bin() == []
    with pytest.raises(FolderReadOnly):
        backups.delete(ADA, names[0])


def test_file_in_place_of_the_bin_stops_nothing_else(data: Config, names: list[str]) -> None:
    (data.database_backup_dir / BIN).write_text("")
    assert prune().stuck == tuple(names[:3])
    assert len(list(data.database_backup_dir.glob("*.json"))) == 10


def test_link_in_place_of_a_backup_is_left_alone_with_what_it_leads_to(
    data: Config, names: list[str], tmp_path: Path
) -> None:
    path, kept = data.database_backup_dir / names[0], tmp_path / "kept.json"
    path.rename(kept)
    path.symlink_to(kept)
    assert prune().stuck == ()
    assert path.is_symlink()
    assert kept.stat().st_size > 0
    assert len(backups.list_bin()) == 2


def test_download_goes_on_when_its_file_is_deleted_for_good(data: Config, names: list[str]) -> None:
    whole = (data.database_backup_dir / names[0]).read_bytes()
    with backups.open_backup(names[0]) as file:
        begin = file.read(100)
        prune()
        with time_machine.travel(LATER + timedelta(days=8), tick=False):
            assert names[0] in backups.prune(ADA).emptied
        assert begin + file.read() == whole


def test_restore_goes_on_when_its_file_is_deleted_for_good(
    data: Config, names: list[str], fill: Fill, tmp_path: Path
) -> None:
    fill(make_record(0, title="changed since"))
    staged = backups.stage_listed(ADA, names[0], tmp_path / "copy", tmp_path / "scratch.db")
    prune()
    with time_machine.travel(LATER + timedelta(days=8), tick=False):
        assert names[0] in backups.prune(ADA).emptied
    operations.apply_import(ADA, staged, mode=Mode.MERGE, source_name=names[0])
    backups.remove_scratch(tmp_path / "scratch.db")
    assert stored()["ast_00000"].title == make_record(0).title


def test_files_of_others_stay_whatever_their_age(data: Config, names: list[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "backups" / "layout_b.json"
    shutil.copy(golden, data.database_backup_dir / "assistants_backup_theirs.json")
    prune()
    with db.reading() as connection:
        assert "assistants_backup_theirs.json" in [each.name for each in backups.list_backups(Session(connection))]
