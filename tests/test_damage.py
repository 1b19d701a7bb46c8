"""A damaged, lost or emptied database: read-only at once, told everywhere, and never replaced by an empty one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.people import add_person, close, session_token, sign_in
from tests.sites import Site
from tests.test_safety import full_disk
from webadmin import backups, catalogue, damage, db, diagnostics, safety, snapshots
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.db import DatabaseCorrupt, transaction
from webadmin.scheduler import Scheduler

FIELDS = {"title": "One", "desc": "One.", "emoji": "1", "prompt": "Be one."}
TYPED = FIELDS | {"title": "A long text that must not be lost", "tags": ""}


def fill(app, count: int = 300) -> None:
    """Enough assistants that the table has pages of its own; written to the file, without a log."""
    add_person(app, "Ada")
    with app.app_context():
        with transaction() as session:
            for number in range(count):
                fields = FIELDS | {"prompt": f"{number} " * 200}
                catalogue.create(session, SYSTEM, fields, assistant_id=f"ast_{number:04}")
        close(app)


def break_page(path: Path, table: str = "assistants") -> None:
    """Overwrite the first inner page of a table below its root, as a bad sector would."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name=?", (table,)).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : (root - 1) * size + 300] = b"\x55" * 300
    path.write_bytes(content)


@pytest.fixture
def path(folder) -> Path:
    return folder / "assistants.db"


@pytest.fixture
def broken(app, path, make_config):
    """The application over a database whose revisions are damaged, and whose assistants can be read."""
    fill(app)
    break_page(path, "aa_revision")
    built = create_app(make_config())
    yield built
    close(built)


def test_damage_is_found_at_the_start_and_every_write_is_refused(broken, path):
    assert damage.find(path).faults
    with broken.app_context():
        with pytest.raises(damage.DatabaseDamaged), transaction() as session:
            catalogue.create(session, SYSTEM, FIELDS)
        with pytest.raises(damage.DatabaseDamaged):
            backups.create(SYSTEM)
        with pytest.raises(damage.DatabaseDamaged):
            backups.prune(SYSTEM)
        assert safety.current().state is safety.State.DAMAGED


def test_pages_say_it_and_reading_and_exporting_go_on(broken):
    browser = broken.test_client()
    sign_in(browser, "Ada")
    page = browser.get("/assistants")
    assert page.status_code == 200
    assert "Database is damaged" in page.text
    with browser.get("/api/assistants/backup/export") as export:
        assert len(json.loads(export.data)["assistants"]) == 300
    answer = broken.test_client().get("/api/health")
    assert (answer.status_code, answer.json["error"]["details"]["checks"]["database"]) == (503, "failing")


def test_typed_text_comes_back_with_the_refusal(broken):
    browser = broken.test_client()
    sign_in(browser, "Ada")
    token = session_token(browser)
    page = browser.post("/assistants/new", data=TYPED | {"csrf_token": token, "id": "ast_new"})
    assert page.status_code == 503
    assert TYPED["title"] in page.text
    assert "nothing is saved any more" in page.text
    answer = browser.post("/api/assistants", json=FIELDS, headers={"X-CSRFToken": token})
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


def test_damage_met_in_use_switches_writing_off_for_every_process(app, path, make_config):
    fill(app)
    other = create_app(make_config())
    with app.app_context():
        app.test_client().get("/healthz")
    break_page(path)
    with app.app_context():
        with pytest.raises(DatabaseCorrupt):
            backups.create(SYSTEM)
        assert damage.find(path) is not None
    with other.app_context(), pytest.raises(damage.DatabaseDamaged), transaction():
        pass
    assert other.test_client().get("/api/health").status_code == 503
    close(other)


def test_large_file_is_looked_at_after_the_start(app, path, make_config, monkeypatch):
    fill(app)
    break_page(path, "aa_revision")
    monkeypatch.setattr(damage, "LOOKED_AT_ONCE_BYTES", 1000)
    built = create_app(make_config())
    assert damage.find(path) is None
    with built.app_context():
        Scheduler(built).look_for_damage()
        assert damage.find(path) is not None
    close(built)


def test_mended_file_is_written_to_again(app, path, make_config):
    fill(app)
    sound = path.read_bytes()
    break_page(path, "aa_revision")
    close(create_app(make_config()))
    path.write_bytes(sound)
    built = create_app(make_config())
    assert damage.find(path) is None
    with built.app_context(), transaction() as session:
        catalogue.create(session, SYSTEM, FIELDS)
    close(built)


