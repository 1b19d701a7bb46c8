"""Another program in the backup folder: what it writes and what it deletes is told, what people do is not."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA
from webadmin import backups, clock, config, db
from webadmin.config import Config

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def signs() -> list[str]:
    backups.sync()
    with db.reading() as connection:
        return [str(sign) for sign in backups.signs_of_others(backups.open_history(Session(connection)), clock.now())]


def put(data: Config, name: str, made_at: datetime) -> None:
    text = f'{{"exportedAt": "{clock.to_text(made_at)}", "count": 0, "assistants": []}}'
    (data.database_backup_dir / f"assistants_backup_{name}.json").write_text(text)


@pytest.fixture
def at_noon(data: Config):
    with time_machine.travel(NOW - timedelta(days=30), tick=False):
        backups.create(ADA)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.usefixtures("at_noon")
class TestOthers:
    def test_nobody_else_is_nothing_to_tell(self, data):
        assert signs() == []

    def test_what_another_program_writes_is_told_for_a_week(self, data):
        put(data, "before", NOW - timedelta(days=31))
        put(data, "long_ago", NOW - timedelta(days=8))
        assert signs() == []
        put(data, "theirs", NOW - timedelta(days=1))
        [said] = signs()
        assert "1 files" in said
        assert "assistants_backup_theirs.json" in said

    def test_another_installation_is_told_while_it_lives(self, data, tmp_path, monkeypatch):
        backups.leave_sign()
        assert signs() == []
        with monkeypatch.context() as elsewhere:
            other = replace(data, database_path=tmp_path / "other" / "assistants.db")
            elsewhere.setattr(config, "_provider", lambda: other)
            backups.leave_sign()
        [said] = signs()
        assert said.startswith("Another installation of this program uses this folder too")
        assert "2026-11-23 12:00" in said
        with time_machine.travel(NOW + timedelta(days=2), tick=False):
            backups.leave_sign()
            assert signs() == []

    def test_installation_that_was_moved_is_no_other(self, data):
        backups.leave_sign()
        folder = data.database_backup_dir
        folder.rename(folder.with_name("moved"))
        folder.with_name("moved").rename(folder)
        assert (signs(), len(list(folder.glob(".installation-*")))) == ([], 1)

    def test_what_was_uploaded_is_ours_to_keep(self, data, tmp_path):
        put(data, "upload", NOW)
        path = (data.database_backup_dir / "assistants_backup_upload.json").rename(tmp_path / "upload.json")
        backups.keep_upload(ADA, path, "upload.json")
        assert signs() == []

    def test_what_vanishes_without_us_is_told(self, data):
        name = backups.create(ADA).name
        (data.database_backup_dir / name).unlink()
        [said] = signs()
        assert name in said

    def test_what_went_to_the_bin_did_not_vanish_even_without_its_row(self, data):
        name = backups.create(ADA).name
        backups.create(ADA)
        backups.delete(ADA, name)
        with db.writing(db.db.engine) as connection:
            connection.exec_driver_sql("UPDATE aa_backup SET binned_at=NULL WHERE name=?", (name,))
        assert signs() == []

    def test_what_vanished_is_forgotten_when_its_time_would_be_over(self, data):
        for path in data.database_backup_dir.glob("*.json"):
            path.unlink()
        backups.create(ADA)
        assert len(signs()) == 1
        with time_machine.travel(NOW + timedelta(days=1), tick=False):
            backups.prune(ADA)
            assert signs() == []

    def test_a_file_whose_name_is_no_utf_8_is_told_and_hinders_nothing(self, data):
        path = os.fsencode(data.database_backup_dir) + b"/assistants_backup_\xff.json"
        Path(os.fsdecode(path)).write_text("[]")
        [said] = signs()
        assert "assistants_backup_\ufffd.json" in said
        with db.reading() as connection:
            assert [backup.kind for backup in backups.list_backups(Session(connection))] == ["manual"]


def test_before_our_first_backup_files_are_only_found(data):
    data.database_backup_dir.mkdir()
    put(data, "theirs", clock.now())
    assert signs() == []
