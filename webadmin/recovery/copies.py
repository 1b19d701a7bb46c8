"""The copies that a recovery may begin from: snapshots whose checksum is right, and backups that prove to be whole."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webadmin import audit, backups, catalogue, db, snapshots
from webadmin.accounts import SYSTEM, Actor
from webadmin.backups import Progress
from webadmin.catalogue import Record
from webadmin.errors import N_, Conflict, DomainError, NotFound, Unavailable
from webadmin.recovery import workshop

Write = Callable[[Connection, Iterator[Record]], None]


class NothingToRecoverFrom(Unavailable):
    """There is neither a sound snapshot nor a verified backup."""

    def __init__(self) -> None:
        super().__init__(
            N_("There is neither a sound snapshot nor a verified backup to begin from. Nothing was changed."),
            hint=N_("Export what can be read: flask assistants export FILE. Then: flask db begin-empty"),
        )


class NotSound(Conflict):
    """The copy that somebody chose cannot be relied on."""


class Kind(StrEnum):
    """What a copy holds: the whole database, or the assistants alone."""

    SNAPSHOT = "snapshot"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy as it is listed; `count` is how many assistants it holds, None where it does not say."""

    name: str
    kind: Kind
    made_at: datetime | None
    count: int | None
    size_bytes: int


def list_copies() -> list[Copy]:
    """Sound snapshots and backups that nothing speaks against, newest first. Raises OSError.

    Backups count by what the index knows; where it cannot be read they are all listed. Each is proved when it is used.
    """
    found = [
        Copy(each.name, Kind.SNAPSHOT, each.made_at, _count(snapshots.folder() / each.name), each.size_bytes)
        for each in snapshots.list_snapshots()
        if snapshots.check(each.name) is snapshots.State.SOUND
    ]
    found += [Copy(b.name, Kind.BACKUP, b.made_at, b.record_count, b.size_bytes or 0) for b in _backups()]
    return sorted(found, key=lambda copy: (copy.made_at is not None, copy.made_at), reverse=True)


def _backups() -> list[backups.Backup]:
    try:
        with db.reading() as connection:
            listed = backups.list_backups(Session(connection))
    except Unavailable:
        return backups.found_in_folder()
    return [each for each in listed if each.has_file and each.is_verified]


def _count(snapshot: Path) -> int | None:
    """How many assistants a snapshot holds; it is opened without leaving a trace beside it."""
    address = f"file:{quote(str(snapshot))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM assistants").fetchone()[0])
    except sqlite3.Error:
        return None


def check_known(name: str) -> None:
    """Raises NotFound when no copy has this name; whether it is sound is found when it is used."""
    if not _is_snapshot(name) and name not in backups.names_by_time():
        raise NotFound(N_("There is no copy of this name."))


def build(new: Path, source: str | None, damaged: Path | None, actor: Actor, write: Write, progress: Progress) -> str:
    """Make the new database from the newest sound snapshot, else the newest verified backup; returns the copy's name.

    `source` names the copy instead. Raises NotFound and NotSound for one that was named, NothingToRecoverFrom.
    """
    names = [each.name for each in snapshots.list_snapshots()] if source is None else [source]
    for name in names:
        progress.check_cancelled()
        if _is_snapshot(name) and snapshots.check(name) is snapshots.State.SOUND:
            with suppress(db.DatabaseCorrupt):
                db.copy(snapshots.folder() / name, new)
                _migrate(new, damaged)
                return name
            new.unlink(missing_ok=True)
    backup = new.with_name("backup.json")
    for name in backups.names_by_time() if source is None else [source]:
        progress.check_cancelled()
        if backups.is_name(name) and _is_verified(name, backup, damaged, progress):
            _fill(new, backup, damaged, actor, write, progress)
            return name
        backup.unlink(missing_ok=True)
    if source is None:
        raise NothingToRecoverFrom
    check_known(source)
    raise NotSound(N_("%(name)s cannot be relied on: it does not prove to be whole. Nothing was changed."), name=source)


def bring_up_to_date(
    new: Path, snapshot: str, damaged: Path | None, actor: Actor, write: Write, progress: Progress
) -> str | None:
    """Write into the database made from a snapshot what the newest verified backup holds, if that was made later.

    Returns the name of the backup. A snapshot is of last night; a backup of this noon has what was saved since, also
    where the damaged file cannot give it any more. What only the snapshot holds stays: somebody chooses about that.
    """
    [made_at] = [each.made_at for each in snapshots.list_snapshots() if each.name == snapshot]
    backup = new.with_name("backup.json")
    for each in backups.found_in_folder():
        progress.check_cancelled()
        if each.made_at is None or each.made_at <= made_at:
            return None
        if _is_verified(each.name, backup, damaged, progress):
            _write_records(new, backup, actor, write, progress)
            return each.name
        backup.unlink(missing_ok=True)
    return None


def checksum(name: str) -> str | None:
    """The checksum of a copy as it lies there now; None when it is gone."""
    try:
        if kind_of(name) is Kind.SNAPSHOT:
            return snapshots.checksum(name)
        with backups.open_backup(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except (NotFound, FileNotFoundError):
        return None


def kind_of(name: str) -> Kind:
    """Whether this is the name of a snapshot or of a backup."""
    return Kind.SNAPSHOT if name.endswith(".db") else Kind.BACKUP


def _is_snapshot(name: str) -> bool:
    return any(each.name == name for each in snapshots.list_snapshots())


def _migrate(new: Path, damaged: Path | None) -> None:
    """Bring the new database to this schema, and the activity log of the damaged one into it, before all else."""
    with workshop.opened(new) as engine, db.writing(engine) as connection:
        if db.schema_state(connection) is not db.SchemaState.CURRENT:
            db.migrate(connection)
        if damaged is not None:
            audit.carry_over(damaged, connection)
        audit.protect(connection, SYSTEM)


def _is_verified(name: str, copy: Path, damaged: Path | None, progress: Progress) -> bool:
    """Copy a stored backup, and prove the copy: whole, and the file that was made under this name."""
    try:
        with backups.open_backup(name) as stored:
            backups.receive(stored, copy)
        with copy.open("rb") as file:
            proof = backups.prove(file, progress=progress)
    except db.DiskFull:
        raise
    except (DomainError, OSError):
        return False
    return proof.state is backups.State.VERIFIED and not _is_swapped(name, proof.document.sha256, damaged)


def _is_swapped(name: str, sha256: str, damaged: Path | None) -> bool:
    """Whether the damaged file says that it is another one; what cannot be read there says nothing."""
    if damaged is None:
        return False
    with workshop.opened(damaged) as engine, suppress(DBAPIError), engine.connect() as connection:
        return backups.is_other_file(backups.find_fact(connection, name), sha256)
    return False


def _fill(new: Path, backup: Path, damaged: Path | None, actor: Actor, write: Write, progress: Progress) -> None:
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    _migrate(new, damaged)
    _write_records(new, backup, actor, write, progress)


def _write_records(new: Path, backup: Path, actor: Actor, write: Write, progress: Progress) -> None:
    scratch = new.with_name("records.db")
    backups.stage_file(actor, backup, scratch, progress=progress)
    with (
        workshop.opened(scratch) as records,
        records.connect() as source,
        workshop.opened(new) as engine,
        db.writing(engine) as target,
    ):
        write(target, catalogue.iter_records(source))
