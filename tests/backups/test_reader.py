"""Taking files in: gzip and bounds, the check report, bad records named."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webadmin import backups, catalogue
from webadmin.backups import InvalidBackup, Staged, TooLarge
from webadmin.config import Config

GOLDEN = Path(__file__).parents[1] / "golden" / "backups"
GOOD = {"id": "a", "title": "t", "prompt": "p", "createdAt": "2024-01-01"}
Stage = Callable[[Any], Staged]


def receive(raw: bytes, target: Path, bound: int | None = None) -> bytes:
    backups.receive(io.BytesIO(raw), target, bound=bound)
    return target.read_bytes()


def test_plain_and_gzip_files_are_stored_plain(tmp_path: Path) -> None:
    plain = (GOLDEN / "layout_a.json").read_bytes()
    assert receive(plain, tmp_path / "1") == plain
    assert receive((GOLDEN / "layout_a.json.gz").read_bytes(), tmp_path / "2") == plain
    two = gzip.compress(plain[:100]) + gzip.compress(plain[100:])
    assert receive(two, tmp_path / "3") == plain
    large = bytes(range(256)) * 20_000
    assert receive(gzip.compress(large), tmp_path / "4") == large


def test_upload_over_the_bound_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TooLarge) as caught:
        receive(b"x" * 101, tmp_path / "1", bound=100)
    assert caught.value.code == "PAYLOAD_TOO_LARGE"
    assert list(tmp_path.iterdir()) == []


def test_gzip_bomb_is_refused_at_twenty_times_the_bound(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(TooLarge):
        receive(bomb, tmp_path / "1", bound=100_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [5, 30, -4])
def test_broken_gzip_is_refused_in_words(tmp_path: Path, cut: int) -> None:
    packed = (GOLDEN / "layout_a.json.gz").read_bytes()
    with pytest.raises(InvalidBackup):
        receive(packed[:cut], tmp_path / "1")
    with pytest.raises(InvalidBackup):
        receive(packed + b"more", tmp_path / "2")


def test_check_report_names_every_bad_record_and_stages_the_others(stage: Stage) -> None:
    staged = stage([GOOD, {"id": "b"}, GOOD | {"id": "c", "status": "odd"}, 5, GOOD | {"id": "d", "mine": 1}])
    assert staged.good_count == 2
    assert staged.problem_count == 3
    assert {(p.index, p.id, p.field) for p in staged.problems} == {
        (1, "b", "title"), (1, "b", "prompt"), (2, "c", "status"), (3, None, None),
    }  # fmt: skip
    assert staged.unknown_keys == {"mine": 1}


def test_second_record_of_an_id_is_a_problem_wherever_it_stands(stage: Stage) -> None:
    many = [GOOD | {"id": f"n{number}"} for number in range(1200)]
    staged = stage([*many, GOOD | {"id": "n3"}, GOOD | {"id": "n1199"}])
    assert staged.good_count == 1200
    assert [(p.index, p.id) for p in staged.problems] == [(1200, "n3"), (1201, "n1199")]


def test_ids_that_differ_in_case_or_spaces_are_two(stage: Stage) -> None:
    staged = stage([GOOD | {"id": each} for each in ("a", "A", "a ", " a", "á", "a\u0301")])
    assert (staged.good_count, staged.problem_count) == (6, 0)


def test_file_of_nothing_but_bad_records_is_given_up(stage: Stage) -> None:
    with pytest.raises(InvalidBackup):
        stage(b"[" + b"[]," * 20_000 + b"[]]")


def test_missing_created_at_becomes_the_time_of_the_document(stage: Stage) -> None:
    record = {"id": "a", "title": "t", "prompt": "p"}
    last = {"assistants": [record], "metadata": {"timestamp": "2024-06-01T02:00:00.000Z", "recordCount": 1}}
    staged = stage(last)
    with backups.reader.open_scratch(staged.scratch) as connection:
        (found,) = catalogue.iter_records(connection)
    assert found.created_at == "2024-06-01T02:00:00.000Z"
    assert found.author == "ada"


def test_scratch_catalogue_is_one_file_that_no_left_journal_can_take_back(data: Config, tmp_path: Path) -> None:
    path = tmp_path / "scratch.db"
    with backups.reader.scratch_catalogue(path):
        assert list(tmp_path.glob("scratch*")) == [path]
    before = path.read_bytes()
    with backups.reader.open_scratch(path) as connection:
        assert list(catalogue.iter_records(connection)) == []
        assert list(tmp_path.glob("scratch*")) == [path]
    assert path.read_bytes() == before


def test_texts_beyond_the_settings_are_warnings(stage: Stage) -> None:
    staged = stage([GOOD | {"title": "x" * 201}])
    assert (staged.good_count, staged.problem_count, staged.warning_count) == (1, 0, 1)
    assert staged.warnings[0].field == "title"


def test_wrong_count_is_refused_before_anything_is_staged(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(InvalidBackup):
        stage({"version": "1.0", "count": 2, "assistants": [GOOD]})
    assert list(tmp_path.glob("scratch-*")) == []


def test_record_that_is_not_utf8_is_refused_alone(stage: Stage) -> None:
    raw = json.dumps([GOOD, GOOD | {"id": "b"}]).encode().replace(b'"b"', b'"\xff"')
    staged = stage(raw)
    assert (staged.good_count, staged.problem_count) == (1, 1)
