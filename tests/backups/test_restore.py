"""Plan and apply: what was shown is what is done, whole or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.backups.conftest import ADA, document, exported, full_disk, lines, make_record, stored
from webadmin import backups, catalogue, clock, db, operations
from webadmin.backups import Counts, InvalidBackup, Mode, PlanChanged, RestoreRun, Silent, Staged
from webadmin.catalogue import encode
from webadmin.config import Config
from webadmin.errors import Invalid, Unavailable
from webadmin.jobs import Cancelled

Fill = Callable[..., None]
Stage = Callable[[Any], Staged]


def import_(staged: Staged, mode: Mode = Mode.MERGE, **options: Any) -> operations.ImportResult:
    return operations.apply_import(ADA, staged, mode=mode, source_name="file.json", **options)


@pytest.fixture
def three(fill: Fill) -> None:
    fill(make_record(1, version=5), make_record(2), make_record(3))


@pytest.fixture
def newer(three: None, stage: Stage) -> Staged:
    """A file that changes record 1, holds 2 as it is, creates 4, and does not hold 3."""
    return stage(document(make_record(1, title="new", version=2), make_record(2, version=9), make_record(4, version=7)))


def test_merge_creates_and_updates_and_leaves_the_rest(newer: Staged) -> None:
    result = import_(newer)
    assert result.counts == Counts(created=1, updated=1, unchanged=1, only_here=1)
    found = stored()
    assert {key: (record.title, record.version) for key, record in found.items()} == {
        "ast_00001": ("new", 6), "ast_00002": ("助手 2", 1), "ast_00003": ("助手 3", 1), "ast_00004": ("助手 4", 7),
    }  # fmt: skip


def test_skip_creates_only(newer: Staged) -> None:
    result = import_(newer, Mode.SKIP)
    assert result.counts == Counts(created=1, skipped=2, only_here=1)
    assert stored()["ast_00001"].title == "助手 1"


def test_replace_moves_the_rest_to_the_trash(newer: Staged) -> None:
    result = import_(newer, Mode.REPLACE)
    assert result.counts == Counts(created=1, updated=1, unchanged=1, deleted=1)
    assert sorted(stored()) == ["ast_00001", "ast_00002", "ast_00004"]
    assert [entry.assistant_id for entry in catalogue.list_trash(db.db.session())] == ["ast_00003"]


def test_records_whose_entry_in_the_file_is_bad_stay_as_they_are(three: None, stage: Stage) -> None:
    twice = b'{"id":"ast_00002","title":"a","title":"b","prompt":"p"}'
    staged = stage(b'[{"id":"ast_00001","title":"no prompt"},' + twice + b"," + encode(make_record(4)) + b"]")
    before = stored()
    for mode in Mode:
        foreseen, plan = backups.make_plan(staged, Mode.MERGE).in_mode(mode), backups.make_plan(staged, mode)
        assert (foreseen.counts, foreseen.fingerprint) == (plan.counts, plan.fingerprint)
    result = import_(staged, Mode.REPLACE, skip_bad=True)
    assert result.counts == Counts(created=1, deleted=1, skipped=2)
    assert stored() == {id: before[id] for id in ("ast_00001", "ast_00002")} | {"ast_00004": make_record(4)}


def test_bad_entries_beyond_those_that_are_told_keep_their_records_too(fill: Fill, stage: Stage) -> None:
    fill(*(make_record(number) for number in range(1200)))
    staged = stage([{"id": f"ast_{number:05}"} for number in range(1200)])
    assert backups.make_plan(staged, Mode.REPLACE).counts == Counts(skipped=1200)


def test_safety_backup_holds_what_was_there_before(newer: Staged, data: Config, stage: Stage) -> None:
    before = stored()
    name = import_(newer, Mode.REPLACE).safety_backup
    assert name is not None
    undo = stage((data.database_backup_dir / name).read_bytes())
    import_(undo, Mode.REPLACE)
    assert {key: msgspec.structs.replace(record, version=1) for key, record in stored().items()} == {
        key: msgspec.structs.replace(record, version=1) for key, record in before.items()
    }


def test_second_import_writes_nothing_and_makes_no_safety_backup(newer: Staged, data: Config) -> None:
    import_(newer)
    files = list(data.database_backup_dir.iterdir())
    result = import_(newer)
    assert (result.counts.changes, result.safety_backup) == (0, None)
    assert list(data.database_backup_dir.iterdir()) == files


def test_applied_import_leaves_its_row(newer: Staged) -> None:
    result = import_(newer, job_id="job1")
    with db.reading() as connection:
        row = connection.execute(select(RestoreRun.job_id, RestoreRun.mode, RestoreRun.counts)).one()
        safety = connection.execute(select(RestoreRun.safety_backup)).scalar_one()
    assert row[:2] == ("job1", "merge")
    assert json.loads(row[2])["created"] == 1
    assert safety == result.safety_backup


def test_edit_after_the_preview_refuses_and_changes_nothing(newer: Staged, fill: Fill) -> None:
    plan = backups.make_plan(newer, Mode.MERGE)
    fill(make_record(3, desc="edited meanwhile"))
    before = lines()[1:]
    with pytest.raises(PlanChanged):
        import_(newer, fingerprint=plan.fingerprint)
    assert lines()[1:] == before
    assert import_(newer, fingerprint=backups.make_plan(newer, Mode.MERGE).fingerprint).counts.changes == 2


def test_edit_between_plan_and_write_rolls_back(newer: Staged, fill: Fill) -> None:
    plan = backups.make_plan(newer, Mode.REPLACE)
    fill(make_record(3, desc="edited meanwhile"))
    before = lines()[1:]
    with pytest.raises(PlanChanged), db.transaction() as session:
        backups.apply_plan(session, ADA, newer, plan, source_name="x", safety_backup=None)
    assert lines()[1:] == before


def test_cancel_in_the_middle_changes_nothing(fill: Fill, stage: Stage) -> None:
    class Stop:
        def __init__(self) -> None:
            self.phase = ""
            self.done = 0

        def update(self, phase: str, done: int = 0, total: int | None = None) -> None:
            self.phase, self.done = phase, done

        def check_cancelled(self) -> None:
            if self.phase == "importing" and self.done >= 1000:
                raise Cancelled

    fill(make_record(1))
    before = lines()[1:]
    staged = stage(document(*(make_record(number, title="new") for number in range(2000))))
    with pytest.raises(Cancelled):
        import_(staged, progress=Stop())
    assert lines()[1:] == before
    fill(make_record(1, title="the lock is free"))


def test_progress_of_a_comparison_counts_both_sides(fill: Fill, stage: Stage) -> None:
    told = []

    class Listening(Silent):
        def update(self, phase: str, done: int = 0, total: int | None = None) -> None:
            told.append((done, total))

    fill(*(make_record(number) for number in range(1001)))
    backups.make_plan(stage(document(make_record(5000))), Mode.MERGE, progress=Listening())
    assert told[-1] == (1001, 1002)


def test_bad_record_refuses_all_unless_skipped(three: None, stage: Stage) -> None:
    staged = stage([json.loads(encode(make_record(4))), {"id": "bad"}])
    before = lines()[1:]
    with pytest.raises(Invalid) as caught:
        import_(staged)
    assert {problem.id for problem in caught.value.problems} == {"bad"}
    assert lines()[1:] == before
    result = import_(staged, skip_bad=True)
    assert result.counts.created == 1
    assert {problem.id for problem in result.errors} == {"bad"}


def test_empty_file_replaces_only_when_confirmed(three: None, stage: Stage) -> None:
    staged = stage([])
    with pytest.raises(Invalid):
        import_(staged, Mode.REPLACE)
    assert len(stored()) == 3
    assert import_(staged, Mode.REPLACE, confirm_delete_all=True).counts.deleted == 3


def test_altered_file_is_taken_only_when_accepted(three: None, data: Config, stage: Stage) -> None:
    raw = (data.database_backup_dir / backups.create(ADA).name).read_bytes()
    altered = stage(raw.replace(b"one line", b"two line"))
    assert altered.alteration is not None
    with pytest.raises(InvalidBackup):
        import_(altered)
    assert import_(altered, accept_altered=True).counts.updated == 3


def test_failed_safety_backup_stops_the_import(fill: Fill, stage: Stage) -> None:
    fill(*(make_record(number, prompt="x" * 5000) for number in range(200)))
    staged = stage(document(make_record(1, title="new")))
    before = stored()
    with pytest.raises(operations.SafetyBackupFailed), full_disk(500_000):
        import_(staged)
    assert stored() == before


def test_bulk_delete_takes_a_safety_backup_first(three: None) -> None:
    chosen = catalogue.Chosen(("ast_00001", "ast_00002"))
    result = operations.change_assistants(ADA, chosen, catalogue.to_trash, before="before a deletion")
    assert result.counts == {catalogue.DONE: 2}
    (backup,) = backups.list_backups(db.db.session())
    assert (backup.kind, backup.record_count) == (backups.Kind.SAFETY, 3)
    assert list(stored()) == ["ast_00003"]


def test_round_trip_into_an_empty_catalogue_is_exact(data: Config, fill: Fill, stage: Stage) -> None:
    odd = make_record(1, emoji="👨‍💼\r\n", category=["a"], usage_count=0, rating=0.1, version=3)
    odd.extra["mine"] = b'{"k":[1.50,1e400]}'
    fill(odd, make_record(2, tags="no list", desc="\x7f\u2028\t"), make_record(3, id="~ä/?#"))
    raw = exported()
    staged = stage(raw)
    with db.transaction() as session:
        for key in stored():
            catalogue.remove(session, ADA, key)
    import_(staged)
    assert exported().splitlines()[1:-1] == raw.splitlines()[1:-1]


LEGAL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)
CATALOGUE = st.dictionaries(st.integers(1, 6), LEGAL, max_size=6)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CATALOGUE, CATALOGUE, st.sampled_from(Mode))
def test_counts_shown_are_counts_applied_are_the_difference_of_the_exports(
    data: Config, stage: Stage, here: dict[int, str], there: dict[int, str], mode: Mode
) -> None:
    with db.transaction() as session:
        for key in stored():
            catalogue.remove(session, ADA, key)
        changes = [catalogue.Change(None, make_record(n, title=title)) for n, title in here.items()]
        catalogue.write_records(session.connection(), ADA, changes, source="edit")
    staged = stage(document(*(make_record(n, title=title) for n, title in there.items())))
    before = stored()
    plan = backups.make_plan(staged, mode)
    result = import_(staged, mode, confirm_delete_all=True)
    after = stored()
    assert result.counts == plan.counts
    assert plan.counts.created == len(after.keys() - before.keys())
    assert plan.counts.deleted == len(before.keys() - after.keys())
    assert plan.counts.updated == sum(before[key] != after[key] for key in before.keys() & after.keys())
    assert clock.now_text()


def test_a_bare_array_without_times_is_unchanged_the_second_time(data: Config, tmp_path: Path) -> None:
    path = tmp_path / "storage.json"
    path.write_text('[{"id":"a","title":"t","prompt":"p"}]')
    counts = [import_(backups.stage_file(ADA, path, tmp_path / f"{n}.db")).counts for n in range(2)]
    assert [(done.created, done.unchanged) for done in counts] == [(1, 0), (0, 1)]


def test_an_import_that_nobody_was_shown_takes_what_is_true_when_it_writes(
    data: Config, fill: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(make_record(1), make_record(2))
    path = tmp_path / "file.json"
    path.write_text('[{"id":"new","title":"t","prompt":"p"}]')
    staged = backups.stage_file(ADA, path, tmp_path / "scratch.db")
    make_backup = operations._safety_backup

    def somebody_saves_meanwhile(*given: Any) -> str:
        with db.transaction() as session:
            known = str(make_record(1).id)
            version = catalogue.get(session, known).version or 0
            catalogue.update(session, ADA, known, {"title": f"edited after {version}"}, version=version)
        return make_backup(*given)

    monkeypatch.setattr(operations, "_safety_backup", somebody_saves_meanwhile)
    done = import_(staged)
    assert (done.counts.created, done.counts.only_here) == (1, 2)


@pytest.fixture
def broken_off(fill: Fill) -> list[pytest.ExceptionInfo[Exception]]:
    """Each connection of this process was in the middle of a backup when the disk was full, and the error is kept.

    As until the next collection of cycles, in which an error and its traceback are.
    """
    fill(*(make_record(number, prompt="x" * 5000) for number in range(200)))

    def break_off() -> pytest.ExceptionInfo[Exception]:
        with pytest.raises((OSError, Unavailable)) as met, full_disk(500_000):
            backups.create(ADA)
        return met

    met = [break_off() for _ in range(db.db.engine.pool.checkedin())]  # type: ignore[attr-defined]
    assert met
    return met


@pytest.fixture
def edited_elsewhere(broken_off: list[Any], data: Config) -> None:
    """Another program wrote after that."""
    with closing(sqlite3.connect(data.database_path)) as connection, connection:
        connection.execute("UPDATE assistants SET title = 'elsewhere' WHERE id = 'ast_00002'")


def test_reading_that_broke_off_hides_nothing_from_a_later_import(edited_elsewhere: None, stage: Stage) -> None:
    staged = stage(document(make_record(2, prompt="x" * 5000)))
    assert backups.make_plan(staged, Mode.MERGE).counts == Counts(updated=1, only_here=199)
    assert import_(staged).counts == Counts(updated=1, only_here=199)


def test_reading_that_broke_off_keeps_no_later_writer_away(edited_elsewhere: None) -> None:
    with db.transaction() as session:
        assert catalogue.get(session, "ast_00002").title == "elsewhere"


def test_reading_that_broke_off_ends_with_the_engine(data: Config, edited_elsewhere: None) -> None:
    db.db.engine.dispose()
    with closing(sqlite3.connect(data.database_path)) as connection:
        # The first column says whether somebody still reads an older state.
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
