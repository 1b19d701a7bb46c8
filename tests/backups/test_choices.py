"""Decisions about single records: what the list shows with them is what is done with them."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.backups.conftest import ADA, document, lines, make_record, stored
from webadmin import backups, catalogue, db, operations
from webadmin.backups import Action, Choices, Mode, PlanChanged, PlannedChange, RestoreRun, Staged, open_choices
from webadmin.catalogue import Record
from webadmin.config import Config

Stage = Callable[[Any], Staged]
WORDS = st.sampled_from(["a", "b", "c", "ä", "助"])
DECISIONS = st.lists(st.sampled_from([True, False, None]), max_size=12)
# LAW_CASES=2000 by hand: many more than a run for every change needs.
LAW_CASES = int(os.environ.get("LAW_CASES", "12"))
CHANGES = st.fixed_dictionaries(
    {"title": WORDS, "version": st.integers(1, 3)},
    optional={
        "tags": st.lists(WORDS, max_size=2),
        "category": st.none() | st.lists(WORDS, max_size=2),
        "updated_at": st.sampled_from(["2024-01-16", "2024-01-17T10:30:00.000Z"]),
        "extra": st.just({"mine": b"[1.50]"}),
        "is_public": st.booleans(),
    },
)
Side = dict[int, dict[str, Any]]
SIDE = st.dictionaries(st.integers(1, 8), CHANGES, max_size=8)


def made(records: Side) -> list[Record]:
    return [make_record(number, **changes) for number, changes in records.items()]


def file_of(records: Side, bad: Collection[int] = ()) -> bytes:
    """A file with these records, those of the numbers `bad` without a prompt."""
    good = [
        catalogue.encode(record) for number, record in zip(records, made(records), strict=True) if number not in bad
    ]
    return b"[" + b",".join(good + [b'{"id":"ast_%05d","title":"t"}' % number for number in bad]) + b"]"


def fill(records: Side) -> None:
    with db.transaction() as session:
        for key in stored():
            catalogue.remove(session, ADA, key)
        changes = [catalogue.Change(None, record) for record in made(records)]
        catalogue.write_records(session.connection(), ADA, changes, source="edit")


def decide(choices: Choices, decisions: list[bool | None], mode: Mode) -> None:
    numbers = [listed.number for listed in choices.all(mode)]
    choices.decide({n: keep for n, keep in zip(numbers, decisions, strict=False) if keep is not None}, mode)


EDITS = ("create", "change", "delete", "another program", "decision")


def edit(kind: str, choices: Choices) -> None:
    """Do something that no preview from before may outlive."""
    known = min(stored(), default=None)
    if kind == "decision":
        choices.decide_all(Action.ONLY_HERE, keep=True)
    elif kind == "another program" and known:
        with db.transaction() as session:
            session.connection().exec_driver_sql("UPDATE assistants SET prompt = prompt || '.' WHERE id=?", (known,))
    elif kind == "delete" and known:
        with db.transaction() as session:
            catalogue.remove(session, ADA, known)
    elif kind == "change" and known:
        with db.transaction() as session:
            catalogue.update(session, ADA, known, {"desc": "edit"}, version=stored()[known].version)
    else:
        with db.transaction() as session:
            fields = {"title": "edit", "desc": "", "emoji": "x", "prompt": "p"}
            catalogue.create(session, ADA, fields, assistant_id="ast_99999")


def record_lines() -> dict[str, bytes]:
    """The lines of the records of an export, by id."""
    return {json.loads(line)["id"]: line for line in (each.rstrip(b",\n") for each in lines()[1:-1])}


@settings(max_examples=LAW_CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIDE, SIDE, st.sets(st.integers(1, 8)), st.sampled_from(Mode), DECISIONS, st.sampled_from((None, None, *EDITS)))
def test_counts_shown_with_choices_are_counts_applied_are_the_difference_of_the_exports(
    data: Config,
    stage: Stage,
    tmp_path: Path,
    here: Side,
    there: Side,
    bad: set[int],
    mode: Mode,
    decisions: list[bool | None],
    edited: str | None,
) -> None:
    fill(here)
    staged = stage(file_of(there, bad))
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
        options |= {"skip_bad": True, "fingerprint": shown.fingerprint}
        if edited:
            edit(edited, choices)
            held = lines()[1:]
            with pytest.raises(PlanChanged):
                operations.apply_import(ADA, staged, **options)
            assert lines()[1:] == held
            return
        before = record_lines()
        result = operations.apply_import(ADA, staged, **options)
        kept = {listed.change.id for listed in choices.all(mode) if listed.is_kept}
    after = record_lines()
    assert result.counts == shown.counts
    assert shown.counts.created == len(after.keys() - before.keys())
    assert shown.counts.deleted == len(before.keys() - after.keys())
    assert shown.counts.updated == sum(before[key] != after[key] for key in before.keys() & after.keys())
    assert all(before.get(key) == after.get(key) for key in kept | {f"ast_{number:05}" for number in bad})


@settings(max_examples=LAW_CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIDE, SIDE, st.sampled_from(Mode), st.sets(st.integers(1, 8), max_size=3))
def test_an_undo_brings_back_what_was_before_and_keeps_what_was_edited_since(
    data: Config, stage: Stage, tmp_path: Path, here: Side, there: Side, mode: Mode, edited: set[int]
) -> None:
    fill(here)
    before = stored()
    done = operations.apply_import(ADA, stage(file_of(there)), mode=mode, source_name="x", confirm_delete_all=True)
    if done.safety_backup is None:
        return
    imported = stored()
    ids = {f"ast_{number:05}" for number in edited} & imported.keys()
    with db.transaction() as session:
        for id in ids:
            catalogue.update(session, ADA, id, {"desc": "edited since"}, version=imported[id].version)
    later = stored()
    path = tmp_path / "choices"
    path.unlink(missing_ok=True)
    safety = stage((data.database_backup_dir / done.safety_backup).read_bytes())
    with open_choices(path, is_new=True) as choices:
        with db.reading() as connection:
            run = connection.execute(select(RestoreRun).order_by(RestoreRun.id.desc()).limit(1)).one()
            choices.limit_to(catalogue.iter_written(connection, run.first_revision, run.last_revision))
        with choices.filling() as tell:
            plan = backups.make_plan(safety, Mode.MERGE, decisions=choices.scope, tell=tell)
        touched = {id for id in before.keys() | imported.keys() if before.get(id) != imported.get(id)}
        # What was edited since is shown, and kept unless somebody says otherwise.
        newer = {listed.change.id for listed in choices.all(Mode.REPLACE) if listed.is_newer}
        assert newer == {listed.change.id for listed in choices.all(Mode.REPLACE) if listed.is_kept} == ids & touched
        assert plan.in_mode(Mode.REPLACE).counts.changes == done.counts.changes
        shown = plan.in_mode(Mode.REPLACE, choices.kept(Mode.REPLACE), choices.edition)
        undone = operations.apply_import(
            ADA,
            safety,
            mode=Mode.REPLACE,
            source_name="undo",
            decisions=choices,
            fingerprint=shown.fingerprint,
            confirm_delete_all=True,
        )
    assert undone.counts == shown.counts
    after = stored()
    assert after.keys() == before.keys() | ids
    assert all(after[id] == later[id] for id in ids)
    assert all(catalogue.equal(after[id], before[id]) for id in after.keys() - ids)
    taken_back = (before.keys() & touched & imported.keys()) - ids
    assert all((after[id].version or 0) > (imported[id].version or 0) for id in taken_back)


def test_a_decision_after_the_preview_refuses(data: Config, stage: Stage, tmp_path: Path) -> None:
    fill({1: {"title": "a"}})
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
