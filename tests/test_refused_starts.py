"""A start that is refused ends in one sentence that names file, versions and next step; doctor says the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.sites import Site
from webadmin.config import PROJECT


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A data folder as a first start makes it."""
    site = Site(tmp_path_factory.mktemp("made"))
    site.flask("db", "upgrade")
    site.flask("backup", "create")
    return site.data


@pytest.fixture
def site(tmp_path, made):
    found = Site(tmp_path)
    shutil.copytree(made, found.data)
    yield found
    found.close()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def newer(path: Path) -> None:
    change(path, "UPDATE aa_schema_version SET version_num='9999'")


def half(path: Path) -> None:
    """As a program would leave it that does not upgrade in one transaction: the tables are there, the number is not."""
    change(path, "UPDATE aa_schema_version SET version_num='0001'")


def wrong_file(path: Path) -> None:
    path.write_bytes(b"a picture of a cat, or a spreadsheet " * 200)


def gone(path: Path) -> None:
    for part in path.parent.glob("assistants.db*"):
        part.unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence", "step"),
    [
        (newer, "has schema 9999; this version of the program knows those up to 0", "Start the version that wrote it"),
        (half, "upgrade of assistants.db from schema 0001 to 0", "snapshot"),
        (wrong_file, "assistants.db cannot be opened: it is damaged, or no database", "flask recover"),
        (gone, "assistants.db is gone or empty, and there was one", "flask recover"),
    ],
)
def test_start_says_why_in_one_sentence_and_doctor_the_same(site, spoil, sentence, step):
    path = site.data / "assistants.db"
    spoil(path)
    before = path.read_bytes() if path.exists() else None
    started = subprocess.run(
        [sys.executable, "wsgi.py"],
        cwd=PROJECT,
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.returncode == 1
    said = started.stderr.splitlines()
    assert [line.partition(":")[0] for line in said] == ["Error", "Try"]
    assert sentence in said[0]
    assert step in said[1]
    found = {each["code"]: each for each in json.loads(site.flask("doctor", "--json", ok=False).stdout)}
    assert (found["start"]["state"], f"Error: {found['start']['fact']}") == ("bad", said[0])
    assert f"Try: {found['start']['nextStep']}" == said[1]
    if spoil is not half:
        assert (path.read_bytes() if path.exists() else None) == before
