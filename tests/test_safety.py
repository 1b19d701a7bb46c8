"""Is the data safe? Every state from its facts, their order, and each through its real cause in a data folder."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from bs4 import BeautifulSoup
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.people import add_person, close, sign_in
from tests.receivers import Receiver, receiver
from webadmin import backups, catalogue, clock, config, notifications, runtime, safety
from webadmin.accounts import SCHEDULER, SYSTEM
from webadmin.app import create_app
from webadmin.db import DiskFull, db, transaction
from webadmin.errors import Message
from webadmin.notifications.events import CHANCE
from webadmin.runtime import RuntimeUnavailable
from webadmin.safety import Color, Facts, Safety, State, decide
from webadmin.scheduler import Scheduler

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
GOOD = Facts(
    now=NOW,
    is_damaged=False,
    is_gone=False,
    write_trouble=None,
    backup_trouble=None,
    locked_since=None,
    catalogue_since=NOW - timedelta(days=90),
    has_backups=True,
    newest_verified_at=NOW - 7 * HOUR,
    is_newest_verified=True,
    is_newest_bad=False,
    gone=0,
    has_last_run_failed=False,
    is_automatic=True,
    missed_at=None,
    next_at=datetime(2026, 11, 24, 2, 0, tzinfo=BERLIN),
    interval=timedelta(days=1),
    scheduler_seen_at=NOW - timedelta(seconds=20),
    free_bytes=9_000_000_000,
    backup_bytes=2_700_000,
)
NONE = {"has_backups": False, "newest_verified_at": None, "is_newest_verified": True}

CASES = [
    ("all is well", {}, State.SAFE, "Backed up 7 h ago", "Verified, next at 02:00"),
    ("just made", {"newest_verified_at": NOW}, State.SAFE, "Backed up just now", "Verified, next at 02:00"),
    ("young", {"newest_verified_at": NOW - 0.3 * HOUR}, State.SAFE, "Backed up 18 min ago", "Verified, next at 02:00"),
    (
        "damaged",
        {"is_damaged": True, "write_trouble": Message("The disk is full")},
        State.DAMAGED,
        "Database is damaged",
        "Read-only, recover now",
    ),
    (
        "gone",
        {"is_damaged": True, "is_gone": True},
        State.DAMAGED,
        "Database is missing",
        "Read-only, recover now",
    ),
    (
        "full disk",
        {"write_trouble": Message("The disk is full"), **NONE},
        State.CANNOT_WRITE,
        "Changes cannot be saved",
        "The disk is full",
    ),
    (
        "locked",
        {"locked_since": NOW - timedelta(seconds=30)},
        State.CANNOT_WRITE,
        "Changes cannot be saved",
        "Another program holds the write lock",
    ),
    ("locked a moment", {"locked_since": NOW - timedelta(seconds=29)}, State.SAFE, "Backed up 7 h ago", None),
    (
        "too old",
        {"newest_verified_at": NOW - 72 * HOUR, "has_last_run_failed": True},
        State.NO_GOOD_BACKUP,
        "No good backup for 3 days",
        "Back up now",
    ),
    ("48 hours", {"newest_verified_at": NOW - 48 * HOUR}, State.SAFE, "Backed up 48 h ago", None),
    (
        "twice the interval",
        {"newest_verified_at": NOW - 72 * HOUR, "interval": timedelta(days=2)},
        State.SAFE,
        "Backed up 72 h ago",
        None,
    ),
    (
        "never, old catalogue",
        {**NONE, "catalogue_since": NOW - 49 * HOUR},
        State.NO_GOOD_BACKUP,
        "No good backup for 2 days",
        "Back up now",
    ),
    ("never, young catalogue", {**NONE, "catalogue_since": NOW - HOUR}, State.NO_BACKUP_YET, "No backup yet", None),
    ("never, empty", {**NONE, "catalogue_since": None}, State.NO_BACKUP_YET, "No backup yet", "Make the first one"),
    (
        "failed",
        {"has_last_run_failed": True, "newest_verified_at": NOW - 31 * HOUR},
        State.LAST_FAILED,
        "Last backup failed",
        "Good copy: 31 h ago",
    ),
    (
        "failed, none",
        {**NONE, "catalogue_since": NOW - HOUR, "has_last_run_failed": True},
        State.LAST_FAILED,
        "Last backup failed",
        "No good copy yet",
    ),
    (
        "backup folder",
        {"backup_trouble": Message("The backup folder cannot be used")},
        State.LAST_FAILED,
        "No backup can be made",
        "The backup folder cannot be used",
    ),
    (
        "backup folder, and nothing in it",
        {"backup_trouble": Message("The backup folder cannot be used"), **NONE},
        State.NO_GOOD_BACKUP,
        "No backup can be made",
        "The backup folder cannot be used",
    ),
    (
        "late",
        {"missed_at": datetime(2026, 11, 23, 2, 0, tzinfo=BERLIN)},
        State.LATE,
        "Backup is late",
        "Expected 02:00",
    ),
    ("soon", {"missed_at": datetime(2026, 11, 23, 4, 0, tzinfo=BERLIN)}, State.SAFE, "Backed up 7 h ago", None),
    (
        "silent",
        {"scheduler_seen_at": NOW - timedelta(minutes=6)},
        State.LATE,
        "The scheduler is silent",
        "Backups are not made by themselves",
    ),
    ("never seen", {"scheduler_seen_at": None}, State.LATE, "The scheduler is silent", None),
    (
        "gone",
        {"gone": 3, "is_newest_verified": False},
        State.BACKUPS_GONE,
        "Backups gone from the folder: 3",
        "Mount it, or look where they are",
    ),
    (
        "all gone",
        {**NONE, "gone": 3, "catalogue_since": NOW},
        State.BACKUPS_GONE,
        "Backups gone from the folder: 3",
        None,
    ),
    (
        "all gone for long",
        {**NONE, "gone": 3},
        State.NO_GOOD_BACKUP,
        "No good backup for 90 days",
        "Backups gone from the folder: 3",
    ),
    ("unchecked", {"is_newest_verified": False}, State.NOT_VERIFIED, "Newest backup not checked", "Verify it"),
    (
        "altered",
        {"is_newest_verified": False, "is_newest_bad": True},
        State.NOT_VERIFIED,
        "Newest backup not verified",
        "Altered or failed, back up now",
    ),
    (
        "switched off",
        {"is_automatic": False, "scheduler_seen_at": None, "next_at": None},
        State.SWITCHED_OFF,
        "Automatic backups are off",
        "Good copy: 7 h ago",
    ),
    ("low disk", {"free_bytes": 410_000_000}, State.DISK_NEARLY_FULL, "Disk nearly full", "410 MB left"),
    (
        "ten backups",
        {"free_bytes": 900_000_000, "backup_bytes": 90_000_001},
        State.DISK_NEARLY_FULL,
        "Disk nearly full",
        "900 MB left",
    ),
]


@pytest.mark.parametrize(("changes", "state", "title", "line"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_state_follows_from_its_facts(changes, state, title, line):
    safety = decide(replace(GOOD, **changes))
    assert (safety.state, str(safety.title)) == (state, title)
    assert line is None or str(safety.line) == line


RED = {State.DAMAGED, State.CANNOT_WRITE, State.NO_GOOD_BACKUP}
instants = st.datetimes(datetime(2026, 11, 1), datetime(2026, 12, 1), timezones=st.just(UTC))
facts = st.builds(
    Facts,
    now=st.just(NOW),
    is_damaged=st.booleans(),
    is_gone=st.booleans(),
    write_trouble=st.none() | st.just(Message("The disk is full")),
    backup_trouble=st.none() | st.just(Message("The backup folder cannot be used")),
    locked_since=st.none() | instants,
    catalogue_since=st.none() | instants,
    has_backups=st.booleans(),
    newest_verified_at=st.none() | instants,
    is_newest_verified=st.booleans(),
    gone=st.integers(0, 3),
    has_last_run_failed=st.booleans(),
    is_automatic=st.booleans(),
    missed_at=st.none() | instants,
    next_at=st.none() | instants,
    interval=st.sampled_from([timedelta(days=1), timedelta(days=7)]),
    scheduler_seen_at=st.none() | instants,
    free_bytes=st.none() | st.integers(0, 10**12),
    backup_bytes=st.integers(0, 10**10),
)


@given(facts)
def test_green_means_a_good_backup_that_is_young_enough(found):
    safety = decide(found)
    assert (safety.color is Color.BAD) == (safety.state in RED)
    assert (safety.color is Color.OK) == (safety.state is State.SAFE)
    assert str(safety.title)
    assert str(safety.line)
    if safety.state is State.SAFE:
        assert not found.gone
        assert found.newest_verified_at is not None
        assert found.now - found.newest_verified_at <= max(timedelta(hours=48), 2 * found.interval)


@given(facts, st.sampled_from(["is_damaged", "has_last_run_failed"]))
def test_another_fault_never_makes_it_look_better(found, fault):
    order = [Color.BAD, Color.WARN, Color.OK]
    worse = decide(replace(found, **{fault: True})).color
    assert order.index(worse) <= order.index(decide(replace(found, **{fault: False})).color)


@pytest.fixture
def hook():
    with receiver() as made:
        yield made


@pytest.fixture
def site(make_config, hook):
    """An application with one assistant, whose context is open, and the places that say whether its data is safe."""
    built = create_app(make_config(**SETTINGS, WEBHOOK_URL=hook.url))
    with built.app_context():
        add("ast_1")
        yield Places(built, hook)
    close(built)


SETTINGS = {"WEBHOOK_SECRET": "a secret of twenty characters", "NOTIFY_ALLOW_PRIVATE": "true", "DB_TIMEOUT": "200"}
HEADLINES = {"ok": "Your data is safe", "warn": "Check your backups", "bad": "Your data is at risk"}


class Places:
    """Every place that tells the state, asked as people and programs ask."""

    def __init__(self, app: Flask, hook: Receiver) -> None:
        self.app, self.hook = app, hook
        self.scheduler = Scheduler(app)
        add_person(app, "Ada")
        self.browser = app.test_client()
        outside(lambda: sign_in(self.browser, "Ada", remember="y"))

    def told(self) -> tuple[State, str, str, str | None]:
        """State, title, line and the event of the notification, in which headline, pill, API and metrics agree."""
        safety.forget()
        found = safety.current()
        outside(lambda: self._compare(found))
        return found.state, str(found.title), str(found.line), self._notified()

    def _compare(self, found: Safety) -> None:
        state, title, line, color = found.state, str(found.title), str(found.line), str(found.color)
        page = BeautifulSoup(self.browser.get("/").text, "html.parser")
        pill = page.select_one("#safety-pill")
        assert (pill["class"], pill.strong.text, pill.small.text) == (["pill", color], title, line)
        headline = " ".join(page.select_one(".headline").get_text(" ").split())
        assert HEADLINES[color] in headline
        assert state is State.SAFE or f"{title} · {line}" in headline
        answer = self.browser.get("/api/health")
        health = answer.json.get("data") or answer.json["error"]["details"]
        assert health["safety"] == {"state": state, "color": color}
        assert (answer.status_code == 503) == ("failing" in health["checks"].values())
        assert (state not in (State.DAMAGED, State.CANNOT_WRITE)) or answer.status_code == 503
        metrics = self.browser.get("/metrics").text
        assert re.findall(r'safety_state\{state="([^"]+)"\} 1\.0', metrics) == [state]

    def _notified(self) -> str | None:
        before = len(self.hook.got)
        # What may be made good at once is told when it still is so a while later.
        for at in (clock.now(), clock.now() + CHANCE):
            notifications.watch(at)
            with contextlib.suppress(RuntimeUnavailable):
                notifications.deliver_due(at)
        new = [json.loads(body) for _, _, _, body in self.hook.got[before:]]
        said = [each for each in new if each["event"] != "backup-bad"]
        if not said:
            return None
        [only] = said
        found = safety.current()
        assert (only["state"], only["title"]) == (found.state, str(found.title))
        # How much is free changes while the tests run.
        assert found.state is State.DISK_NEARLY_FULL or only["line"] == str(found.line)
        return only["event"]


def outside(act):
    """What `act` gives in a thread, which has no context of an application: a request then has its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


