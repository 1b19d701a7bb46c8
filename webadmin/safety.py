"""Is the data safe? One function answers it for the pill, the headline, the health check and the dashboard.

`decide` is pure: facts in, the first state that fits out. `current` gathers the facts by cheap reads and keeps the
answer for a few seconds, so that every page can ask.
"""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from webadmin import backups, catalogue, clock, config, damage, db, disk, jobs, runtime, strict
from webadmin.accounts import Actor
from webadmin.errors import N_, Message, Unavailable
from webadmin.jobs import Job, Progress

MANUAL_BACKUP = "backup"
"""The kind of task of a backup made by hand."""
NO_GOOD_AFTER = timedelta(hours=48)
OVERDUE_AFTER = timedelta(hours=6)
SILENT_AFTER = timedelta(minutes=5)
LOCKED_AFTER = timedelta(seconds=30)
DISK_LOW_BYTES = 500_000_000
DISK_LOW_BACKUPS = 10
_MB = 1_000_000


class Color(StrEnum):
    """How bad it is: a fact is told, a look is due, action is due."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class State(StrEnum):
    """The states in their order: the first that fits counts."""

    DAMAGED = "damaged"
    CANNOT_WRITE = "cannot-write"
    NO_GOOD_BACKUP = "no-good-backup"
    LAST_FAILED = "last-failed"
    NO_BACKUP_YET = "no-backup-yet"
    LATE = "late"
    NOT_VERIFIED = "not-verified"
    SWITCHED_OFF = "switched-off"
    DISK_NEARLY_FULL = "disk-nearly-full"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision rests on. Instants are aware; local ones carry the configured zone."""

    now: datetime
    is_damaged: bool
    # The same state, with other words: there is no file, or an empty one.
    is_gone: bool
    # Why nothing can be written: a state of the disk or folder, found by writing.
    write_trouble: Message | None
    locked_since: datetime | None
    # When this program first saw an assistant; None while the catalogue is empty.
    catalogue_since: datetime | None
    has_backups: bool
    newest_verified_at: datetime | None
    is_newest_verified: bool
    has_last_run_failed: bool
    is_automatic: bool
    # The time of a run that is over and has not been made good.
    missed_at: datetime | None
    next_at: datetime | None
    interval: timedelta
    # The scheduler's last sign of life, or this process's start when that is later.
    scheduler_seen_at: datetime | None
    free_bytes: int | None
    backup_bytes: int


@dataclass(frozen=True, slots=True)
class Safety:
    """The answer: state, colour, and the words for pill (title and line) and dashboard (headline)."""

    state: State
    color: Color
    title: Message
    line: Message
    headline: Message


_HEADLINES = {
    Color.OK: Message(N_("Your data is safe")),
    Color.WARN: Message(N_("Check your backups")),
    Color.BAD: Message(N_("Your data is at risk")),
}


def decide(facts: Facts) -> Safety:
    """The first state that fits the facts, in the order of `State`."""
    for rule in _RULES:
        found = rule(facts)
        if found is not None:
            return found
    return _safe(facts)


def _answer(state: State, color: Color, title: Message, line: Message) -> Safety:
    return Safety(state, color, title, line, _HEADLINES[color])


def _damaged(facts: Facts) -> Safety | None:
    if not facts.is_damaged:
        return None
    title = N_("Database is missing") if facts.is_gone else N_("Database is damaged")
    return _answer(State.DAMAGED, Color.BAD, Message(title), Message(N_("Read-only, recover now")))


def _cannot_write(facts: Facts) -> Safety | None:
    line = facts.write_trouble
    if line is None and facts.locked_since is not None and facts.now - facts.locked_since >= LOCKED_AFTER:
        line = Message(N_("Another program holds the write lock"))
    if line is None:
        return None
    return _answer(State.CANNOT_WRITE, Color.BAD, Message(N_("Changes cannot be saved")), line)


