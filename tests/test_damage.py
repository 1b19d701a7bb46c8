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
from webadmin import backups, catalogue, damage, safety
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
    assert not path.exists()
    assert app.test_client().get("/api/health").status_code == 503


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