def add(id: str, prompt: str = "Be one.") -> None:
    with transaction() as session:
        fields = {"title": "One", "desc": "One.", "emoji": "1", "prompt": prompt}
        catalogue.create(session, SYSTEM, fields, assistant_id=id)


def state() -> State:
    return decide(safety.gather()).state


@contextlib.contextmanager
def full_disk(room: int):
    """No file of this process may grow beyond `room` bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def later(**time: float) -> time_machine.travel:
    return time_machine.travel(datetime.now(UTC) + timedelta(**time), tick=True)


class TestRealCauses:
    """Each state by what really causes it; `told` asks every place, and compares them."""

    @pytest.fixture(autouse=True)
    def an_hour_after_the_backup_is_due(self, monkeypatch):
        """Six hours later a backup that is missing or bad would be late, too."""
        with time_machine.travel(datetime.now(UTC).replace(hour=3, minute=0), tick=True):
            monkeypatch.setattr(safety.facts, "_process_started_at", clock.now())
            yield

    @pytest.fixture(autouse=True)
    def large_disk(self, monkeypatch):
        """The machine that runs the tests may itself be short of space, which is the last thing that is told."""
        monkeypatch.setattr(safety.states, "DISK_LOW_BYTES", 0)

    def test_backup_of_today_makes_it_safe(self, site):
        site.scheduler.beat()
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        assert site.told() == (State.SAFE, "Backed up just now", "Verified, next at 02:00", None)

    def test_none_was_made_yet(self, site):
        site.scheduler.beat()
        assert site.told() == (State.NO_BACKUP_YET, "No backup yet", "Make the first one", None)

    def test_none_for_three_days(self, site):
        backups.create(SYSTEM)
        with later(days=3):
            site.scheduler.beat()
            assert site.told() == (State.NO_GOOD_BACKUP, "No good backup for 3 days", "Back up now", "failure")

    def test_none_ever_and_the_catalogue_is_old(self, site):
        with later(days=3):
            site.scheduler.beat()
            assert site.told()[::3] == (State.NO_GOOD_BACKUP, "failure")

    def test_full_disk(self, site):
        backups.create(SYSTEM)
        with full_disk(1000):
            assert site.told() == (State.CANNOT_WRITE, "Changes cannot be saved", "The disk is full", "failure")
        site.scheduler.beat()
        assert site.told()[0] is State.SAFE

    def test_lock_that_another_program_holds(self, site):
        with contextlib.closing(sqlite3.connect(config.current().database_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            site.scheduler.absorb()
            with later(seconds=31):
                site.scheduler.absorb()
                assert site.told() == (
                    State.CANNOT_WRITE, "Changes cannot be saved", "Another program holds the write lock", "failure",
                )  # fmt: skip
            other.execute("ROLLBACK")
            site.scheduler.absorb()
        assert site.told()[0] is not State.CANNOT_WRITE

    def test_failed_run(self, site):
        site.scheduler.beat()
        backups.create(SYSTEM)
        add("ast_2", "x" * 200_000)
        with full_disk(150_000), pytest.raises(DiskFull):
            backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        assert site.told() == (State.LAST_FAILED, "Last backup failed", "Good copy: just now", "failure")

    def test_folder_in_which_no_backup_can_be_made(self, site):
        site.scheduler.beat()
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        folder = config.current().database_backup_dir
        folder.rename(folder.with_name("elsewhere"))
        folder.write_text("A file in its place.")
        assert site.told() == (
            State.NO_GOOD_BACKUP,
            "No backup can be made",
            "The backup folder cannot be used",
            "failure",
        )
        folder.unlink()
        folder.with_name("elsewhere").rename(folder)
        assert site.told()[0] is State.SAFE

    def test_folder_that_is_not_mounted(self, site):
        site.scheduler.beat()
        made = [backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED).name, backups.create(SYSTEM).name]
        folder = config.current().database_backup_dir
        folder.rename(folder.with_name("elsewhere"))
        gone = (State.BACKUPS_GONE, "Backups gone from the folder: 2", "Mount it, or look where they are")
        assert site.told() == (*gone, "warning")
        # The next one goes below the mount point, and is as good as it is alone.
        with later(minutes=1):
            backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        assert site.told() == (*gone, None)
        folder.with_name("elsewhere").joinpath(made[0]).rename(folder / made[0])
        assert site.told()[1] == "Backups gone from the folder: 1"
        backups.delete(SYSTEM, made[1])
        assert site.told()[0] is State.SAFE

    def test_scheduler_that_died(self, site):
        site.scheduler.beat()
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        assert site.told()[0] is State.SAFE
        with later(minutes=10):
            assert site.told() == (
                State.LATE, "The scheduler is silent", "Backups are not made by themselves", "late",
            )  # fmt: skip

    def test_run_that_did_not_come(self, site):
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0)
        with time_machine.travel(tomorrow, tick=True):
            site.scheduler.beat()
            assert site.told() == (State.LATE, "Backup is late", "Expected 02:00", "late")

    def test_changed_byte(self, site):
        site.scheduler.beat()
        made = backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        path = config.current().database_backup_dir / made.name
        path.write_bytes(path.read_bytes().replace(b"Be one.", b"Be two."))
        assert site.told()[::3] == (State.NOT_VERIFIED, None)
        backups.verify(made.name)
        assert site.told() == (State.NOT_VERIFIED, "Newest backup not verified", "Altered or failed, back up now", None)
        assert [json.loads(got[3])["event"] for got in site.hook.got] == ["backup-bad"]

    def test_damaged_database(self, site):
        backups.create(SYSTEM)
        db.engine.dispose()
        path = config.current().database_path
        path.write_bytes(b"This is no database at all." * 500)
        for name in ("-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        assert site.told() == (State.DAMAGED, "Database is damaged", "Read-only, recover now", "failure")

    def test_lost_database(self, site):
        backups.create(SYSTEM)
        for path in config.current().database_path.parent.glob("assistants.db*"):
            path.unlink()
        assert site.told() == (State.DAMAGED, "Database is missing", "Read-only, recover now", "failure")

    def test_switched_off(self, make_config, hook):
        built = create_app(make_config(**SETTINGS, WEBHOOK_URL=hook.url, AUTO_BACKUP_ENABLED="false"))
        with built.app_context():
            backups.create(SYSTEM)
            told = Places(built, hook).told()
        close(built)
        assert told == (State.SWITCHED_OFF, "Automatic backups are off", "Good copy: just now", None)

    def test_small_disk(self, site, monkeypatch):
        site.scheduler.beat()
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
        # A disk of which less is free than that: every one.
        monkeypatch.setattr(safety.states, "DISK_LOW_BYTES", 10**18)
        state, title, _, event = site.told()
        assert (state, title, event) == (State.DISK_NEARLY_FULL, "Disk nearly full", "warning")

    def test_answer_is_kept_for_a_moment_and_cheap(self, site):
        assert safety.current() is safety.current()
        safety.forget()
        assert safety.current().state is state()

    def test_lost_runtime_file_does_not_keep_it_from_answering(self, site):
        runtime.current().close()
        runtime.current().path.write_bytes(b"garbage")
        assert state() is State.NO_BACKUP_YET
