"""Recent problems and waits for the write lock: counted across processes, bounded, and never in the way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.people import add_token, close
from webadmin import clock, jobs, problems, safety
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.backups import Backup, BackupFact
from webadmin.backups.history import from_fact
from webadmin.db import DatabaseLocked, DiskFull, transaction
from webadmin.diagnostics.growth import growth_per_day
from webadmin.errors import Message
from webadmin.scheduler import Scheduler
from webadmin.snapshots import Snapshot


@pytest.fixture
def impatient(make_config):
    """An application that waits for the write lock for a moment only, and another program that holds it."""
    app = create_app(make_config(DB_TIMEOUT="300"))
    token = add_token(app)
    with closing(sqlite3.connect(make_config().database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield app, token
    close(app)


def test_refused_calls_are_one_kind_with_their_number_and_last_trace(impatient):
    app, token = impatient
    fields = {"title": "One", "desc": "d", "emoji": "1", "prompt": "p"}
    for _ in range(2):
        answer = app.test_client().post("/api/assistants", json=fields, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 503
    with app.app_context():
        [found] = problems.recent()
    assert (found.code, found.count) == ("DatabaseLocked", 2)
    assert found.trace_id == answer.json["error"]["traceId"]
    assert "write lock" in str(found.message)


def test_longest_wait_is_measured_and_forgotten_after_a_day(impatient):
    app, _token = impatient
    with app.app_context():
        with pytest.raises(DatabaseLocked), transaction():
            pass
        assert problems.longest_wait() >= timedelta(seconds=0.3)
        with time_machine.travel(clock.now() + timedelta(hours=26)):
            assert problems.longest_wait() is None


def test_writer_that_did_not_wait_is_not_noted(app):
    with app.app_context():
        with transaction():
            pass
        assert problems.longest_wait() is None


def test_failed_task_is_noted_and_a_refused_one_is_not(app):
    def fail(_progress):
        raise DiskFull

    with app.app_context():
        jobs.wait(jobs.start("backup", SYSTEM, fail, title=Message("Manual backup")).id, 20)
        [found] = problems.recent()
    assert (found.code, str(found.message)) == ("task-backup", "The disk is full. Nothing was changed.")


def test_only_the_latest_kinds_are_kept(app):
    with app.app_context():
        for number in range(problems.MOST + 3):
            problems.note(f"kind-{number}", Message("It failed."))
        assert len(problems.recent()) == problems.MOST
        with time_machine.travel(clock.now() + timedelta(days=8)):
            problems.note("later", Message("It failed."))
            assert [each.code for each in problems.recent(timedelta(days=30))] == ["later"]


def test_noting_fails_in_silence(app, folder):
    with app.app_context():
        (folder / "runtime.db").mkdir()
        problems.note("one", Message("It failed."))
        problems.note_wait(3)


def test_processes_that_serve_are_counted(app, make_config):
    other = create_app(make_config())
    with app.app_context():
        assert safety.count_workers() == 0
        Scheduler(app).appear()
        Scheduler(other).appear()
        # Both live in the process of this test.
        assert safety.count_workers() == 1
        with time_machine.travel(clock.now() + timedelta(minutes=3)):
            assert safety.count_workers() == 0
    close(other)


DAY = timedelta(days=1)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def backup(age: timedelta, size_bytes: int) -> Backup:
    fact = BackupFact(
        name=f"assistants_backup_{age.days}.json", kind="scheduled", state="verified", is_ours=True, is_pinned=False,
        is_late=False, made_at=clock.to_text(NOW - age), size_bytes=size_bytes, has_file=True,
    )  # fmt: skip
    return from_fact(fact, has_file=True)


class TestGrowth:
    def test_is_what_the_last_days_brought(self, app):
        made = [backup(n * DAY, 3_000_000) for n in range(4)]
        with app.app_context():
            assert growth_per_day(made, [], NOW) == 3_000_000

    def test_is_not_known_from_one_day(self, app):
        with app.app_context():
            assert growth_per_day([], [], NOW) is None
            assert growth_per_day([backup(DAY / 24, 9), backup(DAY / 12, 9)], [], NOW) is None

    def test_counts_what_retention_takes_and_what_the_database_grows_by(self, app):
        made = [backup(n * DAY, 7_000_000) for n in range(31)]
        grown = [Snapshot("new", NOW, 9_000_000), Snapshot("old", NOW - 2 * DAY, 5_000_000)]
        with app.app_context(), time_machine.travel(NOW):
            steady = growth_per_day(made, [], NOW)
            assert -1_000_000 <= steady <= 1_000_000
            assert growth_per_day(made, grown, NOW) - steady == 4 * 2_000_000
