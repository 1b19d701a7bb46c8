"""What runs by itself: the daily backup and the housekeeping, in one process of however many there are.

Every server process has the tasks, in memory; an operating-system lock decides which one acts, and another takes over
when its holder dies. APScheduler only wakes the tasks up: whether today's backup is due is decided by the folder, each
time anew (`backups.run_scheduled`), so a missed wake-up, downtime or a changed clock loses nothing.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from apscheduler.jobstores.base import JobLookupError
from filelock import FileLock, Timeout
from flask import Flask
from flask_apscheduler import APScheduler

from webadmin import (
    audit,
    backups,
    catalogue,
    clock,
    config,
    damage,
    disk,
    jobs,
    keyfile,
    notifications,
    problems,
    recovery,
    runtime,
    safety,
    snapshots,
    strict,
)
from webadmin.accounts import SCHEDULER
from webadmin.db import DatabaseLocked, db, transaction, translate
from webadmin.errors import N_, DomainError, Message

# Twice a minute: a backup starts within a minute of its time, and a lock held too long shows by the second look.
INTERVAL_SECONDS = 30
LOCK_FILE = ".scheduler.lock"
# APScheduler drops a wake-up that comes later than this, by default one of a second ago.
_GRACE_SECONDS = 366 * 86400
_BACK_OFF = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
_LEFT_OVER_AFTER = timedelta(hours=48)
_WEEK = timedelta(days=7)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class BackOff:
    """When a run that failed is tried again: after 5, 15, then each 60 minutes."""

    failures: int = 0
    not_before: datetime | None = None

    def allows(self, now: datetime) -> bool:
        """Whether a run may be tried."""
        # A clock that was put back must not hold a run off for longer than the longest pause.
        return self.not_before is None or not timedelta(0) < self.not_before - now <= _BACK_OFF[-1]

    def note_failure(self, now: datetime) -> None:
        """A run failed at `now`."""
        self.not_before = now + _BACK_OFF[min(self.failures, len(_BACK_OFF) - 1)]
        self.failures += 1

    def note_success(self) -> None:
        """A run went well, or there was nothing to do."""
        self.failures, self.not_before = 0, None


class Scheduler:
    """The scheduled tasks of one server process; whether they act is decided by the lock, at each wake-up again."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._started_at = clock.now_text()
        self._back_offs: defaultdict[str, BackOff] = defaultdict(BackOff)
        self._day_done: date | None = None
        self._day_looked: date | None = None
        # One thread takes the lock, another releases it.
        path = app.extensions["settings"].current.database_path.parent / LOCK_FILE
        self._lock = FileLock(path, mode=0o600, thread_local=False)
        self._mutex = threading.Lock()
        self._wakeups = APScheduler()
        self._is_stopping = threading.Event()

    def start(self) -> None:
        """Wake the tasks up at once, and then twice a minute."""
        # Before anybody is told the address: the runbook puts files into the folder next.
        with self._app.app_context(), _told("sign of this installation"):
            backups.leave_sign()
        self._app.config["SCHEDULER_API_ENABLED"] = False
        self._app.config["SCHEDULER_TIMEZONE"] = UTC
        self._app.config["SCHEDULER_JOB_DEFAULTS"] = {
            "coalesce": True,
            "max_instances": 1,
            "misfire_grace_time": _GRACE_SECONDS,
        }
        self._wakeups.init_app(self._app)
        tasks = (self.beat, self.back_up, self.take_snapshot, self.prove_again, self.absorb, self.keep_house)
        runs = {task.__name__: self._if(self._leads, task) for task in tasks}
        runs["prove_new"] = self._if(self._leads, self.prove_new)
        runs["notify"] = self._if(self._notifies, self.notify)
        runs["appear"] = self._if(lambda: True, self.appear)
        runs["look_for_damage"] = self._if(self._leads, self.look_for_damage)
        for name, run in runs.items():
            self._wakeups.add_job(
                name,
                run,
                trigger="interval",
                seconds=INTERVAL_SECONDS,
                next_run_time=datetime.now(UTC),
            )
        self._wakeups.start()
        threading.Thread(target=self._watch_clock, name="scheduler-clock", daemon=True).start()

    def stop(self) -> None:
        """End after the tasks that run now, and let another process lead."""
        self._is_stopping.set()
        self._wakeups.shutdown(wait=True)
        self._lock.release(force=True)

    def _watch_clock(self) -> None:
        """Wake up the tasks whose time a clock that was put back has moved away.

        APScheduler waits until its next time comes by the clock on the wall; this thread waits as time passes.
        """
        while not self._is_stopping.wait(INTERVAL_SECONDS):
            now = datetime.now(UTC)
            for job in self._wakeups.get_jobs():
                if job.next_run_time - now > timedelta(seconds=INTERVAL_SECONDS):
                    # At the end of the program they are gone one by one.
                    with suppress(JobLookupError):
                        job.modify(next_run_time=now)

    def _if(self, may_act: Callable[[], bool], task: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            audit.come_from("scheduler")
            with self._app.app_context(), _told(task.__name__):
                self._app.extensions["settings"].refresh()
                if may_act():
                    task()

        return run

    def _leads(self) -> bool:
        with self._mutex:
            if not self._lock.is_locked:
                try:
                    self._lock.acquire(timeout=0)
                except Timeout:
                    return False
                _log.info("this process runs the scheduled tasks now")
            return True

    def _notifies(self) -> bool:
        """The leader does; when it lives and is silent, every other process does, and each thing is told once still."""
        if self._leads():
            return True
        seen = safety.scheduler_seen_at()
        return seen is not None and clock.now() - seen > safety.SILENT_AFTER

    def appear(self) -> None:
        """Give the sign of life of this process, leader or not; those of processes that are gone go after a while."""
        store, now = runtime.current(), clock.now()
        store.write(
            "INSERT INTO heartbeat (name, at, details) VALUES (?, ?, '{}')"
            " ON CONFLICT (name) DO UPDATE SET at=excluded.at",
            (f"{safety.WORKER}{socket.gethostname()}:{os.getpid()}", clock.to_text(now)),
        )
        store.write(
            "DELETE FROM heartbeat WHERE name LIKE ? AND at<?",
            (f"{safety.WORKER}%", clock.to_text(now - timedelta(minutes=10))),
        )

    def beat(self) -> None:
        """Give the sign of life by which pages know that backups will be made."""
        runtime.current().write(
            "INSERT INTO heartbeat (name, at, details) VALUES ('scheduler', ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET at=excluded.at, details=excluded.details",
            (
                clock.now_text(),
                json.dumps({"host": socket.gethostname(), "process": os.getpid(), "startedAt": self._started_at}),
            ),
        )

    def back_up(self) -> None:
        """Make today's backup when its time has come and the folder has none yet."""
        self._try("back_up", backups.run_scheduled)

    def take_snapshot(self) -> None:
        """Copy the whole database once a day, from the time of the backup on."""
        self._try("take_snapshot", self._take_snapshot)

    def _take_snapshot(self, now: datetime) -> None:
        taken = snapshots.take_daily(now) if backups.due_run(now) else None
        if taken is not None:
            audit.note_done(SCHEDULER, audit.Act.SNAPSHOT_TAKEN, audit.Thing(audit.Kind.SNAPSHOT, taken.name))

    def prove_again(self) -> None:
        """Once a week prove the backup proved longest ago again, and the snapshots: what nobody reads rots unseen."""
        self._try("prove_again", self._prove_again)

    def _prove_again(self, now: datetime) -> None:
        [row] = runtime.current().read("SELECT max(at) AS at FROM heartbeat WHERE name='weekly-proof'")
        last = strict.to_instant(row["at"])
        if last is not None and timedelta(0) <= now - last < _WEEK:
            return
        proved = backups.verify_next(now - _WEEK)
        runtime.current().write(
            "INSERT INTO heartbeat (name, at, details) VALUES ('weekly-proof', ?, '{}')"
            " ON CONFLICT (name) DO UPDATE SET at=excluded.at",
            (clock.now_text(),),
        )
        names = [each.name for each in snapshots.list_snapshots()]
        altered = [name for name in names if snapshots.check(name) is snapshots.State.ALTERED]
        for name in altered:
            _log.error("the snapshot %s was changed after it was taken", name)
        notifications.tell_of_snapshots(altered)
        if proved is not None:
            level = logging.INFO if proved.is_verified else logging.ERROR
            _log.log(level, "%s was read again: %s", proved.name, proved.state)

    def prove_new(self) -> None:
        """Prove one file that was put into the folder, or whose row was lost with the database, at each wake-up."""
        self._try("prove_new", self._prove_new)

    def _prove_new(self, _now: datetime) -> None:
        proved = backups.verify_new()
        if proved is not None:
            _log.info("%s was read for the first time: %s", proved.name, proved.state)

    def notify(self) -> None:
        """Tell what has to be told, by webhook, mail and heartbeat."""
        notifications.watch(clock.now())
        notifications.deliver_due(clock.now())

    def _try(self, name: str, task: Callable[[datetime], object]) -> None:
        """Run a task that may fail for long: then not at each wake-up."""
        now, back_off = clock.now(), self._back_offs[name]
        if not back_off.allows(now):
            return
        try:
            task(now)
        except Exception:
            back_off.note_failure(clock.now())
            raise
        back_off.note_success()

    def absorb(self) -> None:
        """Write the history of what another program changed; note when one holds the write lock too long."""
        store = runtime.current()
        try:
            with transaction() as session:
                found = catalogue.absorb(session)
        except DatabaseLocked:
            # A long task of ours holds it rightly, and its page says so.
            if not jobs.running():
                now = clock.now_text()
                store.write(
                    "INSERT INTO heartbeat (name, at, details) VALUES ('write-lock', ?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET details=excluded.details",
                    (now, json.dumps({"seenAt": now})),
                )
            return
        store.write("DELETE FROM heartbeat WHERE name='write-lock'")
        if found:
            _log.info("another program changed %d assistants", found)

    def look_for_damage(self) -> None:
        """Read every page of the database, once a day and after a start, which does so itself with a small one only."""
        today = clock.now().astimezone(config.current().timezone).date()
        if self._day_looked != today:
            damage.look(db.engine, config.current().database_path)
            self._day_looked = today

    def keep_house(self) -> None:
        """What killed tasks left behind; once a day, and at the start, retention and trash."""
        jobs.running()
        jobs.forget_old()
        with _told("activity"):
            audit.settle()
        today = clock.now().astimezone(config.current().timezone).date()
        if self._day_done == today:
            return
        with _told("sign of this installation"):
            backups.leave_sign()
        with _told("retention"):
            try:
                backups.prune(SCHEDULER)
            except backups.Busy:
                # The day's backup or an import runs: all of this is tried again at the next wake-up.
                return
        with _told("log of notifications"):
            notifications.forget_old(clock.now())
        with _told("trash"), transaction() as session:
            catalogue.purge_trash(session)
        with _told("activity"):
            audit.prune(SCHEDULER, clock.now())
        with _told("leftovers"):
            disk.remove_old(jobs.folder().glob("*"), _LEFT_OVER_AFTER)
            keyfile.remove_leftovers(config.current().database_path.parent)
            snapshots.remove_leftovers()
            recovery.remove_leftovers()
        self._day_done = today


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Log what fails, and go on: one task must not keep the others from running."""
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, DomainError) else translate(error)
        if known is None:
            _log.exception("%s failed", name)
        else:
            _log.warning("%s: %s", name, known)
        unexpected = Message(N_("Unexpected error: %(kind)s"), {"kind": type(error).__name__})
        problems.note(f"scheduled-{name}", known.message if known else unexpected)
