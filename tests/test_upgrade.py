"""The upgrade of an existing database: copies first, one transaction, as before or done after a kill anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy.orm import Session

from tests import earlier
from webadmin import accounts, backups, db, runtime, upgrade
from webadmin.accounts import Purpose
from webadmin.config import PROJECT, Config
from webadmin.runtime import Runtime

_KILLS = '''
import hashlib, os, signal, sqlite3, sys
from pathlib import Path
from flask import Flask
from sqlalchemy.orm import Session
from sqlalchemy import event
from webadmin import audit, catalogue, db
from webadmin.accounts import SYSTEM

path = Path(sys.argv[1])


def attempt(after: int) -> bool:
    """Upgrade in a child that is killed after so many statements; whether it came to its end before that."""
    child = os.fork()
    if child == 0:
        count = 0
        engine = db.open_file(path)

        def counted(*_: object) -> None:
            nonlocal count
            count += 1
            if count == after:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(engine, "after_cursor_execute", counted)
        with db.writing(engine) as connection:
            if db.schema_state(connection) is not db.SchemaState.CURRENT:
                db.migrate(connection)
            audit.protect(connection, SYSTEM)
            catalogue.adopt(connection)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


for after in range(1, 200):
    is_done = attempt(after)
    with db.open_file(path).connect() as connection:
        state = db.schema_state(connection).name
    rows = "\\n".join(sqlite3.connect(path).iterdump())
    print(is_done, state, hashlib.sha256(rows.encode()).hexdigest())
    if is_done:
        break
'''

# Without what later migrations added.
_BACK_TO_0004 = (
    "ALTER TABLE aa_backup DROP COLUMN contents",
    "ALTER TABLE aa_user DROP COLUMN is_temporary",
    "ALTER TABLE aa_user DROP COLUMN has_single_keys",
    "ALTER TABLE aa_user DROP COLUMN totp_secret",
    "DROP TABLE aa_recovery_code",
    "DROP TABLE aa_audit",
    "DROP INDEX aa_idx_token_old",
    *(
        f"ALTER TABLE aa_token DROP COLUMN {name}"
        for name in ("purposes", "rotated_at", "old_hash", "old_hint", "old_until")
    ),
)
_TOKEN_OF_THEN = """INSERT INTO aa_token (name, role, token_hash, hint, created_at, created_by)
    VALUES ('nightly', 'admin', ?, 'aat_text', '2026-01-01T00:00:00.000Z', 'system')"""


@pytest.fixture
def earlier_file(folder: Path) -> Path:
    """A database as the earlier system leaves it, with three assistants."""
    path = folder / "assistants.db"
    connection = earlier.connect(path)
    for id in "abc":
        earlier.insert(connection, id)
    connection.close()
    return path


def contents(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


def test_a_kill_after_any_statement_leaves_the_old_schema_or_the_new_one(earlier_file: Path, tmp_path: Path) -> None:
    before = hashlib.sha256(contents(earlier_file).encode()).hexdigest()
    script = tmp_path / "kills.py"
    script.write_text(_KILLS)
    done = subprocess.run(
        [sys.executable, str(script), str(earlier_file)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    *killed, last = [line.split() for line in done.stdout.splitlines()]
    assert len(killed) > 20
    assert {tuple(line) for line in killed} == {("False", "EARLIER_SYSTEM", before)}
    assert last[:2] == ["True", "CURRENT"]


@pytest.fixture
def bare_app(settings: Config, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application whose database is not opened yet."""
    own = Runtime(settings.database_path.with_name("runtime.db"))
    monkeypatch.setattr(runtime, "_provider", lambda: own)
    app = Flask("upgrade")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{settings.database_path}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = db.engine_options(500)
    db.db.init_app(app)
    return app


@pytest.fixture
def opening(bare_app: Flask) -> Callable[[], upgrade.Opening]:
    """Open the database as a start does."""

    def run() -> upgrade.Opening:
        with bare_app.app_context():
            db.prepare(db.db.engine)
            try:
                return upgrade.open_database()
            finally:
                db.db.session.remove()
                db.db.engine.dispose()

    return run


