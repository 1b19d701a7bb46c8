"""Every file of the table of hostile ones: refused in words, taken whole, or its good records taken, the rest named."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import hostile
from tests.backups.conftest import ADA, make_record, stored
from webadmin import backups, catalogue, db, operations
from webadmin.backups import Mode, Staged
from webadmin.config import Config
from webadmin.errors import Invalid

PARTS = 4
# HOSTILE_FILES=all by hand: each file is also imported, which makes a backup each time.
IMPORTED_EVERY = 1 if "HOSTILE_FILES" in os.environ else 20
CONSENTS: dict[str, dict[str, bool]] = {"whole": {}, "altered": {"accept_altered": True}, "in part": {"skip_bad": True}}


def verdict(raw: bytes, path: Path, *, is_imported: bool) -> tuple[str, int | None, int]:
    """What becomes of a file: its verdict, and how many of its records are good and bad."""
    scratch = path.with_suffix(".db")
    try:
        backups.receive(io.BytesIO(raw), path)
        staged = backups.stage_file(ADA, path, scratch)
    except Invalid as error:
        assert_told(error)
        return "refused", None, 0
    finally:
        path.unlink(missing_ok=True)
    try:
        assert staged.good_count + staged.problem_count == staged.document.count
        assert len({problem.index for problem in staged.problems}) == staged.problem_count
        taken = imported(staged) if is_imported else checked(staged)
        return taken, staged.good_count, staged.problem_count
    finally:
        backups.remove_scratch(scratch)


def assert_told(error: Invalid) -> None:
    assert str(error).endswith(".")
    assert error.details()
    # What a file says may be of any length; what is said of it is not.
    assert len(str(error.details())) < 1000 * (10 + len(error.problems))


def checked(staged: Staged) -> str:
    for word, consents in CONSENTS.items():
        try:
            operations.check_import(staged, **consents)
        except Invalid as error:
            assert_told(error)
        else:
            return word
    raise AssertionError("it is neither refused nor taken")


def imported(staged: Staged) -> str:
    before = stored()
    for word, consents in CONSENTS.items():
        try:
            done = operations.apply_import(ADA, staged, mode=Mode.MERGE, source_name="x", **consents)
        except Invalid as error:
            assert_told(error)
            assert stored() == before
            continue
        assert done.counts.created == staged.good_count
        after = stored()
        assert len(after) == len(before) + staged.good_count
        assert before.items() <= after.items()
        return word
    raise AssertionError("it is neither refused nor taken")


@pytest.mark.parametrize("part", range(PARTS))
def test_each_file_gets_the_verdict_that_it_deserves(
    data: Config, fill: Callable[..., None], tmp_path: Path, part: int
) -> None:
    fill(make_record(1), make_record(2))
    known, wrong = stored().keys(), {}
    for number, (name, file) in enumerate(list(hostile.FILES.items())[part::PARTS]):
        is_imported = number % IMPORTED_EVERY == 0
        found = verdict(file.make(), tmp_path / "upload", is_imported=is_imported)
        if found != (file.verdict, file.good, file.bad):
            wrong[name] = found
        if is_imported:
            with db.transaction() as session:
                for id in stored().keys() - known:
                    catalogue.remove(session, ADA, id)
    assert wrong == {}
