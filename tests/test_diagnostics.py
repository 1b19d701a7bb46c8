"""What doctor finds: each check green on a sound site, and red or amber through its real cause."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from datetime import UTC, datetime

import pytest

from tests.sites import Site
from webadmin.db import db, writing
from webadmin.diagnostics import CheckState, run_checks


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.flask("db", "upgrade")
    made.flask("backup", "create")
    yield made
    made.close()


def examine(site: Site, *, code: int = 0) -> dict[str, dict]:
    done = site.flask("doctor", "--json", ok=False)
    assert done.returncode == code, done.stderr
    return {check["code"]: check for check in json.loads(done.stdout)}


def contents(site: Site) -> list[str]:
    return sorted(name for name in os.listdir(site.data) if not name.startswith("runtime.db"))


@contextlib.contextmanager
def other_program(site: Site):
    with contextlib.closing(sqlite3.connect(site.data / "assistants.db", isolation_level=None)) as connection:
        yield connection


INSERT = (
    "INSERT INTO assistants (id, title, desc, emoji, prompt, tags, is_public, status, author, created_at)"
    " VALUES (?, ?, '', '', 'p', ?, 0, 'draft', 'ada', '2026-01-01T00:00:00.000Z')"
)


def test_sound_site_has_no_red_check(site):
    found = examine(site)
    assert {code for code, check in found.items() if check["state"] == "warn"} <= {"scheduler", "disk"}
    assert set(found) == {
        "database-file",
        "settings", "folders", "secret-key", "runtime", "disk", "backups", "scheduler", "notifications", "clock",
        "schema", "triggers", "activity-log", "write-lock", "write-ahead-log",
        "integrity", "rows", "snapshots", "backup-folder",
        "problems",
    }  # fmt: skip
    assert all(check["fact"] for check in found.values())
    assert all(check["nextStep"] for check in found.values() if check["state"] != "ok")


def test_report_in_words_names_every_check_and_the_next_step(site):
    said = site.flask("doctor").stdout
    assert "backups: 1 files, 1 verified" in said
    assert "→" in said


def test_odd_rows_are_named_and_left_alone(site):
    with other_program(site) as connection:
        connection.execute(INSERT, ("ast_1", sqlite3.Binary(b"\x00\x01"), '["ok"]'))
        connection.execute(INSERT, (None, "Nameless", "not json"))
        connection.execute("UPDATE assistants SET prompt = CAST(X'FF41' AS TEXT) WHERE id = 'ast_1'")
        before = connection.execute("SELECT * FROM assistants ORDER BY rowid").description
        check = examine(site)["rows"]
        assert check["state"] == "warn"
        told = "\n".join(check["details"])
        assert "id ast_1, column title: The value is of another type" in told
        assert "id ast_1, column prompt: The text is not valid UTF-8." in told
        assert "row 2, id —, column id: The value is missing (NULL)." in told
        assert "column tags: The tags are no JSON array" in told
        assert len(check["details"]) == 4
        assert connection.execute("SELECT typeof(title) FROM assistants WHERE id='ast_1'").fetchone() == ("blob",)
        assert before is not None
    site.flask("backup", "create")


def test_damaged_database_is_red_and_everything_else_is_still_checked(site):
    path = site.data / "assistants.db"
    for name in ("assistants.db-wal", "assistants.db-shm"):
        (site.data / name).unlink(missing_ok=True)
    path.write_bytes(b"This is no database at all." * 500)
    found = examine(site, code=1)
    assert found["schema"]["state"] == "bad"
    # One file, one next step, whichever check meets it.
    assert {found[name]["nextStep"] for name in ("database-file", "schema", "integrity", "rows")} == {
        "Press «Recover now» on the health page, or run: flask recover"
    }
    assert found["disk"]["state"] in {"ok", "warn"}
    done = site.flask("backup", "create", ok=False)
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert path.read_bytes().startswith(b"This is no database")


def test_flipped_page_is_found_by_the_quick_check(site):
    with other_program(site) as connection:
        for number in range(300):
            connection.execute(INSERT, (f"ast_{number}", "x" * 500, "[]"))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name='assistants'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray((site.data / "assistants.db").read_bytes())
    content[(root - 1) * size + 8 : (root - 1) * size + 200] = bytes(192)
    (site.data / "assistants.db").write_bytes(content)
    assert examine(site, code=1)["integrity"]["state"] == "bad"


def test_held_write_lock_is_red(site):
    site.settings = {"DB_TIMEOUT": "100"}
    with other_program(site) as connection:
        connection.execute("BEGIN IMMEDIATE")
        found = examine(site, code=1)
        connection.execute("ROLLBACK")
    assert found["write-lock"]["state"] == "bad"


def test_changed_backup_is_told_after_verifying(site):
    [name] = site.backup_names()
    path = site.backups / name
    path.write_bytes(path.read_bytes().replace(b'"kind": "manual"', b'"kind": "manuaL"'))
    site.flask("backup", "verify", "--all", ok=False)
    found = examine(site)
    assert found["backups"]["state"] == "warn"
    assert "1 bad" in found["backups"]["fact"]


def test_missing_backup_is_told(site):
    (site.backups / site.backup_names()[0]).unlink()
    found = examine(site)
    assert found["backups"]["state"] == "warn"


def test_files_that_others_write_and_delete_in_the_folder_are_told(site):
    site.flask("backup", "create")
    assert examine(site)["backup-folder"]["state"] == "ok"
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    (site.backups / "assistants_backup_theirs.json").write_text(f'{{"exportedAt":"{stamp}","count":0,"assistants":[]}}')
    assert "assistants_backup_theirs.json" in examine(site)["backup-folder"]["fact"]
    (site.backups / "assistants_backup_theirs.json").unlink()
    gone, _ = json.loads(site.flask("backup", "create", "--json").stdout)["filename"], examine(site)
    (site.backups / gone).unlink()
    told = examine(site)["backup-folder"]
    assert told["state"] == "warn"
    assert gone in told["fact"]
    assert "DATABASE_BACKUP_DIR" in told["nextStep"]


def test_open_key_is_red_and_open_folder_amber(site):
    (site.data / "secret-key").chmod(0o644)
    assert examine(site, code=1)["secret-key"]["nextStep"].startswith("Run: chmod 600")
    (site.data / "secret-key").chmod(0o600)
    site.data.chmod(0o755)
    assert examine(site)["folders"]["state"] == "warn"


def test_lost_triggers_are_told(app):
    with app.app_context():
        with writing(db.engine) as connection:
            connection.exec_driver_sql("DROP TRIGGER aa_assistants_insert")
        found = {check.code: check for check in run_checks()}
    assert found["triggers"].state is CheckState.WARN
    assert "aa_assistants_insert" in str(found["triggers"].fact)


def test_nothing_is_made_by_looking(tmp_path):
    site = Site(tmp_path)
    site.flask("db", "upgrade")
    before = contents(site)
    examine(site)
    assert contents(site) == before
    assert stat.S_IMODE(site.data.stat().st_mode) == 0o700
