"""The facts behind the answer, gathered by cheap reads and kept for a few seconds, so that every page can ask."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from webadmin import backups, catalogue, clock, config, damage, db, disk, runtime, strict
from webadmin.errors import N_, Message, Unavailable
from webadmin.safety.states import Facts, Safety, decide

_KEPT_SECONDS = 3.0
WORKER = "worker "
"""How the name of each server process's sign of life begins."""
_WORKER_SILENT_AFTER = timedelta(minutes=2)
_LOCK_NOTE_AGE = timedelta(minutes=3)
_FOLDER_UNUSABLE = Message(N_("The backup folder cannot be used"))
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


def gather() -> Facts:
    """Read the facts: folder, index, heartbeat, one small write. What cannot be read is a fact of its own."""
    values, now = config.current(), clock.now()
    signs = _signs()
    trouble = _write_trouble(values.database_path.parent)
    backup_trouble = _backup_trouble(values.database_backup_dir)
    is_damaged, status, since = _is_damaged(values.database_path), _NOTHING_KNOWN, None
    try:
        backups.look()
        with db.reading() as connection:
            since = strict.to_instant(catalogue.first_seen_at(connection))
            status = backups.status(Session(connection), now)
    except (db.DatabaseCorrupt, damage.DatabaseGone):
        is_damaged = True
    except backups.FolderReadOnly:
        backup_trouble = _FOLDER_UNUSABLE
    except Unavailable as error:
        trouble = trouble or error.message
    return Facts(
        now=now,
        is_damaged=is_damaged,
        is_gone=damage.is_gone(values.database_path),
        write_trouble=trouble,
        backup_trouble=backup_trouble,
        locked_since=_locked_since(signs, now),
        catalogue_since=since,
        has_backups=status.has_backups,
        newest_verified_at=status.newest_verified_at,
        is_newest_verified=status.is_newest_verified,
        is_newest_bad=status.newest is not None and status.newest.state in _BAD,
        gone=status.gone,
        has_last_run_failed=status.has_last_run_failed,
        is_automatic=values.auto_backup_enabled,
        missed_at=status.missed_at.astimezone(values.timezone) if status.missed_at else None,
        next_at=status.next_at.astimezone(values.timezone) if status.next_at else None,
        interval=status.interval,
        scheduler_seen_at=max(_process_started_at, _seen_at(signs) or _process_started_at),
        free_bytes=_free_bytes(values.database_backup_dir),
        backup_bytes=status.backup_bytes,
    )


_BAD = (backups.State.ALTERED, backups.State.FAILED)
_NOTHING_KNOWN = backups.Status(
    has_backups=False,
    newest=None,
    newest_verified_at=None,
    is_newest_verified=False,
    gone=0,
    has_last_run_failed=False,
    missed_at=None,
    next_at=None,
    interval=timedelta(days=1),
    backup_bytes=0,
)


def scheduler_seen_at() -> datetime | None:
    """The scheduler's last sign of life, in whatever process; None when there never was one."""
    return _seen_at(_signs())


def count_workers() -> int:
    """How many server processes gave a sign of life in the last two minutes."""
    now = clock.now()
    seen = (at for name, (at, _details) in _signs().items() if name.startswith(WORKER))
    return sum(at is not None and now - at < _WORKER_SILENT_AFTER for at in seen)


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


def _backup_trouble(folder: Path) -> Message | None:
    """Only asked, not tried: the folder may lie on a slow disk of another machine. One that is not there is made."""
    present = next(path for path in (folder, *folder.parents) if path.exists())
    if present.is_dir() and os.access(present, os.R_OK | os.W_OK | os.X_OK):
        return None
    return _FOLDER_UNUSABLE


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free
    except OSError:
        return None