def test_an_upgrade_takes_a_snapshot_and_a_backup_first(
    earlier_file: Path, opening: Callable[[], upgrade.Opening], folder: Path
) -> None:
    rows = sqlite3.connect(earlier_file).execute("SELECT * FROM assistants ORDER BY id").fetchall()
    done = opening()
    assert (done.found, done.snapshot is not None, done.safety_backup is not None) == ("earlier system", True, True)
    snapshot = sqlite3.connect(folder / "snapshots" / str(done.snapshot))
    assert snapshot.execute("SELECT * FROM assistants ORDER BY id").fetchall() == rows
    assert snapshot.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'aa_%'").fetchone() == (0,)
    document = json.loads((folder / "backups" / str(done.safety_backup)).read_text())
    assert [record["id"] for record in document["assistants"]] == ["a", "b", "c"]
    assert (folder / "snapshots" / str(done.snapshot)).stat().st_mode & 0o777 == 0o600
    assert opening() == upgrade.Opening(db.SchemaState.CURRENT)


def test_the_backup_before_an_upgrade_of_our_own_schema_is_made_and_listed(
    earlier_file: Path, bare_app: Flask, opening: Callable[[], upgrade.Opening]
) -> None:
    opening()
    connection = sqlite3.connect(earlier_file)
    for statement in _BACK_TO_0004:
        connection.execute(statement)
    connection.execute(_TOKEN_OF_THEN, [hashlib.sha256(b"aat_text").hexdigest()])
    connection.execute("UPDATE aa_schema_version SET version_num = '0004'")
    connection.commit()
    connection.close()
    done = opening()
    assert (done.found, done.safety_backup is not None) == (db.SchemaState.OLD, True)
    with bare_app.app_context():
        backups.sync()
        with db.reading() as session:
            listed = backups.list_backups(Session(session))
            token = accounts.authenticate_token(Session(session), "aat_text")
            acts = session.exec_driver_sql("SELECT act FROM aa_audit ORDER BY number").scalars().all()
    # The copies are made before there is a log; their entries wait and follow.
    assert acts == ["database.upgrade"]
    assert (listed[0].name, listed[0].state) == (done.safety_backup, "verified")
    assert listed[0].contents is not None
    assert (token.name, token.purposes) == ("nightly", set(Purpose))


def test_without_a_safety_backup_there_is_no_upgrade(
    earlier_file: Path, opening: Callable[[], upgrade.Opening], folder: Path
) -> None:
    before = contents(earlier_file)
    (folder / "backups").write_text("a file stands where the folder should be")
    with pytest.raises(upgrade.UpgradeRefused, match="not opened"):
        opening()
    assert contents(earlier_file) == before


def test_an_empty_folder_gets_a_database_without_any_copy(opening: Callable[[], upgrade.Opening], folder: Path) -> None:
    assert opening() == upgrade.Opening(db.SchemaState.EMPTY)
    assert (folder / "assistants.db").stat().st_mode & 0o777 == 0o600
    connection = sqlite3.connect(folder / "assistants.db")
    assert connection.execute("SELECT version FROM migrations").fetchall() == [("1.0.0",)]
    assert not (folder / "snapshots").exists()


def test_the_folder_that_came_with_the_program_is_closed_before_it_is_used(
    opening: Callable[[], upgrade.Opening], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.chmod(0o755)
    opening()
    assert folder.stat().st_mode & 0o777 == 0o755
    (folder / "assistants.db").unlink()
    (folder / "runtime.db").unlink(missing_ok=True)
    monkeypatch.setattr(upgrade, "_OWN_FOLDER", folder)
    opening()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o750)
    opening()
    assert folder.stat().st_mode & 0o777 == 0o750


def test_a_newer_schema_is_refused_in_words(opening: Callable[[], upgrade.Opening], folder: Path) -> None:
    opening()
    connection = sqlite3.connect(folder / "assistants.db")
    connection.execute("UPDATE aa_schema_version SET version_num = '9999'")
    connection.commit()
    with pytest.raises(db.DatabaseNewer, match="9999"):
        opening()


def test_a_file_that_is_no_database_is_refused_and_left_alone(
    opening: Callable[[], upgrade.Opening], folder: Path
) -> None:
    (folder / "assistants.db").write_bytes(b"not a database at all, " * 400)
    with pytest.raises(upgrade.NotOpened, match=r"assistants\.db cannot be opened"):
        opening()
    assert (folder / "assistants.db").read_bytes() == b"not a database at all, " * 400


def test_the_schemas_that_are_known_are_those_of_the_migrations() -> None:
    """The program reads them from the names of their files, as a start that upgrades nothing does without Alembic."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
    migrations = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert list(db.known_schemas()) == migrations[::-1]
    loaded = "import sys, webadmin.app, webadmin.scheduler, webadmin.server; print('alembic' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", loaded], cwd=PROJECT, capture_output=True, check=True)
    assert said.stdout == b"False\n"