def _no_good_backup(facts: Facts) -> Safety | None:
    limit = max(NO_GOOD_AFTER, 2 * facts.interval)
    since = facts.newest_verified_at or facts.catalogue_since
    if since is None or facts.now - since <= limit:
        return None
    title = Message(N_("No good backup for %(days)d days"), {"days": (facts.now - since) // timedelta(days=1)})
    return _answer(State.NO_GOOD_BACKUP, Color.BAD, title, Message(N_("Back up now")))


def _last_failed(facts: Facts) -> Safety | None:
    if not facts.has_last_run_failed:
        return None
    line = _good_copy(facts)
    return _answer(State.LAST_FAILED, Color.WARN, Message(N_("Last backup failed")), line)


def _no_backup_yet(facts: Facts) -> Safety | None:
    if facts.has_backups:
        return None
    title, line = N_("No backup yet"), N_("Make the first one")
    return _answer(State.NO_BACKUP_YET, Color.WARN, Message(title), Message(line))


def _late(facts: Facts) -> Safety | None:
    if not facts.is_automatic:
        return None
    if facts.missed_at is not None and facts.now - facts.missed_at > OVERDUE_AFTER:
        line = Message(N_("Expected %(time)s"), {"time": f"{facts.missed_at:%H:%M}"})
        return _answer(State.LATE, Color.WARN, Message(N_("Backup is late")), line)
    seen = facts.scheduler_seen_at
    if seen is None or facts.now - seen > SILENT_AFTER:
        return _answer(
            State.LATE,
            Color.WARN,
            Message(N_("The scheduler is silent")),
            Message(N_("Backups are not made by themselves")),
        )
    return None


def _not_verified(facts: Facts) -> Safety | None:
    if facts.is_newest_verified and facts.newest_verified_at is not None:
        return None
    title = Message(N_("Newest backup not checked"))
    return _answer(State.NOT_VERIFIED, Color.WARN, title, Message(N_("Verify it")))


def _switched_off(facts: Facts) -> Safety | None:
    if facts.is_automatic:
        return None
    line = _good_copy(facts)
    return _answer(State.SWITCHED_OFF, Color.WARN, Message(N_("Automatic backups are off")), line)


def is_disk_low(facts: Facts) -> bool:
    """Whether less is free than 500 MB, or than ten backups need."""
    needed = max(DISK_LOW_BYTES, DISK_LOW_BACKUPS * facts.backup_bytes)
    return facts.free_bytes is not None and facts.free_bytes < needed


def _disk_nearly_full(facts: Facts) -> Safety | None:
    if not is_disk_low(facts):
        return None
    line = Message(N_("%(megabytes)d MB left"), {"megabytes": (facts.free_bytes or 0) // _MB})
    return _answer(State.DISK_NEARLY_FULL, Color.WARN, Message(N_("Disk nearly full")), line)


def _safe(facts: Facts) -> Safety:
    title = _age(facts, facts.newest_verified_at or facts.now, _BACKED_UP)
    line = Message(N_("Verified"))
    if facts.next_at is not None:
        line = Message(N_("Verified, next at %(time)s"), {"time": f"{facts.next_at:%H:%M}"})
    return _answer(State.SAFE, Color.OK, title, line)


_RULES: tuple[Callable[[Facts], Safety | None], ...] = (
    _damaged,
    _cannot_write,
    _no_good_backup,
    _last_failed,
    _no_backup_yet,
    _late,
    _not_verified,
    _switched_off,
    _disk_nearly_full,
)

# A sentence for each unit: none is glued together, and at most 48 hours need no plural.
_BACKED_UP = (N_("Backed up just now"), N_("Backed up %(number)d min ago"), N_("Backed up %(number)d h ago"))
_GOOD_COPY = (N_("Good copy: just now"), N_("Good copy: %(number)d min ago"), N_("Good copy: %(number)d h ago"))


def _good_copy(facts: Facts) -> Message:
    if facts.newest_verified_at is None:
        return Message(N_("No good copy yet"))
    return _age(facts, facts.newest_verified_at, _GOOD_COPY)


def _age(facts: Facts, at: datetime, templates: tuple[str, str, str]) -> Message:
    minutes = (facts.now - at) // timedelta(minutes=1)
    if minutes < 1:
        return Message(templates[0])
    return (
        Message(templates[1], {"number": minutes}) if minutes < 60 else Message(templates[2], {"number": minutes // 60})
    )


_KEPT_SECONDS = 3.0
_LOCK_NOTE_AGE = timedelta(minutes=3)
_process_started_at = clock.now()
_kept: dict[Path, tuple[float, Facts, Safety]] = {}


def current() -> Safety:
    """The answer for the current application, at most three seconds old. Never fails."""
    return _current()[1]


def current_facts() -> Facts:
    """The facts that the answer rests on, at most three seconds old; that the file is damaged shows at once."""
    return _current()[0]


def _current() -> tuple[Facts, Safety]:
    path = config.current().database_path
    kept = _kept.get(path)
    is_late = kept is not None and not kept[1].is_damaged and _is_damaged(path)
    if kept is None or is_late or time.monotonic() - kept[0] > _KEPT_SECONDS:
        facts = gather()
        kept = _kept[path] = time.monotonic(), facts, decide(facts)
    return kept[1:]


def _is_damaged(path: Path) -> bool:
    return damage.is_gone(path) or damage.find(path) is not None


def forget() -> None:
    """Look anew the next time it is asked: a backup has just been made."""
    _kept.pop(config.current().database_path, None)


def start_backup(actor: Actor, *, note: str | None = None) -> Job:
    """Begin to make a backup by hand, as a task that every way in shows; its result is the row of the backup.

    Its failures are those of `backups.create`. Raises RuntimeUnavailable.
    """

    def work(progress: Progress) -> dict[str, Any]:
        try:
            return backups.create(actor, note=note, progress=progress).as_json()
        finally:
            forget()

    return jobs.start(MANUAL_BACKUP, actor, work, title=Message(N_("Manual backup")))


def gather() -> Facts:
    """Read the facts: folder, index, heartbeat, one small write. What cannot be read is a fact of its own."""
    values, now = config.current(), clock.now()
    signs = _signs()
    trouble = _write_trouble(values.database_path.parent)
    is_damaged, status, since = _is_damaged(values.database_path), _NOTHING_KNOWN, None
    try:
        with db.reading() as connection:
            status = backups.status(Session(connection), now)
            since = strict.to_instant(catalogue.first_seen_at(connection))
    except (db.DatabaseCorrupt, damage.DatabaseGone):
        is_damaged = True
    except Unavailable as error:
        trouble = trouble or error.message
    return Facts(
        now=now,
        is_damaged=is_damaged,
        is_gone=damage.is_gone(values.database_path),
        write_trouble=trouble,
        locked_since=_locked_since(signs, now),
        catalogue_since=since,
        has_backups=status.has_backups,
        newest_verified_at=status.newest_verified_at,
        is_newest_verified=status.is_newest_verified,
        has_last_run_failed=status.has_last_run_failed,
        is_automatic=values.auto_backup_enabled,
        missed_at=status.missed_at.astimezone(values.timezone) if status.missed_at else None,
        next_at=status.next_at.astimezone(values.timezone) if status.next_at else None,
        interval=status.interval,
        scheduler_seen_at=max(_process_started_at, _seen_at(signs) or _process_started_at),
        free_bytes=_free_bytes(values.database_backup_dir),
        backup_bytes=status.backup_bytes,
    )


_NOTHING_KNOWN = backups.Status(
    has_backups=False,
    newest=None,
    newest_verified_at=None,
    is_newest_verified=False,
    has_last_run_failed=False,
    missed_at=None,
    next_at=None,
    interval=timedelta(days=1),
    backup_bytes=0,
    running=None,
)


def scheduler_seen_at() -> datetime | None:
    """The scheduler's last sign of life, in whatever process; None when there never was one."""
    return _seen_at(_signs())


def _seen_at(signs: dict[str, tuple[datetime | None, dict[str, Any]]]) -> datetime | None:
    return signs.get("scheduler", (None, {}))[0]


def _signs() -> dict[str, tuple[datetime | None, dict[str, Any]]]:
    """What the scheduler left in the runtime database: when it was first noted, and details."""
    try:
        rows = runtime.current().read("SELECT name, at, details FROM heartbeat")
    except Unavailable:
        return {}
    return {row["name"]: (strict.to_instant(row["at"]), json.loads(row["details"])) for row in rows}


def _locked_since(signs: dict[str, tuple[datetime | None, dict[str, Any]]], now: datetime) -> datetime | None:
    since, details = signs.get("write-lock", (None, {}))
    seen_at = strict.to_instant(details.get("seenAt"))
    # An old note was left by a scheduler that died; nobody knows whether it still holds.
    return since if seen_at is not None and now - seen_at < _LOCK_NOTE_AGE else None


def _write_trouble(folder: Path) -> Message | None:
    """Try it: nowhere else does it show as surely."""
    error = disk.probe(folder)
    if error is None:
        return None
    if error.errno in disk.FULL:
        return Message(N_("The disk is full"))
    return Message(_WRITE_TROUBLES.get(error.errno or 0, N_("The disk does not take what is written")))


_WRITE_TROUBLES = {
    errno.EACCES: N_("The data folder may not be written"),
    errno.EPERM: N_("The data folder may not be written"),
    errno.EROFS: N_("The data folder may not be written"),
    errno.ENOENT: N_("The data folder is gone"),
}


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free
    except OSError:
        return None
