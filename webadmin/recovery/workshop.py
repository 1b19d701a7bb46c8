"""The folder beside the database in which a recovery is made, and what it asks of the damaged file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from webadmin import config, damage, db, disk
from webadmin.errors import N_, Conflict, Unavailable

PARTS = ("", "-wal", "-shm")
_COPYING = Path(__file__).with_name("copying.py")


class RecoveryStopped(Unavailable):
    """The system refused something; the damaged file is as it was."""


class RecoveryRuns(Conflict):
    """One at a time: another process, or another task, is at work on a recovery."""

    def __init__(self) -> None:
        super().__init__(
            N_("Another recovery is being made at this moment. Nothing was changed."),
            hint=N_("Wait until it has ended, then look at the health page again."),
        )


def database() -> Path:
    """The database that is damaged or lost."""
    return config.current().database_path


def folder() -> Path:
    """Where the new database, and the plan for it, lie until they are put in place."""
    return database().parent / ".recovery"


@contextmanager
def alone() -> Iterator[None]:
    """Be the only one at work on a recovery. Raises RecoveryRuns, DiskFull, RecoveryStopped (the system refused)."""
    lock = FileLock(database().parent / ".recovery.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RecoveryRuns from None
    try:
        with db.translated_errors():
            yield
    except OSError as error:
        if error.errno in disk.FULL:
            raise db.DiskFull from error
        raise RecoveryStopped(
            N_("The recovery was stopped: %(reason)s. Nothing was changed."),
            hint=N_("Mend the cause, then begin again."),
            reason=error.strerror or str(error),
        ) from error
    finally:
        lock.release()


def clear() -> None:
    """Leave nothing of a recovery behind; the damaged file is not in here."""
    shutil.rmtree(folder(), ignore_errors=True)


def copy_damaged(source: Path, target: Path) -> bool:
    """Copy the damaged file with its log, which reading may change. Returns whether there is a file. Raises OSError."""
    if not source.exists() or not source.stat().st_size:
        return False
    for part in PARTS[:2]:
        if Path(f"{source}{part}").exists():
            copy_file(Path(f"{source}{part}"), Path(f"{target}{part}"))
    return True


def copy_file(source: Path, target: Path) -> None:
    """Copy one file in a process of its own, as far as the disk reads it. Raises OSError."""
    # Both are paths of the settings.
    done = subprocess.run([sys.executable, "-I", _COPYING, source, target], check=False)  # noqa: S603
    if done.returncode:
        number = abs(done.returncode)
        raise OSError(number, os.strerror(number), str(source))


def identity(path: Path) -> list[list[int] | None]:
    """What tells whether somebody wrote to a database: number, size and time of its file and of its log."""
    found: list[list[int] | None] = []
    for part in PARTS[:2]:
        try:
            status = Path(f"{path}{part}").stat()
        except FileNotFoundError:
            found.append(None)
        else:
            # Whoever only opens a database leaves an empty log beside it.
            found.append([status.st_ino, status.st_size, status.st_mtime_ns] if status.st_size else None)
    return found


@contextmanager
def opened(path: Path) -> Iterator[Engine]:
    """An engine on a file, closed at the end."""
    engine = db.open_file(path)
    try:
        yield engine
    finally:
        engine.dispose()


def is_needed() -> bool:
    """Whether the database is known to be damaged or is not there."""
    return damage.find(database()) is not None or damage.is_gone(database())


def check_needed() -> None:
    """Raise Conflict when the database is sound; the note of one that was mended goes."""
    path = database()
    if damage.find(path) is not None and path.exists():
        # Somebody may have put a sound file there, or a recovery was killed at its very end.
        with opened(path) as engine:
            damage.look(engine, path)
    if not is_needed():
        clear()
        raise Conflict(N_("The database is not damaged. Nothing was done."), hint=N_("Look at it with: flask doctor"))


def remove_leftovers() -> None:
    """Clear what a recovery that was killed at its very end left beside a sound database. Raises OSError."""
    if folder().exists() and not is_needed():
        with suppress(RecoveryRuns), alone():
            clear()
