"""One assistant: created, changed under the optimistic lock, moved, deleted and put back, each time with history."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.catalogue.conftest import ADA
from webadmin import catalogue, db
from webadmin.errors import Conflict, Invalid, NotFound, StaleVersion

Make = Callable[..., str]
Opened = Callable[[], Session]


def update(assistant_id: str, version: int, **fields: object) -> catalogue.Record:
    with db.transaction() as session:
        return catalogue.update(session, ADA, assistant_id, fields, version=version)


def test_create_makes_a_draft_of_the_actor_with_version_one(make: Make, opened: Opened) -> None:
    record = catalogue.get(opened(), make())
    assert (record.status, record.author, record.version, record.is_public) == ("draft", "ada", 1, False)
    assert len(str(record.id)) == 21


def test_update_raises_the_version_by_one_and_sets_the_time(make: Make) -> None:
    record = update(make(), 1, title="New")
    assert (record.title, record.version) == ("New", 2)
    assert record.updated_at is not None


def test_update_with_equal_values_writes_nothing(make: Make, opened: Opened) -> None:
    found = make()
    assert update(found, 1, title="A title").version == 1
    assert len(catalogue.list_revisions(opened(), found)) == 1


def test_update_refuses_a_stale_version_and_changes_nothing(make: Make, opened: Opened) -> None:
    found = make()
    update(found, 1, title="Theirs")
    with pytest.raises(StaleVersion) as error:
        update(found, 1, title="Mine")
    assert error.value.details() == {"currentVersion": 2, "requestedVersion": 1}
    assert catalogue.get(opened(), found).title == "Theirs"


def test_limits_bind_only_the_fields_that_change(make: Make, folder: Path) -> None:
    found = make()
    other = sqlite3.connect(folder / "assistants.db")
    other.execute("UPDATE assistants SET title = ?", ("t" * 500,))
    other.commit()
    assert update(found, 1, desc="short").version == 2
    with pytest.raises(Invalid) as error:
        update(found, 2, title="t" * 501)
    assert [problem.field for problem in error.value.problems] == ["title"]
    assert "501" in str(error.value.problems[0].message)


@pytest.mark.parametrize(
    ("part", "count", "sentence"),
    [
        (b"[" + b"1," * 60_000 + b"1]", 1, "more than 100000 values"),
        (b'"' + b"x" * 1_000_000 + b'"', 4, "the limit is"),
    ],
)
def test_changes_that_add_up_to_what_no_backup_could_hold_are_refused(
    make: Make, part: bytes, count: int, sentence: str
) -> None:
    found = make()
    parts = {f"a{number}": part for number in range(count)}
    assert update(found, 1, extra=parts).version == 2
    with pytest.raises(Invalid, match=sentence):
        update(found, 2, extra=parts | {"b": part})
    record = update(found, 2, extra=parts | {"b": b"1"})
    assert catalogue.decode(catalogue.encode(record))[0] == record


def test_a_kept_text_that_no_import_would_take_is_refused(make: Make) -> None:
    found = make()
    with pytest.raises(Invalid) as error:
        update(found, 1, extra={"a": b'"' + b"x" * 4_200_000 + b'"'})
    assert [problem.field for problem in error.value.problems] == ["a"]


def test_a_text_of_one_character_and_many_marks_has_a_ceiling_in_bytes(make: Make) -> None:
    found = make()
    assert update(found, 1, desc="e" + "\u0301" * 2_000_000).version == 2
    with pytest.raises(Invalid) as error:
        update(found, 2, desc="e" + "\u0301" * 2_100_000)
    assert [problem.field for problem in error.value.problems] == ["desc"]


def test_length_is_counted_in_user_perceived_characters(make: Make) -> None:
    family = "👨‍👩‍👧‍👦"
    assert make(title=family * 200)
    with pytest.raises(Invalid):
        make(title=family * 201)


@pytest.mark.parametrize("field", ["title", "desc", "emoji", "prompt"])
def test_create_names_every_missing_field(make: Make, field: str) -> None:
    with pytest.raises(Invalid) as error:
        make(**{field: None})
    assert [problem.field for problem in error.value.problems] == [field]


def test_create_refuses_an_id_that_exists(make: Make) -> None:
    found = make()
    fields = {"title": "t", "desc": "", "emoji": "e", "prompt": "p"}
    with pytest.raises(Conflict), db.transaction() as session:
        catalogue.create(session, ADA, fields, assistant_id=found)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (["pending", "published", "draft"], True),
        (["pending", "rejected", "pending"], True),
        (["published", "rejected"], False),
        (["rejected"], False),
    ],
)
def test_status_moves_by_the_table(make: Make, path: list[str], allowed: bool) -> None:  # noqa: FBT001 (parametrized)
    found, version = make(), 1

    def walk() -> None:
        nonlocal version
        for status in path:
            with db.transaction() as session:
                moved = catalogue.set_status(session, ADA, found, status, version=version)
            version = moved.version or 0

    if allowed:
        walk()
        assert version == len(path) + 1
    else:
        with pytest.raises(Invalid):
            walk()


def test_publishing_sets_both_times_and_the_note_can_change_alone(make: Make) -> None:
    found = make()
    with db.transaction() as session:
        record = catalogue.set_status(session, ADA, found, "published", version=1)
    assert record.published_at
    assert record.reviewed_at
    with db.transaction() as session:
        noted = catalogue.set_status(session, ADA, found, "published", version=2, note="fine")
    assert (noted.review_note, noted.published_at) == ("fine", record.published_at)


def test_deleted_is_not_found_and_comes_back_whole_with_a_higher_version(make: Make, opened: Opened) -> None:
    found = make(tags=["a"], extra={"mood": b'{"n":1.50}'})
    with db.transaction() as session:
        before = catalogue.remove(session, ADA, found, version=1)
    with pytest.raises(NotFound):
        catalogue.get(opened(), found)
    number = catalogue.list_trash(opened())[0].number
    with db.transaction() as session:
        assert catalogue.put_back(session, ADA, number) == found
    back = catalogue.get(opened(), found)
    assert catalogue.changed_fields(before, back) == ["updated_at"]
    assert (back.version, catalogue.count_trash(opened())) == (2, 0)


def test_putting_back_an_id_in_use_asks_then_replaces_or_copies(make: Make, opened: Opened) -> None:
    found = make(title="First")
    for title in ("Second", "Third"):
        with db.transaction() as session:
            catalogue.remove(session, ADA, found)
            fields = {"title": title, "desc": "", "emoji": "e", "prompt": "p"}
            catalogue.create(session, ADA, fields, assistant_id=found)
    newest, oldest = (entry.number for entry in catalogue.list_trash(opened()))
    with pytest.raises(Conflict), db.transaction() as session:
        catalogue.put_back(session, ADA, oldest)
    with db.transaction() as session:
        catalogue.put_back(session, ADA, oldest, how=catalogue.PutBack.REPLACE)
        copy = catalogue.put_back(session, ADA, newest, how=catalogue.PutBack.COPY)
    assert catalogue.get(opened(), found).title == "First"
    assert (copy != found, catalogue.get(opened(), copy).title) == (True, "Second")


def test_the_trash_is_emptied_with_its_history_after_thirty_days(make: Make, opened: Opened, folder: Path) -> None:
    kept, gone = make(), make()
    with db.transaction() as session:
        catalogue.remove(session, ADA, kept)
        catalogue.remove(session, ADA, gone)
    other = sqlite3.connect(folder / "assistants.db")
    other.execute("UPDATE aa_trash SET deleted_at = '2020-01-01T00:00:00.000Z' WHERE assistant_id = ?", (gone,))
    other.commit()
    with db.transaction() as session:
        assert catalogue.purge_trash(session) == 1
    session = opened()
    assert [entry.assistant_id for entry in catalogue.list_trash(session)] == [kept]
    assert catalogue.list_revisions(session, gone) == []
    assert catalogue.list_revisions(session, kept)


def test_unknown_keys_survive_a_change_of_another_field(make: Make, opened: Opened) -> None:
    found = make(extra={"mood": b'{"n":1.50,"big":12345678901234567890123}'}, category=["x"], rating=4.5)
    update(found, 1, title="New")
    record = catalogue.get(opened(), found)
    assert record.extra == {"mood": b'{"n":1.50,"big":12345678901234567890123}'}
    assert (record.category, record.rating) == (["x"], 4.5)


def test_writing_outside_a_transaction_is_refused(make: Make, opened: Opened) -> None:
    make()
    with pytest.raises(Exception, match="readonly"):
        opened().connection().exec_driver_sql("DELETE FROM assistants")
