"""Decisions about single records: what the list shows with them is what is done with them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.backups.conftest import ADA, document, lines, make_record, stored
from webadmin import backups, catalogue, db, operations
from webadmin.backups import Action, Choices, Mode, PlanChanged, PlannedChange, RestoreRun, Staged, open_choices
from webadmin.config import Config

Stage = Callable[[Any], Staged]
WORDS = st.sampled_from(["a", "b", "c", "ä", "助"])
DECISIONS = st.lists(st.sampled_from([True, False, None]), max_size=12)
SIDE = st.dictionaries(st.integers(1, 8), st.tuples(WORDS, st.integers(1, 3)), max_size=8)


def fill(records: dict[int, tuple[str, int]]) -> None:
    with db.transaction() as session:
        for key in stored():
            catalogue.remove(session, ADA, key)
        changes = [catalogue.Change(None, make_record(n, title=t, version=v)) for n, (t, v) in records.items()]
        catalogue.write_records(session.connection(), ADA, changes, source="edit")


def decide(choices: Choices, decisions: list[bool | None], mode: Mode) -> None:
    numbers = [listed.number for listed in choices.all(mode)]
    choices.decide({n: keep for n, keep in zip(numbers, decisions, strict=False) if keep is not None}, mode)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIDE, SIDE, st.sampled_from(Mode), DECISIONS, st.integers(0, 1))
def test_counts_shown_with_choices_are_counts_applied_are_the_difference_of_the_exports(
    data: Config,
    stage: Stage,
    tmp_path: Path,
    here: dict[int, tuple[str, int]],
    there: dict[int, tuple[str, int]],
    mode: Mode,
    decisions: list[bool | None],
    edits: int,
) -> None:
    fill(here)
    staged = stage(document(*(make_record(n, title=t, version=v) for n, (t, v) in there.items())))
    path = tmp_path / "choices"
    path.unlink(missing_ok=True)
    with open_choices(path, is_new=True) as choices:
        with choices.filling() as tell:
            base = backups.make_plan(staged, Mode.MERGE, tell=tell)
        decide(choices, decisions, mode)
        shown = base.in_mode(mode, choices.kept(mode), choices.edition)
        again = backups.make_plan(staged, mode, decisions=choices)
        assert (shown.counts, shown.fingerprint) == (again.counts, again.fingerprint)
        options: dict[str, Any] = {"mode": mode, "source_name": "x", "decisions": choices, "confirm_delete_all": True}
        before = stored()
        if edits:
            with db.transaction() as session:
                fields = {"title": "edit", "desc": "", "emoji": "x", "prompt": "p"}
                catalogue.create(session, ADA, fields, assistant_id="ast_99999")
            held = lines()[1:]
            with pytest.raises(PlanChanged):
                operations.apply_import(ADA, staged, fingerprint=shown.fingerprint, **options)
            assert lines()[1:] == held
            return
        result = operations.apply_import(ADA, staged, fingerprint=shown.fingerprint, **options)
        kept = {listed.change.id for listed in choices.all(mode) if listed.is_kept}
    after = stored()
    assert result.counts == shown.counts
    assert shown.counts.created == len(after.keys() - before.keys())
    assert shown.counts.deleted == len(before.keys() - after.keys())
    assert shown.counts.updated == sum(before[key] != after[key] for key in before.keys() & after.keys())
    assert all(before.get(key) == after.get(key) for key in kept)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIDE, SIDE, st.sampled_from(Mode))
def test_an_import_undone_at_once_leaves_an_equal_catalogue(
    data: Config,
    stage: Stage,
    tmp_path: Path,
    here: dict[int, tuple[str, int]],
    there: dict[int, tuple[str, int]],
    mode: Mode,
) -> None:
    fill(here)
    before = stored()
    staged = stage(document(*(make_record(n, title=t, version=v) for n, (t, v) in there.items())))
    done = operations.apply_import(ADA, staged, mode=mode, source_name="x", confirm_delete_all=True)
    if done.safety_backup is None:
        return
    imported = stored()
    path = tmp_path / "choices"
    path.unlink(missing_ok=True)
    safety = stage((data.database_backup_dir / done.safety_backup).read_bytes())
    with open_choices(path, is_new=True) as choices:
        with db.reading() as connection:
            run = connection.execute(select(RestoreRun).order_by(RestoreRun.id.desc()).limit(1)).one()
            choices.limit_to(catalogue.iter_written(connection, run.first_revision, run.last_revision))
        with choices.filling() as tell:
            plan = backups.make_plan(safety, Mode.MERGE, decisions=choices.scope, tell=tell)
        assert plan.in_mode(Mode.REPLACE).counts.changes == done.counts.changes
        assert choices.count_newer() == 0
        operations.apply_import(
            ADA, safety, mode=Mode.REPLACE, source_name="undo", decisions=choices, confirm_delete_all=True
        )
    after = stored()
    assert after.keys() == before.keys()
    assert all(catalogue.equal(after[key], before[key]) for key in before)
    changed = [key for key in before.keys() & imported.keys() if not catalogue.equal(before[key], imported[key])]
    assert all((after[key].version or 0) > (imported[key].version or 0) for key in changed)


def test_a_decision_after_the_preview_refuses(data: Config, stage: Stage, tmp_path: Path) -> None:
    fill({1: ("a", 1)})
    staged = stage(document(make_record(1, title="b")))
    with open_choices(tmp_path / "choices", is_new=True) as choices:
        with choices.filling() as tell:
            base = backups.make_plan(staged, Mode.MERGE, tell=tell)
        shown = base.in_mode(Mode.MERGE, choices.kept(Mode.MERGE), choices.edition)
        choices.decide_all(Action.UPDATE, keep=True)
        with pytest.raises(PlanChanged):
            operations.apply_import(
                ADA, staged, mode=Mode.MERGE, source_name="x", decisions=choices, fingerprint=shown.fingerprint
            )
    assert stored()["ast_00001"].title == "a"


def test_memory_does_not_grow_with_the_number_of_changes(tmp_path: Path) -> None:
    with open_choices(tmp_path / "choices", is_new=True) as choices:
        tracemalloc.start()
        for round_ in range(2):
            with choices.filling() as tell:
                for number in range(20_000):
                    mark = b"%d %d" % (number, round_)
                    tell(PlannedChange(Action.UPDATE, f"ast_{number:05}", "title " * 10, mark=mark))
        choices.decide_all(Action.UPDATE, keep=True)
        assert choices.kept(Mode.MERGE).updated == 20_000
        assert choices.count_since() == 20_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4_000_000
