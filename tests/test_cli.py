"""The command line as people and scripts use it: real processes, exit codes, what stands on which stream."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.sites import FLASK, Site, wait_for
from webadmin.config import PROJECT

PASSWORD = "a long walk by the river"
RECORD = {"id": "ast_1", "title": "One", "prompt": "Be one."}


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


def write(path: Path, records: list[dict]) -> Path:
    head = {"timestamp": "2026-01-01T00:00:00.000Z", "recordCount": len(records)}
    path.write_text(json.dumps({"metadata": head, "assistants": records}))
    return path


def test_commands_are_found_without_options_and_explain_themselves(site):
    assert "backup" in site.flask("--help").stdout
    said = site.flask("backup", "restore", "--help").stdout
    assert "--mode [merge|skip|replace]" in said


class TestRefusals:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["backup", "make"],
            ["backup", "restore"],
            ["backup", "restore", "x.json", "--mode", "some"],
            ["user", "add", "Ada"],
            ["token", "add", "t", "--role", "admin", "--expires-days", "soon"],
        ],
    )
    def test_what_is_not_understood_ends_with_2(self, site, arguments):
        done = site.flask(*arguments, ok=False)
        assert done.returncode == 2
        assert done.stdout == ""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["backup", "restore", "nowhere.json", "--yes"], "nowhere.json"),
            (["backup", "unbin", "assistants_backup_20260101_000000.json"], "no backup of this name in the bin"),
            (["backup", "verify", "assistants_backup_20260101_000000.json"], "no backup of this name"),
            (["user", "add", "Ada", "--role", "owner", "--password-stdin"], "use one of viewer, editor"),
            (["token", "add", "t", "--role", "owner"], "use one of viewer, editor"),
            (["token", "add", "t", "--role", "admin", "--expires-days", "0"], "from 1 to 3650"),
            (["token", "add", "t", "--role", "admin", "--purpose", "all"], "use some of read, write"),
            (["token", "revoke", "t"], "no such token"),
            (["token", "rotate", "t"], "no such token"),
            (["user", "reset-password", "Nobody"], "no account named “Nobody”"),
        ],
    )
    def test_what_is_refused_ends_with_1_and_one_clear_line(self, site, arguments, said):
        done = site.flask(*arguments, stdin=PASSWORD, ok=False)
        assert done.returncode == 1
        assert done.stdout == ""
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert said in errors[0]
        assert "Traceback" not in done.stderr

    def test_unusable_settings_are_all_named(self, site):
        site.settings = {"AUTO_BACKUP_TIME": "25:00", "DB_TIMEOUT": "soon"}
        done = site.flask("backup", "list", ok=False)
        assert done.returncode == 1
        assert "AUTO_BACKUP_TIME" in done.stderr
        assert "DB_TIMEOUT" in done.stderr
        assert "Traceback" not in done.stderr


class TestPeople:
    def test_user_is_added_listed_and_given_a_new_password(self, site):
        code = site.flask("setup-code").stdout.strip()
        assert re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", code)
        site.flask("user", "add", "林 Ada", "--role", "admin", "--password-stdin", stdin=PASSWORD + "\n")
        people = json.loads(site.flask("user", "list", "--json").stdout)
        assert [(person["name"], person["role"]) for person in people] == [("林 Ada", "admin")]
        assert "林 Ada" in site.flask("user", "list").stdout
        assert site.flask("setup-code", ok=False).returncode == 1
        assert len(site.flask("user", "reset-password", "林 Ada").stdout.strip()) >= 12

    def test_user_without_terminal_needs_password_stdin(self, site):
        done = site.flask("user", "add", "Ada", "--role", "admin", ok=False)
        assert done.returncode == 2
        assert "--password-stdin" in done.stderr

    def test_token_is_printed_alone_and_opens_the_api_until_it_is_revoked(self, site):
        token = site.token("nightly")
        assert re.fullmatch(r"aat_\S+", token)
        assert token not in site.flask("token", "list", "--json").stdout
        server = site.serve()
        with site.client(server, token) as client:
            assert client.get("/api/assistants/backup/export").status_code == 200
            site.flask("token", "revoke", "nightly")
            assert client.get("/api/assistants/backup/export").status_code == 401
        assert json.loads(site.flask("token", "list", "--json").stdout) == []

    def test_token_is_rotated_while_the_server_runs(self, site):
        added = site.flask("token", "add", "robot", "--role", "admin", "--purpose", "read", "--purpose", "backup")
        server = site.serve()
        with site.client(server, added.stdout.strip()) as old:
            rotated = site.flask("token", "rotate", "robot")
            assert re.fullmatch(r"aat_\S+\n", rotated.stdout)
            assert "valid until" in rotated.stderr
            with site.client(server, rotated.stdout.strip()) as new:
                assert [client.get("/api/assistants").status_code for client in (old, new)] == [200, 200]
                assert "purpose write may" in new.post("/api/assistants", json={}).json()["error"]["message"]
                [listed] = json.loads(site.flask("token", "list", "--json").stdout)
                assert listed["purposes"] == ["read", "backup"]
                assert listed["oldTextUsedAt"]
                assert "read backup" in site.flask("token", "list").stdout
                site.flask("token", "end-old", "robot")
                assert [client.get("/api/assistants").status_code for client in (old, new)] == [401, 200]


class TestBackups:
    def test_backup_is_made_listed_verified_deleted_by_nobody(self, site):
        made = site.flask("backup", "create")
        [name] = site.backup_names()
        assert name in made.stdout
        [row] = json.loads(site.flask("backup", "list", "--json").stdout)
        assert (row["filename"], row["recordCount"], row["isAuto"], row["state"]) == (name, 0, False, "verified")
        assert row["fileSize"] == (site.backups / name).stat().st_size
        assert name in site.flask("backup", "list").stdout
        assert site.flask("backup", "verify", "--all").returncode == 0

    def test_verify_finds_a_changed_byte(self, site):
        site.flask("assistants", "import", str(write(site.folder / "one.json", [RECORD])), "--yes")
        site.flask("backup", "create")
        name = site.backup_names()[-1]
        path = site.backups / name
        path.write_bytes(path.read_bytes().replace(b"Be one.", b"Be two."))
        done = site.flask("backup", "verify", name, "--json", ok=False)
        assert done.returncode == 1
        assert json.loads(done.stdout)[0]["state"] != "verified"
        assert name in done.stderr
        assert site.flask("backup", "restore", name, "--yes", ok=False).returncode == 1

    def test_pruned_backup_goes_to_the_bin_and_comes_back(self, site):
        site.settings = {"BACKUP_MAX_COUNT": "1"}
        site.flask("backup", "create")
        site.flask("backup", "create")
        older, newer = site.backup_names()
        assert older in site.flask("backup", "prune", "--dry-run").stdout
        assert site.backup_names() == [older, newer]
        site.flask("backup", "prune")
        assert site.backup_names() == [newer]
        assert [row["filename"] for row in json.loads(site.flask("backup", "list", "--bin", "--json").stdout)] == [
            older
        ]
        site.flask("backup", "unbin", older)
        assert site.backup_names() == [older, newer]


class TestRestore:
    def test_dry_run_reports_and_changes_nothing(self, site):
        file = write(site.folder / "one.json", [RECORD])
        # Whoever says both has not asked for a change.
        done = site.flask("assistants", "import", str(file), "--dry-run", "--yes", "--json")
        report = json.loads(done.stdout)
        assert (report["created"], report["safetyBackup"]) == (1, None)
        assert json.loads(site.flask("assistants", "export").stdout)["assistants"] == []
        assert site.backup_names() == []

    def test_what_a_dry_run_showed_is_done_or_nothing_is(self, site):
        file = write(site.folder / "one.json", [RECORD])
        command = ["assistants", "import", str(file), "--json"]
        agreed = ["--yes", "--fingerprint", json.loads(site.flask(*command, "--dry-run").stdout)["fingerprint"]]
        write(file, [RECORD | {"title": "Edited since"}])
        done = site.flask(*command, *agreed, ok=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Nothing was written" in done.stderr
        assert site.backup_names() == []
        write(file, [RECORD])
        assert json.loads(site.flask(*command, *agreed).stdout)["created"] == 1

    def test_without_terminal_and_yes_it_is_refused(self, site):
        file = write(site.folder / "one.json", [RECORD])
        done = site.flask("backup", "restore", str(file), ok=False)
        assert done.returncode == 1
        assert "--yes" in done.stderr
        assert json.loads(site.flask("assistants", "export").stdout)["assistants"] == []

    def test_import_creates_updates_and_takes_a_safety_backup(self, site):
        file = write(site.folder / "one.json", [RECORD])
        first = json.loads(site.flask("assistants", "import", str(file), "--yes", "--json").stdout)
        assert (first["imported"], first["created"], first["unchanged"]) == (1, 1, 0)
        again = json.loads(site.flask("assistants", "import", str(file), "--yes", "--json").stdout)
        assert (again["imported"], again["unchanged"], again["safetyBackup"]) == (0, 1, None)
        changed = write(site.folder / "two.json", [RECORD | {"title": "Two"}, RECORD | {"id": "ast_2"}])
        report = json.loads(site.flask("backup", "restore", str(changed), "--yes", "--json").stdout)
        assert (report["created"], report["updated"]) == (1, 1)
        assert report["safetyBackup"] in site.backup_names()

    def test_replace_from_gzip_makes_the_catalogue_the_file(self, site):
        site.flask("assistants", "import", str(write(site.folder / "one.json", [RECORD])), "--yes")
        packed = site.folder / "two.json.gz"
        packed.write_bytes(gzip.compress(write(site.folder / "two.json", [RECORD | {"id": "ast_2"}]).read_bytes()))
        site.flask("backup", "restore", str(packed), "--mode", "replace", "--yes")
        exported = json.loads(site.flask("assistants", "export").stdout)["assistants"]
        assert [record["id"] for record in exported] == ["ast_2"]

    def test_bad_record_is_named_and_nothing_changes(self, site):
        file = write(site.folder / "bad.json", [RECORD, {"id": "ast_2", "title": "No prompt"}])
        done = site.flask("assistants", "import", str(file), "--yes", ok=False)
        assert done.returncode == 1
        assert "ast_2" in done.stderr
        assert "prompt" in done.stderr
        assert json.loads(site.flask("assistants", "export").stdout)["assistants"] == []
        report = json.loads(
            site.flask("assistants", "import", str(file), "--yes", "--json", "--on-error", "skip").stdout
        )
        assert (report["created"], len(report["errors"])) == (1, 1)

    def test_backup_in_the_place_of_another_is_not_restored_as_good(self, site, tmp_path):
        site.flask("assistants", "import", str(write(tmp_path / "one.json", [RECORD])), "--yes")
        names = [json.loads(site.flask("backup", "create", "--json").stdout)["filename"] for _ in range(2)]
        first, second = (site.data / "backups" / name for name in names)
        second.replace(first)
        for extra in ("--dry-run", "--yes"):
            done = site.flask("backup", "restore", first.name, "--mode", "replace", extra, ok=False)
            assert (done.returncode, "swapped with another" in done.stderr) == (1, True)
        site.flask("backup", "restore", first.name, "--dry-run", "--accept-altered")

    def test_listed_backup_is_restored_by_its_name(self, site):
        site.flask("assistants", "import", str(write(site.folder / "one.json", [RECORD])), "--yes")
        site.flask("backup", "create")
        name = site.backup_names()[-1]
        site.flask("assistants", "import", str(write(site.folder / "none.json", [])), "--mode", "replace", "--yes",
                   "--confirm-delete-all")  # fmt: skip
        assert json.loads(site.flask("backup", "restore", name, "--yes", "--json").stdout)["created"] == 1

    def test_interrupt_stops_it_and_changes_nothing(self, site):
        many = [{"id": f"ast_{n}", "title": "One", "prompt": "Be one. " * 20} for n in range(30_000)]
        file = write(site.folder / "many.json", many)
        process = subprocess.Popen(
            [FLASK, "assistants", "import", str(file), "--yes"],
            cwd=PROJECT,
            env=site.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: phase(site) == "importing")
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
        assert (process.returncode, said) == (1, "")
        assert errors == "Error: Stopped. Nothing was changed.\n"
        assert json.loads(site.flask("assistants", "export").stdout)["assistants"] == []
        assert [path.name for path in (site.data / ".incoming").iterdir() if path.suffix != ".lock"] == []

    def test_a_person_is_asked_and_can_say_no(self, site):
        file = write(site.folder / "one.json", [RECORD])
        said, code = in_terminal(site, ["backup", "restore", str(file)], answer="n\n")
        assert code == 1
        assert "1" in said
        assert json.loads(site.flask("assistants", "export").stdout)["assistants"] == []
        said, code = in_terminal(site, ["backup", "restore", str(file)], answer="y\n")
        assert code == 0
        assert len(json.loads(site.flask("assistants", "export").stdout)["assistants"]) == 1


def phase(site: Site) -> str | None:
    if not (site.data / "runtime.db").exists():
        return None
    with contextlib.closing(sqlite3.connect(site.data / "runtime.db")) as connection:
        try:
            row = connection.execute("SELECT phase FROM jobs").fetchone()
        except sqlite3.OperationalError:
            return None  # The command is about to make its tables.
    return row[0] if row else None


def in_terminal(site: Site, arguments: list[str], *, answer: str) -> tuple[str, int]:
    """Run a command on a terminal of its own and answer its question."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [FLASK, *arguments], cwd=PROJECT, env=site.environment(), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    said = ""
    is_answered = False
    while select.select([master], [], [], 60)[0]:
        try:
            said += os.read(master, 4096).decode(errors="replace")
        except OSError:
            break
        if "[y/N]" in said and not is_answered:
            os.write(master, answer.encode())
            is_answered = True
    os.close(master)
    return said, process.wait(60)
