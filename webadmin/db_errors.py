"""What can go wrong with an SQLite file, in words, and which of them an error of the driver stands for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from webadmin import config, disk
from webadmin.errors import N_, DomainError, Unavailable


class DatabaseLocked(Unavailable):
    """Another program held the write lock longer than `DB_TIMEOUT`."""

    retry_after_seconds = 5

    def __init__(self) -> None:
        super().__init__(
            N_("Another program holds the database's write lock. Nothing was changed."),
            hint=N_("Try again in a few seconds; reading works meanwhile."),
        )


class DiskFull(Unavailable):
    """The disk had no room for the write; it was rolled back."""

    def __init__(self) -> None:
        super().__init__(
            N_("The disk is full. Nothing was changed."),
            hint=N_("Free some space on the disk that holds the data folder, then repeat."),
        )


class DiskFailing(Unavailable):
    """The system could not read or write the file, and not for want of room."""

    def __init__(self) -> None:
        super().__init__(
            N_("The disk reports an error at the database. Nothing was changed."),
            hint=N_("Copy the data folder to another disk, then look into the log of this machine."),
        )


class DatabaseCorrupt(Unavailable):
    """SQLite reports that the file is damaged or is no database."""

    def __init__(self) -> None:
        super().__init__(
            N_("The database file is damaged or is not a database."),
            hint=N_("Press «Recover now» on the health page, or run: flask recover"),
        )


class CannotBeChecked(Unavailable):
    """SQLite cannot run its check over the file, which says nothing about the file itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            N_("SQLite cannot check the database: %(reason)s"),
            hint=N_("Another program gave it an index or a rule that needs a function of its own; drop it if you can."),
            reason=reason,
        )


class DatabaseReadOnly(Unavailable):
    """The file or its folder may not be written."""

    def __init__(self) -> None:
        super().__init__(
            N_("The database may not be written. Nothing was changed."),
            hint=N_("Give the account that runs this program write permission on the data folder."),
        )


class DatabaseNewer(Unavailable):
    """The schema was written by a later version of this program."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            N_("The database has schema %(found)s; this version of the program knows those up to %(known)s."),
            hint=N_(
                "Start the version that wrote it, or a later one. Or put the snapshot from before its upgrade in place"
                " (docs/troubleshooting.md)."
            ),
            found=found,
            known=known,
        )


_BY_SQLITE_CODE: dict[int, type[DomainError]] = {
    sqlite3.SQLITE_BUSY: DatabaseLocked,
    sqlite3.SQLITE_LOCKED: DatabaseLocked,
    sqlite3.SQLITE_FULL: DiskFull,
    sqlite3.SQLITE_CORRUPT: DatabaseCorrupt,
    sqlite3.SQLITE_NOTADB: DatabaseCorrupt,
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_CANTOPEN: DatabaseReadOnly,
    sqlite3.SQLITE_PERM: DatabaseReadOnly,
}


def is_read_only(error: BaseException) -> bool:
    """Whether the driver says that its connection cannot write."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF == sqlite3.SQLITE_READONLY


def is_locked(error: BaseException) -> bool:
    """Whether the driver says that another connection holds the lock."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def translate(error: BaseException) -> DomainError | None:
    """The domain error that an error of the database's driver or of the storage stands for; None for a bug."""
    if isinstance(error, OSError):
        return disk.refusal(error)
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        # The low byte is the primary code; extended codes tell only where it happened (SQLite, «Result Codes»).
        code = (getattr(original, "sqlite_errorcode", 0) or 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR:
            return DiskFull() if _is_disk_full() else DiskFailing()
        kind = _BY_SQLITE_CODE.get(code)
        return kind() if kind else None  # type: ignore[call-arg]
    return None


def _is_disk_full() -> bool:
    """What an input or output error does not tell: SQLite calls a quota and a limit of the size of files so, too."""
    path = config.current().database_path
    try:
        size = max(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
    except (OSError, ValueError):
        size = 0
    error = disk.probe(path.parent, size_bytes=size)
    return error is not None and error.errno in disk.FULL


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what the driver raises into the domain error of the same meaning."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error
