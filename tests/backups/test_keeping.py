"""Stored backups: proved again, found, missing, deleted to the bin, pruned, made each day."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import current_app
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA, full_disk, make_record
from webadmin import backups, db
from webadmin.accounts import SYSTEM
from webadmin.backups import Backup, InvalidBackup, Kind, LastGoodBackup, Reason, State, keeping
from webadmin.config import Config
from webadmin.errors import DomainError, NotFound

GOLDEN = Path(__file__).parents[1] / "golden" / "backups"
Fill = Callable[..., None]
MONDAY = datetime(2026, 11, 23, 2, 0, 30, tzinfo=UTC)


def history() -> list[Backup]:
    backups.sync()
    with db.reading() as connection:
        return backups.list_backups(Session(connection))


def put(data: Config, source: str, name: str = "assistants_backup_by_hand.json") -> str:
    data.database_backup_dir.mkdir(exist_ok=True)
    shutil.copy(GOLDEN / source, data.database_backup_dir / name)
    return name


def test_changed_byte_makes_a_backup_altered(data: Config, fill: Fill) -> None:
    fill(make_record(1))
    name = backups.create(ADA).name
    path = data.database_backup_dir / name
    path.write_bytes(path.read_bytes().replace(b"one line", b"two line"))
    assert history()[0].state is State.UNCHECKED
    assert backups.verify(name).state is State.ALTERED
    assert history()[0].state is State.ALTERED


def test_cut_backup_fails_verification_with_the_reason(data: Config, fill: Fill) -> None:
    fill(make_record(1))
    name = backups.create(ADA).name
    path = data.database_backup_dir / name
    path.write_bytes(path.read_bytes()[:-200])
    found = backups.verify(name)
    assert found.state is State.FAILED
    assert "cut short" in str(found.error)


def test_what_is_said_of_a_backup_while_it_is_proved_stays(
    data: Config, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, prove = backups.create(ADA).name, keeping.prove

    def pinned_meanwhile(*given: Any, **more: Any) -> Any:
        with db.transaction() as session:
            backups.pin(session, SYSTEM, name, is_pinned=True)
            backups.change_note(session, SYSTEM, name, "before the audit", shown="")
        return prove(*given, **more)

    monkeypatch.setattr(keeping, "prove", pinned_meanwhile)
    backups.verify(name)
    assert [(found.is_pinned, found.note, found.state) for found in history()] == [
        (True, "before the audit", State.VERIFIED)
    ]


def test_backup_that_is_deleted_while_it_is_proved_leaves_no_row(
    data: Config, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, name, prove = backups.create(ADA).name, backups.create(ADA).name, keeping.prove

    def deleted_meanwhile(*given: Any, **more: Any) -> Any:
        backups.delete(ADA, name)
        return prove(*given, **more)

    monkeypatch.setattr(keeping, "prove", deleted_meanwhile)
    with pytest.raises(NotFound):
        backups.verify(name)
    assert [found.name for found in history()] == [kept]
    assert backups.unbin(ADA, name).state is State.VERIFIED


def test_two_swapped_backups_are_noticed(data: Config, fill: Fill) -> None:
    first = backups.create(ADA).name
    fill(make_record(1))
    second = backups.create(ADA).name
    folder = data.database_backup_dir
    os.rename(folder / first, folder / "x")
    os.rename(folder / second, folder / first)
    os.rename(folder / "x", folder / second)
    found = {backup.name: backup for backup in history()}
    assert (found[first].record_count, found[second].record_count) == (1, 0)
    for name in (first, second):
        assert backups.verify(name).state is State.ALTERED
        assert backups.verify(name).state is State.ALTERED  # It is not taken for the right one the second time.
    assert "swapped" in str(history()[0].error)


def test_swapped_backup_is_restored_only_as_an_altered_one(data: Config, fill: Fill, tmp_path: Path) -> None:
    first = backups.create(ADA).name
    fill(make_record(1))
    second = backups.create(ADA).name
    shutil.copy(data.database_backup_dir / second, data.database_backup_dir / first)
    right = backups.stage_listed(ADA, second, tmp_path / "copy", tmp_path / "right.db")
    other = backups.stage_listed(ADA, first, tmp_path / "other", tmp_path / "other.db")
    assert right.alteration is None
    assert "swapped" in str(other.alteration)
    # The list says so from then on, although nobody asked for a proof.
    assert {backup.name: backup.state for backup in history()} == {second: State.VERIFIED, first: State.ALTERED}


def test_flipped_bit_is_called_a_wrong_checksum_and_not_a_swap(data: Config, fill: Fill, tmp_path: Path) -> None:
    fill(make_record("ast_1"))
    name = backups.create(ADA).name
    path = data.database_backup_dir / name
    path.write_bytes(path.read_bytes().replace(b"ast_1", b"ast_3", 1))
    staged = backups.stage_listed(ADA, name, tmp_path / "copy", tmp_path / "scratch.db")
    proved = backups.verify(name)
    with pytest.raises(backups.InvalidBackup) as refused:
        backups.find_in_backup(name, "ast_1")
    said = {str(staged.alteration), str(proved.error), str(refused.value)}
    assert said == {"This file was changed after it was made: its checksum is wrong."}
    assert proved.state is State.ALTERED
    assert backups.verify(name).state is State.ALTERED


def test_damaged_backup_that_a_restore_refuses_is_noted(data: Config, tmp_path: Path) -> None:
    name = backups.create(ADA).name
    path = data.database_backup_dir / name
    state = path.stat()
    path.write_bytes(b"?" + path.read_bytes()[1:])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert history()[0].state is State.VERIFIED
    with pytest.raises(backups.InvalidBackup):
        backups.stage_listed(ADA, name, tmp_path / "copy", tmp_path / "scratch.db")
    assert history()[0].state is State.FAILED


def test_file_of_others_may_be_put_anew(data: Config) -> None:
    name = put(data, "format_1.json")
    assert backups.verify(name).state is State.VERIFIED
    put(data, "format_1_empty.json", name)
    assert backups.verify(name).state is State.VERIFIED


def test_the_verified_backup_proved_longest_ago_is_proved_next(data: Config) -> None:
    names = []
    for day in (1, 2, 3):
        with time_machine.travel(datetime(2026, 11, day, 9, 0, tzinfo=UTC)):
            names.append(backups.create(ADA).name)
    with time_machine.travel(datetime(2026, 11, 12, 9, 0, tzinfo=UTC)):
        limit = datetime(2026, 11, 5, tzinfo=UTC)
        proved = [backups.verify_next(limit) for _ in range(4)]
    assert [each and each.name for each in proved] == [*names, None]


def test_earlier_systems_file_is_unchecked_with_a_right_count(data: Config) -> None:
    name = put(data, "layout_a.json", "assistants_backup_manual_2025-11-03_03-09-44-549Z.json")
    (found,) = history()
    assert (found.kind, found.state, found.record_count) == (Kind.FOUND, State.UNCHECKED, 3)
    checked = backups.verify(name)
    assert (checked.state, checked.record_count, checked.id) == (State.UNCHECKED, 3, 1)
    assert found.made_at == datetime(2024, 6, 1, 2, tzinfo=UTC)


def test_gzip_put_there_by_hand_is_checked_too(data: Config) -> None:
    checked = backups.verify(put(data, "layout_a.json.gz"))
    assert (checked.state, checked.record_count) == (State.UNCHECKED, 3)
    assert not list(data.database_path.parent.glob(".incoming/*"))


def test_file_without_time_comes_last_and_is_kept(data: Config) -> None:
    put(data, "array.json")
    backups.create(ADA)
    assert [backup.made_at is None for backup in history()] == [False, True]
    assert backups.prune(ADA).plan.dropped == []


def test_row_of_the_earlier_system_without_its_file_is_missing(data: Config) -> None:
    with db.writing(db.db.engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO backups (filename, created_at, record_count, file_size, is_auto)"
            " VALUES ('assistants_backup_old.json', '2025-11-03T03:09:44.552Z', 2, 732, 0)"
        )
    (found,) = history()
    assert (found.state, found.has_file, found.record_count, found.id) == (State.MISSING, False, 2, 1)


def test_history_comes_back_from_the_folder_when_the_database_is_lost(data: Config, fill: Fill) -> None:
    fill(make_record(1))
    backups.create(ADA, reason="scheduled")
    put(data, "layout_b.json")
    before = {backup.name: (backup.kind, backup.is_ours, backup.made_at) for backup in history()}
    with db.writing(db.db.engine) as connection:
        connection.exec_driver_sql("DELETE FROM aa_backup")
        connection.exec_driver_sql("DELETE FROM backups")
    assert {backup.name: (backup.kind, backup.is_ours, backup.made_at) for backup in history()} == before


def test_file_of_ours_that_was_copied_here_much_later_is_not_touched_by_retention(data: Config) -> None:
    put(data, "format_1.json")
    (found,) = history()
    assert (found.kind, found.is_ours) == (Kind.SCHEDULED, False)
    (decision,) = backups.prune(ADA).plan.decisions
    assert decision.reason is Reason.FOREIGN


def test_list_needs_no_writable_database(data: Config) -> None:
    put(data, "layout_a.json")
    other = sqlite3.connect(data.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert [backup.name for backup in history()] == ["assistants_backup_by_hand.json"]
    other.close()


def test_deleted_backup_goes_through_the_bin_and_back(data: Config) -> None:
    first, second = backups.create(ADA), backups.create(ADA, note="keep")
    backups.delete(ADA, second.name)
    assert [backup.name for backup in history()] == [first.name]
    assert [entry.name for entry in backups.list_bin()] == [second.name]
    back = backups.unbin(ADA, second.name)
    assert (back.state, back.note) == (State.VERIFIED, "keep")
    assert len(history()) == 2
    assert backups.list_bin() == []


def test_backup_that_was_changed_in_the_bin_does_not_come_back_as_verified(data: Config) -> None:
    name, _other = backups.create(ADA).name, backups.create(ADA)
    backups.delete(ADA, name)
    binned = data.database_backup_dir / ".bin" / name
    binned.write_bytes(binned.read_bytes().replace(b'"draft":0', b'"draft":1'))
    back = backups.unbin(ADA, name)
    assert (back.state, back.verified_at) == (State.UNCHECKED, None)
    assert backups.verify(name).state is State.ALTERED


def test_backup_that_was_changed_by_hand_is_read_again_by_itself(data: Config) -> None:
    name = backups.create(ADA).name
    path = data.database_backup_dir / name
    path.write_bytes(path.read_bytes().replace(b'"draft":0', b'"draft":1'))
    os.utime(path, (1, 1))
    found = backups.verify_new()
    assert found is not None
    assert (found.name, found.state) == (name, State.ALTERED)
    assert backups.verify_new() is None


def test_only_verified_backup_cannot_be_deleted(data: Config) -> None:
    name = backups.create(ADA).name
    with pytest.raises(LastGoodBackup):
        backups.delete(ADA, name)
    assert [backup.name for backup in history()] == [name]


@pytest.mark.parametrize("name", ["../assistants.db", "assistants_backup_none.json", ".lock"])
def test_what_is_not_there_is_not_found(data: Config, name: str) -> None:
    for act in (backups.verify, backups.open_backup):
        with pytest.raises(NotFound):
            act(name)
    with pytest.raises(NotFound):
        backups.delete(ADA, name)


def test_prune_moves_to_the_bin_and_later_deletes(data: Config) -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for day in range(12):
        with time_machine.travel(start + timedelta(days=day), tick=False):
            backups.create(ADA)
    with time_machine.travel(start + timedelta(days=100), tick=False):
        shown = backups.prune(ADA, dry_run=True)
        assert len(shown.plan.dropped) == 5
        assert len(history()) == 12
        assert backups.prune(ADA).plan == shown.plan
        assert len(history()) == 7
        assert len(backups.list_bin()) == 5
    with time_machine.travel(start + timedelta(days=108), tick=False):
        assert len(backups.prune(ADA).emptied) == 5
        assert backups.list_bin() == []


def test_pinned_backup_survives_retention(data: Config) -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for day in range(9):
        with time_machine.travel(start + timedelta(days=day), tick=False):
            name = backups.create(ADA).name
            if day == 0:
                pinned = name
    with db.transaction() as session:
        backups.pin(session, SYSTEM, pinned, is_pinned=True)
    with time_machine.travel(start + timedelta(days=100), tick=False):
        backups.prune(ADA)
    assert pinned in [backup.name for backup in history()]


def test_kept_upload_has_a_name_of_the_pattern_and_shows_its_own(data: Config, tmp_path: Path) -> None:
    path = tmp_path / "u.json"
    with (GOLDEN / "layout_a.json.gz").open("rb") as stream:
        backups.receive(stream, path)
    kept = backups.keep_upload(ADA, path, "mine.json.gz")
    assert (kept.kind, kept.is_ours, kept.upload_name, kept.record_count) == (Kind.UPLOADED, False, "mine.json.gz", 3)
    assert (data.database_backup_dir / kept.name).read_bytes() == (GOLDEN / "layout_a.json").read_bytes()
    assert [backup.name for backup in history()] == [kept.name]
    (tmp_path / "bad").write_bytes(b"bad")
    with pytest.raises(InvalidBackup):
        backups.keep_upload(ADA, tmp_path / "bad", "bad")


def test_daily_backup_is_made_once(data: Config, fill: Fill) -> None:
    with time_machine.travel(MONDAY, tick=False):
        assert backups.run_scheduled(MONDAY - timedelta(minutes=1)) is None
        made = backups.run_scheduled(MONDAY)
        assert made is not None
        assert (made.kind, made.local_day, made.is_late, made.actor) == (
            Kind.SCHEDULED, "2026-11-23", False, "scheduler",
        )  # fmt: skip
        assert backups.run_scheduled(MONDAY + timedelta(hours=1)) is None
    with time_machine.travel(MONDAY + timedelta(days=1), tick=False):
        assert backups.run_scheduled(MONDAY + timedelta(days=1)) is not None
    assert len(history()) == 2


def test_many_that_look_at_once_make_one_daily_backup(data: Config, fill: Fill) -> None:
    fill(*(make_record(number) for number in range(200)))
    app = current_app._get_current_object()

    def look(_: int) -> Backup | None:
        with app.app_context():
            return backups.run_scheduled(MONDAY)

    with ThreadPoolExecutor(4) as pool:
        made = [backup for backup in pool.map(look, range(8)) if backup]
    assert len(made) == 1
    assert len(history()) == 1


def test_daily_backup_is_made_again_when_its_file_was_altered_or_removed(data: Config) -> None:
    with time_machine.travel(MONDAY, tick=False):
        made = backups.run_scheduled(MONDAY)
        assert made is not None
        path = data.database_backup_dir / made.name
        path.write_bytes(path.read_bytes().replace(b'"draft":0', b'"draft":1'))
        again = backups.run_scheduled(MONDAY)
        assert again is not None
        (data.database_backup_dir / again.name).unlink()
        assert backups.run_scheduled(MONDAY) is not None


def test_daily_backup_is_made_again_when_its_proof_failed_though_its_time_stayed(data: Config) -> None:
    with time_machine.travel(MONDAY, tick=False):
        made = backups.run_scheduled(MONDAY)
        assert made is not None
        assert backups.run_scheduled(MONDAY) is None
        path = data.database_backup_dir / made.name
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        path.write_bytes(path.read_bytes().replace(b'"draft":0', b'"draft":1'))
        os.utime(path, ns=times)
        assert backups.verify(made.name).state is State.ALTERED
        assert backups.run_scheduled(MONDAY) is not None
        assert backups.run_scheduled(MONDAY) is None


def test_missed_run_is_made_up_and_marked_late(data: Config, fill: Fill) -> None:
    with time_machine.travel(MONDAY - timedelta(days=1), tick=False):
        fill(make_record(1))
    late = MONDAY + timedelta(hours=5)
    with time_machine.travel(late, tick=False):
        with db.reading() as connection:
            assert backups.status(Session(connection), late).missed_at == MONDAY.replace(second=0)
        made = backups.run_scheduled(late)
        assert made is not None
        assert made.is_late
        with db.reading() as connection:
            assert backups.status(Session(connection), late).missed_at is None


def test_a_first_start_after_the_time_owes_the_days_backup_and_is_not_late(data: Config, fill: Fill) -> None:
    start = MONDAY + timedelta(hours=15)
    with time_machine.travel(start, tick=False):
        backups.leave_sign()
        fill(make_record(1))
        with db.reading() as connection:
            assert backups.status(Session(connection), start).missed_at is None
        made = backups.run_scheduled(start + timedelta(minutes=1))
    assert made is not None
    assert not made.is_late
    with time_machine.travel(start + timedelta(days=1), tick=False):
        backups.leave_sign()
        made = backups.run_scheduled(start + timedelta(days=1))
    assert made is not None
    assert made.is_late


def test_failed_daily_run_shows_until_one_succeeds(data: Config, fill: Fill) -> None:
    with time_machine.travel(MONDAY - timedelta(days=1), tick=False):
        fill(*(make_record(number, prompt="x" * 5000) for number in range(200)))
    with time_machine.travel(MONDAY, tick=False):
        with pytest.raises(DomainError), full_disk(500_000):
            backups.run_scheduled(MONDAY)
        with db.reading() as connection:
            assert backups.status(Session(connection), MONDAY).has_last_run_failed
        backups.sync()
        assert [backup.state for backup in history()] == [State.FAILED]
    with time_machine.travel(MONDAY + timedelta(minutes=5), tick=False):
        assert backups.run_scheduled(MONDAY + timedelta(minutes=5)) is not None
        with db.reading() as connection:
            status = backups.status(Session(connection), MONDAY)
        assert not status.has_last_run_failed
        assert status.is_newest_verified
