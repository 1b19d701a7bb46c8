"""What is told when: each event through its real cause, once, whoever looks; tried until it arrives or is given up."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import time_machine

from tests.factories import make_record, store
from tests.notifications.conftest import by_mail, look
from tests.people import close
from webadmin import backups, config, notifications, snapshots
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.db import db, transaction
from webadmin.errors import DomainError
from webadmin.notifications import KEPT_DAYS, RETRIES, Destination, Event, Outcome
from webadmin.scheduler import Scheduler

NOW = datetime(2026, 11, 23, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def events(hook) -> list[str]:
    return [json.loads(body)["event"] for _, _, _, body in hook.got]


def back_up(at: datetime = NOW) -> backups.Backup | None:
    with time_machine.travel(at, tick=False):
        return backups.run_scheduled(at)


@contextmanager
def full_disk(room: int):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def failed_run(app, at: datetime = NOW) -> None:
    """The daily backup fails: the disk has no room for it."""
    store(app, make_record(prompt="x" * 3_000_000))
    with closing(sqlite3.connect(config.current().database_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with full_disk(1_000_000), suppress(DomainError):
        back_up(at)


def alter(name: str) -> None:
    """Change a byte, and leave size and time as they were."""
    path = config.current().database_backup_dir / name
    state = path.stat()
    path.write_bytes(path.read_bytes().replace(b"scheduler", b"nobody..."))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_a_failed_run_is_told_once_and_so_is_its_end(site, hook, post):
    app = site(WEBHOOK_URL=hook.url, **by_mail(post))
    failed_run(app)
    for minute in range(5):
        look(NOW + minute * MINUTE)
    assert events(hook) == ["failure"]
    said = json.loads(hook.got[0][3])
    assert (said["state"], said["title"], said["at"]) == (
        "last-failed",
        "Last backup failed",
        "2026-11-23T02:01:00.000Z",
    )
    assert [mail["Subject"] for mail in post.mails] == ["[Assistant Admin] Last backup failed"]
    made = back_up(NOW + 6 * MINUTE)
    for minute in range(6, 30):
        look(NOW + minute * MINUTE)
    assert events(hook) == ["failure", "recovered"]
    said = json.loads(hook.got[1][3])
    assert (said["state"], said["title"]) == ("safe", "The trouble is over")
    assert said["newestVerifiedAt"] == made.as_json()["createdAt"]
    assert post.mails[1]["Subject"] == "[Assistant Admin] The trouble is over"


def test_a_late_backup_is_told_once(site, hook):
    app = site(WEBHOOK_URL=hook.url)
    back_up(NOW - timedelta(days=1))
    noon = NOW + timedelta(hours=10)
    with time_machine.travel(noon, tick=False):
        Scheduler(app).beat()
    look(noon)
    look(noon + MINUTE)
    assert events(hook) == []
    # What was seen first stands in the file: a server that starts again and again still tells it.
    app = create_app(app.extensions["settings"].current)
    with app.app_context():
        for minute in (2, 3, 4):
            look(noon + minute * MINUTE)
    close(app)
    assert events(hook) == ["late"]
    assert json.loads(hook.got[0][3])["line"] == "Expected 02:00"


def test_a_backup_that_is_made_up_after_the_machine_was_off_is_no_news(site, hook):
    app = site(WEBHOOK_URL=hook.url)
    scheduler = Scheduler(app)
    back_up(NOW - timedelta(days=1))
    for days in (0, 4):
        morning = NOW + timedelta(days=days, hours=7)
        for minute in range(20):
            with time_machine.travel(morning + minute * MINUTE, tick=False):
                scheduler.beat()
            look(morning + minute * MINUTE)
            if minute == 0:
                back_up(morning)
    assert events(hook) == []


def test_a_damaged_database_is_told(site, hook):
    site(WEBHOOK_URL=hook.url)
    look(NOW)
    db.engine.dispose()
    path = config.current().database_path
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
    path.write_bytes(b"This is no database. " * 1000)
    look(NOW + MINUTE)
    look(NOW + 2 * MINUTE)
    assert [(e["event"], e["state"]) for e in (json.loads(got[3]) for got in hook.got)] == [("failure", "damaged")]


def test_a_restart_and_other_processes_tell_nothing_twice(site, hook, make_config):
    app = site(WEBHOOK_URL=hook.url)
    failed_run(app)
    look(NOW)
    again = create_app(config.current())
    with again.app_context():
        look(NOW + MINUTE)
    close(again)
    assert events(hook) == ["failure"]


def test_processes_that_look_at_the_same_time_tell_it_once(site, hook, make_config):
    app = site(WEBHOOK_URL=hook.url)
    failed_run(app)
    others = [create_app(config.current()) for _ in range(3)]

    def tell(each):
        with each.app_context():
            notifications.watch(NOW)
            notifications.deliver_due(NOW)

    with time_machine.travel(NOW, tick=False), ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, [app, *others] * 4))
    for each in others:
        close(each)
    assert events(hook) == ["failure"]


def test_whoever_sets_a_destination_up_is_told_of_the_trouble_there_is(site, hook):
    app = site()
    failed_run(app)
    assert look(NOW) == []
    with site(WEBHOOK_URL=hook.url).app_context():
        look(NOW + MINUTE)
    assert events(hook) == ["failure"]


class TestBadBackups:
    def test_a_changed_byte_found_by_the_weekly_proof_is_told_once(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        name = back_up().name
        for day in range(1, 9):
            back_up(NOW + timedelta(days=day))
        alter(name)
        scheduler = Scheduler(app)
        for days in (8, 8.01, 16):
            at = NOW + timedelta(days=days)
            with time_machine.travel(at, tick=False):
                scheduler.prove_again()
            look(at)
        told = [json.loads(body) for _, _, _, body in hook.got]
        assert [(each["event"], each["backups"]) for each in told if each["event"] == "backup-bad"] == [
            ("backup-bad", [name])
        ]

    def test_several_are_one_message(self, site, hook):
        site(WEBHOOK_URL=hook.url)
        names = [back_up(NOW + timedelta(days=day)).name for day in range(2)]
        for name in names:
            alter(name)
        backups.verify_all()
        look(NOW + timedelta(days=1))
        told = [json.loads(body) for _, _, _, body in hook.got]
        assert [each["backups"] for each in told if each["event"] == "backup-bad"] == [names]

    def test_a_bad_file_that_others_put_there_is_not_news(self, site, hook):
        site(WEBHOOK_URL=hook.url)
        back_up()
        (config.current().database_backup_dir / "assistants_backup_by_hand.json").write_text("{")
        backups.verify_all()
        look(NOW)
        assert hook.got == []

    def test_an_altered_snapshot_found_by_the_weekly_proof_is_told_once(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        with time_machine.travel(NOW, tick=False):
            taken = snapshots.take_daily(NOW)
        path = config.current().database_path.parent / "snapshots" / taken.name
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        for days in (8, 16):
            at = NOW + timedelta(days=days)
            with time_machine.travel(at, tick=False):
                Scheduler(app).prove_again()
            look(at)
        told = [json.loads(body) for _, _, _, body in hook.got]
        assert [each["backups"] for each in told if each["event"] == "backup-bad"] == [[taken.name]]


class TestHeartbeat:
    def test_it_is_called_once_for_each_proved_automatic_backup(self, site, hook):
        site(HEARTBEAT_URL=hook.url)
        for minute in range(3):
            look(NOW + minute * MINUTE)
        assert hook.got == []
        back_up(NOW + 3 * MINUTE)
        for minute in range(3, 6):
            look(NOW + minute * MINUTE)
        assert [(method, path) for method, path, _, _ in hook.got] == [("GET", "/hook/s3cret?key=abc")]
        back_up(NOW + timedelta(days=1))
        look(NOW + timedelta(days=1))
        assert len(hook.got) == 2

    def test_nothing_else_calls_it(self, site, hook):
        app = site(HEARTBEAT_URL=hook.url)
        look(NOW)
        with time_machine.travel(NOW + MINUTE, tick=False):
            backups.create(SYSTEM)
        failed_run(app, NOW + 2 * MINUTE)
        look(NOW + 3 * MINUTE)
        made = back_up(NOW + 4 * MINUTE)
        path = config.current().database_backup_dir / made.name
        path.write_bytes(path.read_bytes().replace(b"scheduler", b"nobody..."))
        backups.verify(made.name)
        look(NOW + 5 * MINUTE)
        assert hook.got == []

    def test_a_backup_of_before_it_was_set_up_does_not_count(self, site, hook):
        site()
        back_up()
        site(HEARTBEAT_URL=hook.url)
        look(NOW + timedelta(hours=1))
        look(NOW + timedelta(hours=2))
        assert hook.got == []


class TestRetries:
    def test_what_does_not_arrive_is_tried_again_with_the_same_id_and_then_given_up(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        hook.statuses = [500] * 20
        failed_run(app)
        minutes = []
        for minute in range(120):
            before = len(hook.got)
            [entry] = look(NOW + minute * MINUTE)
            minutes += [minute] * (len(hook.got) - before)
        assert minutes == [0, 1, 6, 21, 81]
        assert len({headers["x-notification-id"] for _, _, headers, _ in hook.got}) == 1
        assert (entry.outcome, entry.attempts, entry.next_at) == (Outcome.FAILED, len(RETRIES) + 1, None)
        assert str(entry.answer) == "localhost answered with the status 500."

    def test_what_arrives_at_the_second_try_is_not_sent_again(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        hook.statuses = [503]
        failed_run(app)
        for minute in range(30):
            [entry] = look(NOW + minute * MINUTE)
        assert (len(hook.got), entry.outcome, entry.attempts) == (2, Outcome.DELIVERED, 2)

    def test_one_destination_does_not_hold_another_up(self, site, hook, post):
        app = site(WEBHOOK_URL="http://localhost:1/x", **by_mail(post))
        failed_run(app)
        outcomes = {entry.destination: entry.outcome for entry in look(NOW)}
        assert outcomes == {Destination.WEBHOOK: Outcome.WAITING, Destination.MAIL: Outcome.DELIVERED}

    def test_a_process_that_died_in_the_middle_is_made_good(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        failed_run(app)
        with time_machine.travel(NOW, tick=False):
            notifications.watch(NOW)
            [entry] = notifications.newest()
            assert notifications.log.claim(entry, NOW)
            assert not notifications.log.claim(entry, NOW)
        look(NOW + MINUTE)
        assert hook.got == []
        look(NOW + 5 * MINUTE)
        assert events(hook) == ["failure"]

    def test_clock_put_back_does_not_hold_them_off(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        hook.statuses = [500]
        failed_run(app)
        look(NOW)
        look(NOW - timedelta(days=30))
        assert len(hook.got) == 2

    def test_the_log_is_kept_for_a_time(self, site, hook):
        app = site(WEBHOOK_URL=hook.url)
        failed_run(app)
        look(NOW)
        for days, count in ((KEPT_DAYS - 1, 1), (KEPT_DAYS + 1, 0)):
            with time_machine.travel(NOW + timedelta(days=days), tick=False):
                Scheduler(app).keep_house()
            assert len(notifications.newest()) == count


def test_a_full_disk_is_told_though_nothing_can_be_queued(site, hook):
    site(WEBHOOK_URL=hook.url)
    look(NOW)
    with closing(sqlite3.connect(config.current().database_path.with_name("runtime.db"))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with full_disk(0):
        for minute in range(1, 4):
            at = NOW + minute * MINUTE
            with time_machine.travel(at, tick=False):
                notifications.watch(at)
    assert [(said["event"], said["state"]) for said in (json.loads(got[3]) for got in hook.got)] == [
        ("failure", "cannot-write")
    ]
    back_up(NOW + 4 * MINUTE)
    for minute in range(5, 20):
        look(NOW + minute * MINUTE)
    assert events(hook) == ["failure", "recovered"]


def test_a_running_task_does_not_hold_a_notification_up(site, hook):
    app = site(WEBHOOK_URL=hook.url)
    failed_run(app)
    with transaction():
        look(NOW)
    assert events(hook) == ["failure"]


def test_it_holds_nothing_of_an_assistant(site, hook):
    app = site(WEBHOOK_URL=hook.url)
    store(app, make_record("ast_2", title="A title to keep", prompt="A prompt to keep"))
    failed_run(app)
    look(NOW)
    [entry] = notifications.newest()
    assert "to keep" not in entry.content.stored() + hook.got[0][3].decode()
    assert entry.event is Event.FAILURE
