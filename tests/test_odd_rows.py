"""Rows that another program wrote against every rule: nothing stops, none is lost, what no JSON carries is named."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import earlier
from tests.people import add_person, close, sign_in
from webadmin import backups, catalogue, db, diagnostics
from webadmin.accounts import Actor, ActorKind
from webadmin.app import create_app
from webadmin.backups import Mode, State
from webadmin.errors import Invalid

ADA = Actor(ActorKind.PERSON, "Ada")
SHAPES: tuple[tuple[str, ...], ...] = (
    (),
    ("category TEXT", "usage_count INTEGER", "rating REAL"),
    ("notes TEXT", "createdAt TEXT"),
    ("category", "usage_count", "rating", '"a ""b"" c"', "aaa INTEGER", "zzz REAL"),
    ("rating REAL", "notes TEXT"),
)
ODD = (
    "NULL", "x''", "x'6162'", "x'ff00ab'", "0", "-1", "5", "1.5", "9223372036854775807", "9e999", "-9e999", "''",
    "'text'", "'good'", "'N'", "'5'", "'1.50'", "'1e400'", "'true'", "'null'", "'[\"a\", \"b\"]'", "'[1, null]'",
    "'[1e400]'", "'[12345678901234567890]'", "'[0.12345678901234567891]'", "'{\"a\": 1}'", "'[\"\\ud800\"]'",
    "'a' || char(0) || 'b'", "char(0)", "CAST(x'ff41' AS TEXT)", "CAST(x'6162ff' AS TEXT)",
    "CAST(x'eda080' AS TEXT)", "CAST(x'efbfbd' AS TEXT)", "'line' || char(13, 10) || 'line'",
    f"'{'[' * 3000}'", f"'{'[' * 500}{']' * 500}'",
)  # fmt: skip
_PLAIN = {"title": "'t'", "desc": "'d'", "prompt": "'p'", "author": "'a'", "created_at": "'2025-01-01T00:00:00.000Z'"}


def lax_database(path: Path, columns: tuple[str, ...]) -> sqlite3.Connection:
    """The earlier system's tables with more columns, and one alone of its NOT NULLs: rows have a time."""
    connection = sqlite3.connect(path, isolation_level=None)
    schema = re.sub(
        r",\s*CONSTRAINT status_check CHECK \(.*?\)\)\)",
        ")",
        re.sub(r"(?<!created_at TEXT) NOT NULL", "", earlier.schema(*columns)),
    )
    connection.executescript("PRAGMA journal_mode=WAL;" + schema)
    return connection


def insert(connection: sqlite3.Connection, values: dict[str, str]) -> None:
    """A row of SQL expressions; the others of the same id stay."""
    row = _PLAIN | values
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(f"INSERT OR IGNORE INTO assistants ({names}) VALUES ({', '.join(row.values())})")


def names_of(connection: sqlite3.Connection) -> list[str]:
    return [row[1].replace('"', '""') for row in connection.execute("PRAGMA table_info(assistants)")]