def break_rules(path: Path) -> None:
    """Rows that the table's own rules refuse, as another program may have written them: its CHECK, its NOT NULL."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=1")
        connection.execute("UPDATE assistants SET status='archived' WHERE id < 'ast_0015'")
        connection.execute("PRAGMA writable_schema=1")
        (kept,) = connection.execute("SELECT sql FROM sqlite_master WHERE name='assistants'").fetchone()
        change = "UPDATE sqlite_master SET sql=? WHERE name='assistants'"
        connection.execute(change, (kept.replace("author TEXT NOT NULL", "author TEXT"),))
        connection.commit()
        with closing(sqlite3.connect(path)) as other:
            other.execute("UPDATE assistants SET author=NULL WHERE id='ast_0018'")
            other.commit()
        connection.execute(change, (kept,))
        connection.commit()


def test_rows_outside_the_rules_are_no_damage_and_stop_no_copy(app, path, make_config):
    fill(app, 20)
    break_rules(path)
    with closing(sqlite3.connect(path)) as connection:
        said = " ".join(line for (line,) in connection.execute("PRAGMA quick_check"))
    assert "CHECK constraint failed" in said
    built = create_app(make_config())
    assert damage.find(path) is None
    with built.app_context():
        assert backups.create(SYSTEM).is_verified
        assert snapshots.check(snapshots.take().name) is snapshots.State.SOUND
        with transaction() as session:
            catalogue.create(session, SYSTEM, FIELDS)
        checks = {check.code: check.state for check in diagnostics.run_checks()}
        assert diagnostics.CheckState.BAD not in checks.values()
    close(built)


def test_fault_behind_many_rows_outside_the_rules_is_found(app, path):
    fill(app, 20)
    break_rules(path)
    with closing(sqlite3.connect(path)) as connection:
        assert db.structural_faults(connection, check="integrity_check") == []
        connection.execute("CREATE INDEX zz_short ON assistants(title) WHERE id < 'ast_0018'")
        connection.execute("PRAGMA writable_schema=1")
        connection.execute(
            "UPDATE sqlite_master SET sql='CREATE INDEX zz_short ON assistants(title)' WHERE name='zz_short'"
        )
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        found = db.structural_faults(connection, check="integrity_check")
    assert found
    assert all("zz_short" in fault for fault in found)


def test_index_by_an_unknown_collation_is_no_damage(app, path, make_config):
    fill(app, 20)
    with closing(sqlite3.connect(path)) as connection:
        connection.create_collation("zh_pinyin", lambda left, right: (left > right) - (left < right))
        connection.execute("CREATE INDEX theirs ON assistants(title COLLATE zh_pinyin)")
        connection.commit()
    built = create_app(make_config())
    assert damage.find(path) is None
    with built.app_context():
        assert backups.create(SYSTEM).is_verified
        assert snapshots.check(snapshots.take().name) is snapshots.State.SOUND
        told = {check.code: check for check in diagnostics.run_checks()}
        assert any("zh_pinyin" in str(check.fact) for check in told.values())
        assert diagnostics.CheckState.BAD not in {check.state for check in told.values()}
    close(built)


def test_note_that_cannot_be_read_still_counts(app, path):
    damage.note_path(path).write_text("")
    with app.app_context(), pytest.raises(damage.DatabaseDamaged), transaction():
        pass


@pytest.mark.parametrize("left", ["runtime.db", "snapshots", "-wal"])
@pytest.mark.parametrize("is_empty_file", [True, False])
def test_lost_database_is_not_replaced_by_an_empty_one(path, make_config, left, is_empty_file):
    if left == "snapshots":
        path.with_name(left).mkdir()
    beside = {
        "runtime.db": path.with_name(left),
        "snapshots": path.parent / "snapshots" / "assistants_20260101_020000.db",
    }
    beside.get(left, path.with_name("assistants.db-wal")).write_bytes(b"something")
    if is_empty_file:
        path.touch()
    with pytest.raises(damage.DatabaseGone, match="No empty one takes its place"):
        create_app(make_config())
    assert not path.exists() or not path.stat().st_size


def test_database_deleted_in_use_is_not_made_anew(app, path):
    fill(app, 1)
    with app.app_context():
        path.unlink()
        with pytest.raises(damage.DatabaseGone), transaction():
            pass
        assert safety.current().state is safety.State.DAMAGED
        assert str(safety.current().title) == "Database is missing"
    assert not path.exists()
    assert app.test_client().get("/api/health").status_code == 503


@pytest.mark.parametrize("is_empty_file", [False, True])
def test_file_moved_away_in_use_is_told_at_once_and_well_when_it_is_back(app, path, is_empty_file):
    with app.app_context():
        backups.create(SYSTEM)
    browser = app.test_client()
    assert browser.get("/api/health").status_code == 200
    path.rename(path.with_name("away.db"))
    if is_empty_file:
        path.touch()
    answer = browser.get("/api/health")
    assert (answer.status_code, answer.json["error"]["details"]["checks"]["database"]) == (503, "failing")
    with app.app_context():
        assert safety.current().state is safety.State.DAMAGED
        with pytest.raises(damage.DatabaseGone), transaction():
            pass
    path.with_name("away.db").rename(path)
    with app.app_context():
        safety.forget()
    assert browser.get("/api/health").status_code == 200


def test_folder_with_nothing_but_backups_begins_empty(folder, make_config):
    (folder / "backups").mkdir()
    (folder / "backups" / "assistants_backup_20260101_020000.json").write_text("[]")
    built = create_app(make_config())
    assert built.extensions["opening"].found == "empty"
    close(built)


class TestCommands:
    @pytest.fixture
    def site(self, tmp_path):
        made = Site(tmp_path)
        made.flask("db", "upgrade")
        made.flask("backup", "create")
        yield made
        made.close()

    def test_server_refuses_to_start_and_says_what_to_do(self, site):
        for file in site.data.glob("assistants.db*"):
            file.unlink()
        done = site.flask("assistants", "export", ok=False)
        assert done.returncode == 1
        assert "No empty one takes its place" in done.stderr
        assert "flask db begin-empty" in done.stderr
        found = {each["code"]: each for each in json.loads(site.flask("doctor", "--json", ok=False).stdout)}
        assert found["database-file"]["state"] == "bad"
        assert not (site.data / "assistants.db").exists()

    def test_beginning_anew_is_a_command_and_keeps_what_is_left(self, site):
        assert "There is a database" in site.flask("db", "begin-empty", ok=False).stderr
        (site.data / "assistants.db").unlink()
        (site.data / "assistants.db-wal").write_bytes(b"the log of the lost one")
        site.flask("db", "begin-empty")
        assert [each.read_bytes() for each in site.data.glob("assistants.db-wal.lost-*")] == [
            b"the log of the lost one"
        ]
        [name] = site.backup_names()
        site.flask("backup", "restore", name, "--yes")

    def test_doctor_names_the_damage(self, site):
        damage.note(site.data / "assistants.db", ["row 1 missing"])
        with closing(sqlite3.connect(site.data / "assistants.db")) as connection:
            root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name='aa_backup'").fetchone()[0]
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray((site.data / "assistants.db").read_bytes())
        content[(root - 1) * 4096 : (root - 1) * 4096 + 300] = b"\x55" * 300
        (site.data / "assistants.db").write_bytes(content)
        found = {each["code"]: each for each in json.loads(site.flask("doctor", "--json", ok=False).stdout)}
        assert "row 1 missing" in found["database-file"]["fact"]
        assert found["integrity"]["state"] == "bad"

    def test_newer_schema_is_refused_at_the_start_and_named_by_doctor(self, site):
        with closing(sqlite3.connect(site.data / "assistants.db")) as connection:
            connection.execute("UPDATE aa_schema_version SET version_num = '9999'")
            connection.commit()
            before = list(connection.iterdump())
            assert "Start the version that wrote it" in site.flask("assistants", "export", ok=False).stderr
            found = {each["code"]: each for each in json.loads(site.flask("doctor", "--json", ok=False).stdout)}
            assert (found["schema"]["state"], "9999" in found["schema"]["fact"]) == ("bad", True)
            assert list(connection.iterdump()) == before


def test_locked_database_is_read_while_saving_is_refused_and_works_again_by_itself(path, make_config):
    app = create_app(make_config(DB_TIMEOUT="100"))
    fill(app, 1)
    browser = app.test_client()
    sign_in(browser, "Ada")
    form = TYPED | {"csrf_token": session_token(browser), "id": "ast_new"}
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = browser.post("/assistants/new", data=form)
        assert (refused.status_code, TYPED["title"] in refused.text) == (503, True)
        assert browser.get("/assistants").status_code == 200
        other.execute("ROLLBACK")
    assert browser.post("/assistants/new", data=form).status_code == 303
    close(app)


def test_full_disk_refuses_saves_reads_on_and_works_again_by_itself(app, path):
    fill(app, 50)
    browser = app.test_client()
    sign_in(browser, "Ada")
    form = TYPED | {"csrf_token": session_token(browser), "id": "ast_new", "prompt": "p" * 50_000}
    browser.get("/assistants")
    with full_disk(path.stat().st_size // 4):
        refused = browser.post("/assistants/new", data=form)
        assert (refused.status_code, TYPED["title"] in refused.text) == (503, True)
        assert browser.get("/assistants").status_code == 200
        with browser.get("/api/assistants/backup/export") as export:
            assert export.status_code == 200
    assert damage.find(path) is None
    assert browser.post("/assistants/new", data=form).status_code == 303


def test_fault_of_the_disk_is_told_apart_from_a_full_one(app, path):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    with app.app_context():
        assert isinstance(db.translate(error), db.DiskFailing)
        with full_disk(path.stat().st_size // 4):
            assert isinstance(db.translate(error), db.DiskFull)
