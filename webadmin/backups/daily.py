"""The daily backup, which is due as long as the folder does not hold it, and the state of the backups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from webadmin import config, db
from webadmin.accounts import SCHEDULER
from webadmin.backups import folder as folder_of
from webadmin.backups import schedule
from webadmin.backups.format import check_seal
from webadmin.backups.history import Backup, current_folder, is_scheduled_for
from webadmin.backups.lookup import History, Wanted, open_history
from webadmin.backups.models import Kind, State
from webadmin.backups.strangers import installed_at, vanished
from webadmin.backups.writer import create_locked, held
from webadmin.config import Config
from webadmin.errors import N_, Unavailable

_WAIT_SECONDS = 30
_AUTOMATIC = frozenset({Kind.SCHEDULED})


def current_schedule(values: Config | None = None) -> schedule.Schedule:
    """The schedule of these settings, or of those in force."""
    values = values or config.current()
    return schedule.Schedule(values.auto_backup_time, values.timezone, values.auto_backup_days)


def next_runs(now: datetime, count: int = 1, *, values: Config | None = None) -> list[schedule.Run]:
    """The next automatic backups under these settings, or under those in force; none when they are off."""
    if not (values or config.current()).auto_backup_enabled:
        return []
    return schedule.next_runs(now, current_schedule(values), count)


def due_run(now: datetime) -> schedule.Run | None:
    """Today's automatic run when its time has come, done or not; None when they are off."""
    if not config.current().auto_backup_enabled:
        return None
    return schedule.due_run(now, current_schedule())


def run_scheduled(now: datetime) -> Backup | None:
    """Make today's backup when its time has come and the folder holds no verified one of this day; else None.

    May be called as often as one likes, from any process. Raises what `create` raises.
    """
    run = due_run(now)
    if run is None or _is_done(run):
        return None
    since = installed_at()
    # What was due before this program was here could not be in time.
    is_late = schedule.is_late(now, run) and (since is None or since <= run.due_at)
    day = run.day.isoformat()
    with held(SCHEDULER, N_("daily backup"), Kind.SCHEDULED, local_day=day, wait_seconds=_WAIT_SECONDS):
        if _is_done(run):
            return None
        return create_locked(SCHEDULER, reason=Kind.SCHEDULED, local_day=day, is_late=is_late)


def _is_done(run: schedule.Run) -> bool:
    folder, bad = current_folder(), _found_bad()
    try:
        return any(
            is_scheduled_for(entry, run.day.isoformat())
            and entry.name not in bad
            and _is_sealed(folder / entry.name, entry.size_bytes, entry.changed_at)
            for entry in folder_of.entries(folder)
        )
    except Unavailable:
        # A folder that cannot be read has no backup of today, and the run that fails then is told.
        return False


def _found_bad() -> set[str]:
    """The files that a proof found not to be what they should be, which a seal may not show: another is due."""
    try:
        with db.reading() as connection:
            history = open_history(Session(connection))
            bad = (history.walk(Wanted(has_file=True, state=state)) for state in (State.ALTERED, State.FAILED))
            return {backup.name for found in bad for backup in found}
    except Unavailable:
        # The folder alone decides: a backup needs nothing but that.
        return set()


@lru_cache(maxsize=64)
def _is_sealed(path: Path, _size: int, _changed_at: int) -> bool:
    with folder_of.open_backup(path.parent, path.name) as file:
        return check_seal(file).is_right


@dataclass(frozen=True, slots=True)
class Status:
    """What the safety function needs to know of backups."""

    has_backups: bool
    newest: Backup | None
    newest_verified_at: datetime | None
    is_newest_verified: bool
    # Proved files of ours that went without our doing; asked for nothing while rows and folder are in step.
    gone: int
    has_last_run_failed: bool
    missed_at: datetime | None
    next_at: datetime | None
    interval: timedelta
    backup_bytes: int


def status(session: Session, now: datetime) -> Status:
    """The state of the backups in few reads."""
    history = open_history(session)
    newest, verified = history.newest(Wanted(has_file=True)), history.newest(Wanted(is_verified=True))
    automatic = history.newest(Wanted(_AUTOMATIC))
    runs = next_runs(now)
    return Status(
        has_backups=newest is not None,
        newest=newest,
        newest_verified_at=verified.made_at if verified else None,
        is_newest_verified=newest is not None and newest.is_verified,
        gone=sum(each.verified_at is not None for each in vanished(history)),
        has_last_run_failed=automatic is not None and automatic.state is State.FAILED and not automatic.has_file,
        missed_at=_missed(history, now),
        next_at=runs[0].due_at if runs else None,
        interval=schedule.longest_interval(current_schedule()),
        backup_bytes=newest.size_bytes or 0 if newest else 0,
    )


def _missed(history: History, now: datetime) -> datetime | None:
    run, since = due_run(now), installed_at()
    if run is None or (since is not None and run.due_at < since):
        return None
    done = history.newest(Wanted(_AUTOMATIC, is_verified=True, local_day=run.day.isoformat()))
    return run.due_at if done is None else None
