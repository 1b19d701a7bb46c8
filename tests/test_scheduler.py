"""What runs by itself, shown with real processes: one backup a day, one leader, nothing lost while stopped."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy.orm import Session

from tests.people import close
from tests.sites import Site, wait_for
from webadmin import backups, safety, scheduler
from webadmin.accounts import SCHEDULER
from webadmin.app import create_app
from webadmin.backups.strangers import ID_FILE
from webadmin.db import reading
from webadmin.scheduler import BackOff, Scheduler

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


def past_time() -> str:
    """A time of today, in UTC, that is over; at midnight itself there is none but midnight."""
    now = datetime.now(UTC)
    return f"{max(now - timedelta(minutes=3), now.replace(hour=0, minute=0)):%H:%M}"


def heartbeats(site: Site) -> dict[str, dict]:
    with contextlib.closing(sqlite3.connect(site.data / "runtime.db")) as connection:
        try:
            rows = connection.execute("SELECT name, at, details FROM heartbeat").fetchall()
        except sqlite3.OperationalError:
            return {}  # The server is about to make it.
    return {name: {"at": at, **json.loads(details)} for name, at, details in rows}


def leader(site: Site) -> int | None:
    return heartbeats(site).get("scheduler", {}).get("process")


def scheduled(site: Site) -> list[dict]:
    return [row for row in json.loads(site.flask("backup", "list", "--json").stdout) if row["isAuto"]]


def fill(site: Site, prompt: str) -> None:
    file = site.folder / "one.json"
    file.write_text(json.dumps([{"id": "ast_1", "title": "One", "prompt": prompt}]))
    site.flask("assistants", "import", str(file), "--yes")


class TestBackOff:
    def test_failed_run_waits_longer_each_time(self):
        pauses, at, rest = [], NOW, BackOff()
        for _ in range(5):
            rest.note_failure(at)
            assert not rest.allows(at)
            at = next(at + timedelta(minutes=m) for m in range(1, 200) if rest.allows(at + timedelta(minutes=m)))
            pauses.append(at)
        minutes = [(b - a) // timedelta(minutes=1) for a, b in zip([NOW, *pauses], pauses, strict=False)]
        assert minutes == [5, 15, 60, 60, 60]

    def test_success_ends_the_waiting(self):
        rest = BackOff()
        rest.note_failure(NOW)
        rest.note_success()
        assert rest.allows(NOW)

    def test_clock_put_back_does_not_hold_a_run_off(self):
        rest = BackOff()
        rest.note_failure(NOW)
        assert rest.allows(NOW - timedelta(days=1))


class TestWeeklyProof:
    def test_an_old_backup_that_rotted_is_found_and_told_once(self, app, caplog):
        with app.app_context():
            with time_machine.travel(NOW):
                name = backups.create(SCHEDULER).name
            path = backups.history.current_folder() / name
            state = path.stat()
            path.write_bytes(path.read_bytes().replace(b"scheduler", b"nobody..."))
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
            scheduler = Scheduler(app)
            caplog.set_level("INFO", logger="webadmin.scheduler")
            for days in (8, 8.01, 16):
                with time_machine.travel(NOW + timedelta(days=days)):
                    scheduler.prove_again()
            with reading() as connection:
                [found] = backups.list_backups(Session(connection))
        told = [entry.getMessage() for entry in caplog.records if name in entry.getMessage()]
        assert (found.state, told) == (backups.State.ALTERED, [f"{name} was read again: altered"])


class TestDailyBackup:
    def test_time_that_passed_while_stopped_is_made_up_and_marked_late(self, site):
        # It was first started yesterday: what was due before that could not be in time.
        site.data.mkdir(mode=0o700, exist_ok=True)
        (site.data / ID_FILE).write_text("0123456789abcdef\n")
        os.utime(site.data / ID_FILE, (time.time() - 86400, time.time() - 86400))
        site.settings = {"AUTO_BACKUP_ENABLED": "true", "AUTO_BACKUP_TIME": past_time()}
        site.serve()
        # A file has its name a moment before its row says what it is.
        [row] = wait_for(lambda: [row for row in scheduled(site) if row["state"] != "unchecked"], 30)
        [name] = site.backup_names()
        assert (row["filename"], row["isAuto"], row["state"], row["isLate"]) == (name, True, "verified", True)
        assert json.loads((site.backups / name).read_text())["metadata"]["kind"] == "scheduled"

    def test_the_whole_database_is_copied_once_a_day_too(self, site):
        site.settings = {"AUTO_BACKUP_ENABLED": "true", "AUTO_BACKUP_TIME": past_time()}
        server = site.serve()
        taken = lambda: sorted(path.name for path in (site.data / "snapshots").glob("assistants_*.db"))  # noqa: E731
        names = wait_for(taken, 30)
        server.kill()
        second = site.serve()
        wait_for(lambda: leader(site) == second.process.pid)
        wait_for(lambda: "weekly-proof" in heartbeats(site))
        assert taken() == names
        assert len(names) == 1
        checks = {row["code"]: row for row in json.loads(site.flask("doctor", "--json").stdout)}
        assert (checks["snapshots"]["state"], checks["snapshots"]["fact"][:34]) == (
            "ok", "1 of the whole database, 1 sound; ",
        )  # fmt: skip

    def test_two_processes_and_a_restart_make_one_file(self, site):
        site.settings = {"AUTO_BACKUP_ENABLED": "true", "AUTO_BACKUP_TIME": past_time()}
        first, second = site.serve(), site.serve()
        names = wait_for(site.backup_names, 30)
        first.kill()
        second.kill()
        site.serve()
        wait_for(lambda: leader(site) not in {None, first.process.pid, second.process.pid})
        assert site.backup_names() == names
        assert len(names) == 1

    def test_switched_off_makes_none(self, site):
        site.settings = {"AUTO_BACKUP_ENABLED": "false", "AUTO_BACKUP_TIME": past_time()}
        site.serve()
        wait_for(lambda: heartbeats(site))
        assert site.backup_names() == []

    def test_killed_in_the_middle_of_it_one_whole_file_follows(self, site):
        records = [{"id": f"ast_{n}", "title": "One", "prompt": "Be one. " * 200} for n in range(10_000)]
        file = site.folder / "many.json"
        file.write_text(json.dumps(records))
        site.flask("assistants", "import", str(file), "--yes")
        safety = site.backup_names()
        site.settings = {"AUTO_BACKUP_ENABLED": "true", "AUTO_BACKUP_TIME": past_time()}
        server = site.serve()
        wait_for(lambda: list(site.backups.glob(".tmp-*")), 30)
        server.kill()
        assert site.backup_names() == safety
        site.serve()
        wait_for(lambda: len(site.backup_names()) > len(safety), 60)
        [row] = scheduled(site)
        assert (row["state"], row["recordCount"]) == ("verified", 10_000)
        assert list(site.backups.glob(".tmp-*")) == []

    def test_failed_run_is_kept_in_the_history_and_not_repeated_at_once(self, site):
        fill(site, "x" * 3_000_000)
        before = site.backup_names()
        site.settings = {"AUTO_BACKUP_ENABLED": "true", "AUTO_BACKUP_TIME": past_time()}
        # Files may grow to 2 MB: the disk is full for a backup of 3 MB, not for the row that tells of it.
        site.serve(file_bytes=2_000_000)
        [row] = wait_for(lambda: scheduled(site))
        assert (row["state"], row["error"]) == ("failed", "The disk is full. Nothing was changed.")
        time.sleep(35)
        assert len(scheduled(site)) == 1
        assert site.backup_names() == before
        assert list(site.backups.glob(".tmp-*")) == []


class TestClock:
    """The tasks of a scheduler that wakes up each second, in this process, whose clock is put on and back."""

    @pytest.fixture
    def app(self, make_config):
        made = create_app(make_config())
        yield made
        close(made)

    @pytest.fixture
    def move_to(self, app, monkeypatch):
        """Puts the clock to a time, at first 01:50; it goes on from there."""
        monkeypatch.setattr(scheduler, "INTERVAL_SECONDS", 1)
        made = Scheduler(app)
        with time_machine.travel(NOW - timedelta(minutes=10), tick=True) as traveller:
            made.start()
            wait_for(lambda: self.seen(app) is not None)
            yield traveller.move_to
            made.stop()

    def seen(self, app):
        with app.app_context():
            return safety.scheduler_seen_at()

    def backups(self, app):
        with app.app_context(), reading() as connection:
            return [each for each in backups.list_backups(Session(connection)) if each.is_verified]

    def test_put_back_by_hours_it_wakes_up_still(self, app, move_to):
        move_to(NOW - timedelta(hours=6))
        wait_for(lambda: self.seen(app) < NOW - timedelta(hours=5))

    def test_time_that_was_slept_over_is_made_up_once_and_marked_late(self, app, move_to):
        assert self.backups(app) == []
        move_to(NOW + timedelta(hours=5))
        [made] = wait_for(lambda: self.backups(app))
        assert (made.local_day, made.is_late) == ("2026-11-23", True)
        move_to(NOW - timedelta(minutes=1))
        wait_for(lambda: self.seen(app) < NOW)
        move_to(NOW + timedelta(minutes=1))
        wait_for(lambda: self.seen(app) > NOW + timedelta(seconds=62))
        assert self.backups(app) == [made]


class TestLeader:
    def test_another_process_takes_over_when_the_leader_dies(self, site):
        first = site.serve()
        wait_for(lambda: leader(site) == first.process.pid)
        second = site.serve()
        first.kill()
        wait_for(lambda: leader(site) == second.process.pid, 75)

    def test_commands_do_not_lead(self, site):
        site.flask("backup", "create")
        assert heartbeats(site) == {}


class TestHousekeeping:
    def test_changes_of_another_program_get_their_history(self, site):
        site.flask("db", "upgrade")
        with contextlib.closing(sqlite3.connect(site.data / "assistants.db")) as other:
            other.execute(
                "INSERT INTO assistants (id, title, desc, emoji, prompt, is_public, status, author, created_at)"
                " VALUES ('ast_1', 'One', '', '', 'Be one.', 0, 'draft', 'ada', '2026-01-01T00:00:00.000Z')"
            )
            other.commit()
            site.serve()
            find = "SELECT source FROM aa_revision WHERE assistant_id='ast_1'"
            wait_for(lambda: other.execute(find).fetchall() == [("other program",)])

    def test_held_write_lock_is_noted_and_forgotten(self, site):
        site.settings = {"DB_TIMEOUT": "100"}
        site.flask("db", "upgrade")
        with contextlib.closing(sqlite3.connect(site.data / "assistants.db", isolation_level=None)) as other:
            server = site.serve()
            wait_for(lambda: heartbeats(site))
            other.execute("BEGIN IMMEDIATE")
            wait_for(lambda: "write-lock" in heartbeats(site), 75)
            other.execute("ROLLBACK")
            wait_for(lambda: "write-lock" not in heartbeats(site), 75)
            server.stop()

    def test_backup_beyond_its_time_goes_to_the_bin_at_the_start(self, site):
        site.flask("backup", "create")
        site.flask("backup", "create")
        older, newer = site.backup_names()
        site.settings = {"BACKUP_MAX_COUNT": "1"}
        site.serve()
        wait_for(lambda: site.backup_names() == [newer], 30)
        assert (site.backups / ".bin" / older).exists()


def test_retention_that_found_the_folder_in_use_is_done_at_the_next_wake_up(make_config, caplog):
    app = create_app(make_config(BACKUP_MAX_COUNT="1"))
    scheduler = Scheduler(app)
    with app.app_context():
        for _ in range(2):
            backups.create(SCHEDULER)
        with backups.hold(SCHEDULER, "import"):
            scheduler.keep_house()
        assert not backups.list_bin()
        scheduler.keep_house()
        assert len(backups.list_bin()) == 1
    close(app)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_after_the_loss_of_the_database_backups_are_proved_by_themselves(site):
    site.flask("backup", "create")
    [name] = site.backup_names()
    os.utime(site.backups / name, (time.time() - 300,) * 2)
    for path in site.data.glob("assistants.db*"):
        path.unlink()
    site.flask("db", "begin-empty")
    site.serve()

    def states() -> list[str]:
        return [row["state"] for row in json.loads(site.flask("backup", "list", "--json").stdout)]

    wait_for(lambda: states() == ["verified"])
