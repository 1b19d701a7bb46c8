"""What is inside a backup is counted while it is proved; of a damaged one it is told what can still be read."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backups.conftest import ADA, document, make_record
from webadmin import backups, db
from webadmin.backups import State, contents
from webadmin.config import Config

Fill = Callable[..., None]


def ids(data: bytes) -> list[str]:
    return [json.loads(span)["id"] for span in contents.readable_records(io.BytesIO(data))]


def damaged(data: Config, change: Callable[[bytes], bytes]) -> backups.Backup:
    name = backups.create(ADA).name
    path = data.database_backup_dir / name
    path.write_bytes(change(path.read_bytes()))
    return backups.verify(name)


def test_a_backup_knows_authors_statuses_and_the_newest_edit(data: Config, fill: Fill) -> None:
    fill(
        make_record(1, author="marta", status="published", updated_at="2026-03-01T10:00:00.000Z"),
        make_record(2, author="marta", status="draft", created_at="2026-01-01T10:00:00.000Z", updated_at=None),
        make_record(3, author="李雷", status="draft", updated_at="2026-02-01T10:00:00.000Z"),
    )
    found = backups.create(ADA).contents
    assert found is not None
    assert (found.readable, found.total, found.authors, found.newest_edit) == (3, 3, 2, "2026-03-01T10:00:00.000Z")
    assert found.statuses["draft"] == 2
    assert backups.verify(backups.create(ADA).name).contents == found


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda whole: whole[: len(whole) // 2], 4),
        (lambda whole: whole.replace(b'"id":"ast_00004"', b'"id":ast_00004"'), 9),
        (lambda whole: whole.replace(b'{"metadata"', b'{"metadata,'), 10),
        (lambda whole: b"\0" * 120 + whole[120:], 10),
        (lambda whole: whole.replace(b'"ast_00002"', b"{" * 11).replace(b'"ast_00007"', b"{" * 11), 8),
    ],
    ids=["cut", "a quote lost", "a broken head", "zeroes at the beginning", "brackets in two records"],
)
def test_a_damaged_record_costs_itself_alone(
    data: Config, fill: Fill, change: Callable[[bytes], bytes], left: int
) -> None:
    fill(*(make_record(number) for number in range(10)))
    found = damaged(data, change)
    assert found.state is State.FAILED
    assert found.contents is not None
    assert abs(found.contents.readable - left) <= (left == 4)


def test_what_can_be_read_is_written_as_a_document_of_its_own(data: Config, fill: Fill, tmp_path: Path) -> None:
    fill(*(make_record(number) for number in range(10)))
    found = damaged(data, lambda whole: whole.replace(b'"ast_00004","title"', b'"ast_00004" "title"'))
    assert backups.write_readable(found.name, tmp_path / "rest") == 9
    staged = backups.stage_file(ADA, tmp_path / "rest", tmp_path / "scratch")
    assert (staged.good_count, staged.problem_count) == (9, 0)
    with db.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM assistants").scalar() == 10


def test_an_indented_file_of_another_program_is_read_up_to_the_damage() -> None:
    records = [{"id": f"a{number}", "title": "t", "prompt": "{[,]}"} for number in range(5)]
    whole = json.dumps({"metadata": {"version": "1.0.0"}, "assistants": records}, indent=2).encode()
    assert ids(whole) == ["a0", "a1", "a2", "a3", "a4"]
    assert ids(whole.replace(b'"a3",', b'"a3"')) == ["a0", "a1", "a2", "a4"]
    assert ids(json.dumps(records).encode()[:-70]) == ["a0", "a1", "a2"]


def test_a_file_without_a_readable_record_gives_nothing(data: Config, tmp_path: Path) -> None:
    data.database_backup_dir.mkdir(exist_ok=True)
    (data.database_backup_dir / "assistants_backup_broken.json").write_bytes(b"hello")
    found = backups.verify("assistants_backup_broken.json")
    assert found.contents == contents.Contents(0, None)
    with pytest.raises(backups.InvalidBackup):
        backups.write_readable(found.name, tmp_path / "rest")


def test_a_gzip_file_that_cannot_be_unpacked_is_told_without_a_count(data: Config) -> None:
    data.database_backup_dir.mkdir(exist_ok=True)
    packed = gzip.compress(document(make_record(1)))[:-20]
    (data.database_backup_dir / "assistants_backup_packed.json").write_bytes(packed)
    found = backups.verify("assistants_backup_packed.json")
    assert (found.state, found.contents) == (State.FAILED, None)


def test_whatever_the_damage_nothing_fails(data: Config, fill: Fill) -> None:
    fill(*(make_record(number) for number in range(10)))
    whole = (data.database_backup_dir / backups.create(ADA).name).read_bytes()
    chance = random.Random(7)
    for _ in range(100):
        torn = bytearray(whole[: chance.randrange(len(whole))])
        for _ in range(chance.randrange(20)):
            if torn:
                torn[chance.randrange(len(torn))] = chance.randrange(256)
        assert contents.count_readable(io.BytesIO(bytes(torn))).readable <= 10
