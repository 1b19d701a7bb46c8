"""The backup folder: nothing overwritten, nothing torn, no path or link followed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from webadmin.backups import folder as folder_of
from webadmin.backups.folder import Busy
from webadmin.errors import Conflict, NotFound

NOON = datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)
NAME = "assistants_backup_20240601_120000.json"


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    path = tmp_path / "backups"
    folder_of.prepare(path)
    return path


def put(backups: Path, content: bytes = b"x") -> str:
    with folder_of.temporary(backups) as (file, path):
        file.write(content)
        return folder_of.publish(backups, file, path, NOON)


def test_taken_name_moves_on_to_the_next_free_second(backups: Path) -> None:
    assert [put(backups, b"1"), put(backups, b"2")] == [NAME, "assistants_backup_20240601_120001.json"]
    assert (backups / NAME).read_bytes() == b"1"


def test_name_in_the_bin_is_taken_too(backups: Path) -> None:
    folder_of.move_to_bin(backups, put(backups))
    assert put(backups) == "assistants_backup_20240601_120001.json"


def test_files_and_folders_are_private(backups: Path) -> None:
    put(backups)
    folder_of.move_to_bin(backups, NAME)
    assert stat.S_IMODE(backups.stat().st_mode) == 0o700
    assert stat.S_IMODE((backups / ".bin").stat().st_mode) == 0o700
    assert stat.S_IMODE((backups / ".bin" / NAME).stat().st_mode) == 0o600


def test_publish_works_without_hard_links(backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert [put(backups, b"1"), put(backups, b"2")] == [NAME, "assistants_backup_20240601_120001.json"]
    assert (backups / NAME).read_bytes() == b"1"


def test_unfinished_file_leaves_nothing_under_a_final_name(backups: Path) -> None:
    def fail() -> None:
        with folder_of.temporary(backups) as (file, _):
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(backups.iterdir()) == []


def test_leftovers_of_killed_writers_are_removed(backups: Path) -> None:
    (backups / ".tmp-1-abc").write_bytes(b"half")
    assert folder_of.clean_temporary(backups) == 1
    assert list(backups.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["../assistants_backup_x.json", "assistants_backup_/../../x.json", "", ".lock", "assistants.db", "a\0.json",
     "assistants_backup_.json"],
)  # fmt: skip
def test_names_that_are_no_backup_names_are_not_opened(backups: Path, name: str) -> None:
    with pytest.raises(NotFound):
        folder_of.open_backup(backups, name)
    with pytest.raises(NotFound):
        folder_of.move_to_bin(backups, name)
    with pytest.raises(NotFound):
        folder_of.unbin(backups, name)


def test_links_and_folders_are_neither_listed_nor_opened(backups: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (backups / "assistants_backup_link.json").symlink_to(tmp_path / "secret")
    (backups / "assistants_backup_folder.json").mkdir()
    (backups / "notes.txt").write_text("n")
    put(backups)
    assert [entry.name for entry in folder_of.entries(backups)] == [NAME]
    with pytest.raises(NotFound):
        folder_of.open_backup(backups, "assistants_backup_link.json")


@pytest.mark.usefixtures("settings")
def test_second_user_of_the_folder_is_told_who_does_what(backups: Path) -> None:
    with folder_of.hold(backups, who="ada", what="import"):
        with pytest.raises(Busy) as caught, folder_of.hold(backups, who="ed", what="backup"):
            pass
        assert (caught.value.holder.who, caught.value.holder.what) == ("ada", "import")
        assert "ada" in str(caught.value)
        assert folder_of.holder(backups) == caught.value.holder
    assert folder_of.holder(backups) is None


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("note", ["", "{", '{"who": "ada"}'])
def test_second_user_is_refused_in_plain_words_while_the_first_has_not_said_who_it_is(backups: Path, note: str) -> None:
    with folder_of.hold(backups, who="ada", what="import"):
        (backups / folder_of.LOCK).write_text(note, encoding="utf-8")
        with pytest.raises(Busy) as caught, folder_of.hold(backups, who="ed", what="backup"):
            pass
        assert str(caught.value) == "Something else is at work on the backups just now."
        assert caught.value.hint is not None


def test_lock_of_a_killed_process_is_free(backups: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from webadmin.backups import folder\n"
        "with folder.hold(Path(sys.argv[1]), who='x', what='y'): print('held', flush=True); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(backups)], capture_output=True, check=False)
    assert done.stdout == b"held\n"
    with folder_of.hold(backups, who="ada", what="backup"):
        pass


def test_bin_gives_back_and_never_overwrites(backups: Path) -> None:
    put(backups, b"old")
    assert folder_of.move_to_bin(backups, NAME)[0] == NAME
    (backups / NAME).write_bytes(b"new")
    with pytest.raises(Conflict):
        folder_of.unbin(backups, NAME)
    assert folder_of.move_to_bin(backups, NAME)[0] == NAME.replace(".json", ".2.json")
    folder_of.unbin(backups, NAME)
    assert (backups / NAME).read_bytes() == b"old"


def test_bin_is_emptied_of_what_came_in_before(backups: Path) -> None:
    put(backups)
    folder_of.move_to_bin(backups, NAME)
    ((entry, since),) = folder_of.bin_entries(backups)
    assert folder_of.empty_bin(backups, before=since - timedelta(seconds=1)) == []
    assert folder_of.empty_bin(backups, before=since + timedelta(seconds=1)) == [entry.name]
    assert folder_of.bin_entries(backups) == []


def test_file_in_place_of_the_folder_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "backups"
    path.write_text("no folder")
    with pytest.raises(folder_of.FolderReadOnly):
        folder_of.entries(path)