def contents(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Every value as it is stored: its type and its bytes."""
    parts = ", ".join(f'typeof("{name}"), CAST("{name}" AS BLOB)' for name in names_of(connection))
    return connection.execute(f"SELECT rowid, {parts} FROM assistants ORDER BY rowid").fetchall()


@contextmanager
def opened(make_config: Callable[..., Any]) -> Iterator[Flask]:
    built = create_app(make_config())
    built.testing = False
    try:
        yield built
    finally:
        close(built)


def listed(browser: FlaskClient) -> list[Any]:
    """Every record of the list, page by page."""
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = browser.get("/api/assistants", query_string={"pageSize": "100", "cursor": cursor}).get_json()["data"]
        found += page["data"]
        cursor = page["nextCursor"]
    return found


def fill_with_single(connection: sqlite3.Connection) -> None:
    """One odd value at a time, in every column."""
    for place, name in enumerate(names_of(connection)):
        for number, value in enumerate(ODD):
            insert(connection, {"id": f"'{place:02}-{number:03}'"} | {name: value})


def fill_with_many(connection: sqlite3.Connection) -> None:
    """Odd values in several columns at once, chosen with a fixed seed."""
    chance = random.Random(5)
    names = names_of(connection)
    for number in range(300):
        chosen = chance.sample(names, chance.randint(2, len(names)))
        insert(connection, {"id": f"'many-{number:03}'"} | {name: chance.choice(ODD) for name in chosen})


@pytest.mark.parametrize("fill", [fill_with_single, fill_with_many])
@pytest.mark.parametrize(
    "columns", SHAPES, ids=lambda shape: "+".join(c.split()[0].strip('"') for c in shape) or "plain"
)
def test_odd_rows_stop_nothing_and_lose_nothing(folder, tmp_path, make_config, columns, fill):
    with closing(lax_database(folder / "assistants.db", columns)) as other:
        fill(other)
        before = contents(other)
        with opened(make_config) as app:
            add_person(app, "Ada")
            # The description of the API promises a known status, which these rows break.
            browser = FlaskClient(app, app.response_class)
            sign_in(browser, "Ada")
            for address in ("/assistants", "/assistants?sort=created&page_size=100", "/health", "/"):
                assert browser.get(address, follow_redirects=True).status_code == 200, address
            assert len(listed(browser)) == sum(row[1] != "null" for row in before)
            with app.app_context():
                made = backups.create(ADA)
                assert (made.state, made.record_count) == (State.VERIFIED, len(before))
                with backups.export(ADA).file as file:
                    document = file.read()
                [rows] = [check for check in diagnostics.run_checks() if check.code == "rows"]
                assert rows.state is diagnostics.CheckState.WARN
                (tmp_path / "export.json").write_bytes(document)
                staged = backups.stage_file(ADA, tmp_path / "export.json", tmp_path / "scratch.db")
                assert not staged.problems
                assert backups.make_plan(staged, Mode.REPLACE).counts.changes == 0
                assert backups.verify(made.name).state is State.VERIFIED
        assert contents(other) == before
        assert len(json.loads(document)["assistants"]) == len(before)


def test_values_that_no_file_carries_are_named_by_doctor(folder, make_config):
    with closing(lax_database(folder / "assistants.db", ("notes TEXT", "rate REAL", "createdAt TEXT"))) as other:
        insert(other, {"id": "'a'", "notes": "x'00'", "rate": "9e999", "createdAt": "'twice'"})
        with opened(make_config) as app, app.app_context():
            [rows] = [check for check in diagnostics.run_checks() if check.code == "rows"]
            with backups.export(ADA).file as file:
                exported = [line for line in file if line.startswith(b'{"id"')]
    told = [str(detail) for detail in rows.details]
    for column in ("notes", "rate", "createdAt"):
        assert f"row 1, id a, column {column}: JSON cannot carry this value" in "\n".join(told)
    assert "notes" not in json.loads(exported[0])


def test_text_larger_than_any_file_may_bring_is_backed_up_and_comes_back(folder, tmp_path, make_config):
    with closing(lax_database(folder / "assistants.db", SHAPES[1])) as other:
        insert(other, {"id": "'long'", "prompt": f"printf('%.*c', {40 * 1024 * 1024}, 'x')"})
        many = json.dumps(["a", "b"] * 45_000)
        insert(other, {"id": "'many'", "tags": f"'{many}'", "category": f"'{many}'"})
        more = json.dumps(["a"] * 150_000)
        insert(other, {"id": "'more'", "tags": f"'{more}'", "category": f"'{more}'"})
        before = contents(other)
        with opened(make_config) as app, app.app_context():
            made = backups.create(ADA)
            assert made.state is State.VERIFIED
            assert backups.verify(made.name).state is State.VERIFIED
            with backups.open_backup(made.name) as file:
                (tmp_path / "export.json").write_bytes(file.read())
            staged = backups.stage_file(ADA, tmp_path / "export.json", tmp_path / "scratch.db")
            assert backups.make_plan(staged, Mode.REPLACE).counts.unchanged == 3
        assert contents(other) == before


@pytest.mark.parametrize("fill", [fill_with_single, fill_with_many])
@pytest.mark.parametrize("columns", SHAPES[1:4], ids=["later", "unknown", "loose"])
def test_what_is_read_of_an_odd_row_can_be_sent_again_with_one_change(folder, make_config, columns, fill):
    with closing(lax_database(folder / "assistants.db", columns)) as other:
        fill(other)
        with opened(make_config) as app, app.app_context():
            with db.reading() as connection:
                records = [record for record in catalogue.iter_by_id(connection) if len(record.prompt) < 100]
            for record in records:
                sent = json.loads(catalogue.encode(record))
                assert catalogue.read_sent(json.dumps(sent).encode()).changes(record) == {}, sent
                again = catalogue.read_sent(json.dumps(sent | {"desc": "Another one."}).encode())
                assert again.changes(record) == {"desc": "Another one."}, sent
            chosen = next(record for record in records if record.version is None)
            with db.transaction() as session:
                catalogue.update(session, ADA, str(chosen.id), {"desc": "Another one."}, version=0)
        stored = other.execute("SELECT desc, version FROM assistants WHERE id = ?", (chosen.id,)).fetchone()
        assert stored == ("Another one.", 1)


@pytest.mark.parametrize("status", ["NULL", "'gone'", "x'00'"])
def test_odd_status_can_go_back_to_draft_and_nowhere_else(folder, make_config, status):
    with closing(lax_database(folder / "assistants.db", ())) as other:
        insert(other, {"id": "'a'", "status": status})
        with opened(make_config) as app, app.app_context():
            with pytest.raises(Invalid), db.transaction() as session:
                catalogue.set_status(session, ADA, "a", "published", version=1)
            with db.transaction() as session:
                assert catalogue.set_status(session, ADA, "a", "draft", version=1).status == "draft"
        assert other.execute("SELECT status, version FROM assistants").fetchall() == [("draft", 2)]


def test_value_that_its_field_does_not_take_gives_way_to_a_right_one(folder, make_config):
    with closing(lax_database(folder / "assistants.db", SHAPES[1])) as other:
        insert(other, {"id": "'a'", "category": "'none'", "rating": "'good'"})
        with opened(make_config) as app, app.app_context():
            for version, sent in enumerate(
                [{"category": ["x"]}, {"rating": 4.5}, {"category": None, "rating": None}], 1
            ):
                with db.transaction() as session:
                    changes = catalogue.read_sent(json.dumps(sent).encode()).changes
                    catalogue.update(session, ADA, "a", changes, version=version)
                stored = other.execute("SELECT category, rating FROM assistants").fetchone()
                assert stored == [('["x"]', "good"), ('["x"]', 4.5), (None, None)][version - 1]
            with db.reading() as connection:
                assert [catalogue.encode(r).count(b'"rating"') for r in catalogue.iter_records(connection)] == [0]


def test_number_that_no_float_holds_stays_what_it_was_through_every_file(folder, tmp_path, make_config):
    with opened(make_config) as app, app.app_context():
        sent = b'{"title":"t","desc":"d","emoji":"e","prompt":"p","mine":1e400,"list":[1e400,-1e999]}'
        with db.transaction() as session:
            made = catalogue.create(session, ADA, catalogue.read_sent(sent).for_new()[1])
        assert made.extra == {"mine": b"1e400", "list": b"[1e400,-1e999]"}
        with backups.export(ADA).file as file:
            own = file.read()
        bare = b"[" + catalogue.encode(made) + b"]"
        for number, document in enumerate((own, bare)):
            (tmp_path / f"{number}.json").write_bytes(document)
            staged = backups.stage_file(ADA, tmp_path / f"{number}.json", tmp_path / f"{number}.db")
            assert not staged.problems
            assert backups.make_plan(staged, Mode.REPLACE).counts.unchanged == 1
