"""Recovery of a damaged or lost database: a sound copy, and over it what the damaged file still gives.

The new database is built and proved in a folder of its own; only then it takes the place of the damaged one, which is
set aside and never deleted. A kill leaves either the damaged file with its note, or the recovered one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from webadmin import backups, catalogue, clock, config, damage, db, snapshots
from webadmin.accounts import Actor
from webadmin.catalogue import Change, Record
from webadmin.errors import N_, Conflict, DomainError, Unavailable

_BATCH = 500
_PARTS = ("", "-wal", "-shm")


class NothingToRecoverFrom(Unavailable):
    """There is neither a sound snapshot nor a verified backup."""

    def __init__(self) -> None:
        super().__init__(
            N_("There is neither a sound snapshot nor a verified backup to begin from. Nothing was changed."),
            hint=N_("Export what can be read: flask assistants export FILE. Then: flask db begin-empty"),
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """An assistant that the damaged file holds otherwise than the copy, or not; versions are None where it is not."""

    id: str
    title: str
    version_in_copy: int | None
    version_read: int | None
    is_taken: bool


@dataclass(slots=True)
class Recovery:
    """What a recovery came to: from which copy, what was read from the damaged file, and where that lies now."""

    source: str = ""
    in_copy: int = 0
    was_read: int = 0
    unreadable: int = 0
    recovered: int = 0
    set_aside: str | None = None
    differences: list[Difference] = field(default_factory=list)

    def refuse(self, record: Record) -> None:
        """A row that the table's rules do not let in: it counts as unreadable, and is listed as not taken."""
        self.unreadable += 1
        for index, listed in enumerate(self.differences):
            if listed.id == record.id:
                self.was_read -= 1
                self.differences[index] = replace(listed, is_taken=False)
                return
        self.differences.append(Difference(str(record.id), record.title, None, record.version, is_taken=False))


def recover(actor: Actor, *, take_newer: bool = True) -> Recovery:
    """Build the database anew, and put it in the place of the damaged or lost one.

    `take_newer`: whether what the damaged file holds in a higher version, or alone, comes over the copy.
    Raises Conflict when the database is sound, NothingToRecoverFrom, the errors of `webadmin.db`, OSError.
    """
    path = config.current().database_path
    with FileLock(path.parent / ".upgrade.lock", mode=0o600):
        if damage.find(path) is not None and path.exists():
            # Somebody may have put a sound file there, or a recovery was killed at its very end.
            with _open(path) as engine:
                damage.look(engine, path)
        if damage.find(path) is None and path.exists() and path.stat().st_size:
            raise Conflict(
                N_("The database is not damaged. Nothing was done."), hint=N_("Look at it with: flask doctor")
            )
        aside = damage.set_aside(path)
        with _workshop(path) as folder:
            damaged = _copy_for_reading(aside / path.name if aside else path, folder)
            new = folder / path.name
            done = Recovery()
            done.source = _build(new, damaged, actor, done)
            _bring_over(new, damaged, actor, done, take_newer=take_newer)
            _prove(new)
            done.set_aside = _swap(path, new, aside)
    return done


@contextmanager
def _workshop(path: Path) -> Iterator[Path]:
    """A folder beside the database, empty now and gone afterwards; what a kill left in it goes first."""
    folder = path.parent / ".recovery"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_for_reading(path: Path, folder: Path) -> Path | None:
    """A copy of the damaged file with its log, which reading may change; None when there is no file."""
    if not path.exists() or not path.stat().st_size:
        return None
    copy = folder / "damaged.db"
    for part in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{path}{part}", f"{copy}{part}")
    return copy


def _build(new: Path, damaged: Path | None, actor: Actor, done: Recovery) -> str:
    """Make the new database from the newest sound snapshot, else the newest verified backup; returns its name."""
    for snapshot in snapshots.list_snapshots():
        if snapshots.check(snapshot.name) is snapshots.State.SOUND:
            with suppress(db.DatabaseCorrupt):
                db.copy(snapshots.folder() / snapshot.name, new)
                _migrate(new)
                return snapshot.name
            new.unlink(missing_ok=True)
    backup = new.with_name("backup.json")
    for name in backups.names_by_time():
        if _is_verified(name, backup, damaged):
            _fill(new, backup, actor, done)
            return name
        backup.unlink(missing_ok=True)
    raise NothingToRecoverFrom


@contextmanager
def _open(path: Path) -> Iterator[Engine]:
    engine = db.open_file(path)
    try:
        yield engine
    finally:
        engine.dispose()


def _migrate(new: Path) -> None:
    with _open(new) as engine, db.writing(engine) as connection:
        if db.schema_state(connection) is not db.SchemaState.CURRENT:
            db.migrate(connection)


def _is_verified(name: str, copy: Path, damaged: Path | None) -> bool:
    """Copy a stored backup, and prove the copy: whole, and the file that was made under this name."""
    try:
        with backups.open_backup(name) as stored:
            backups.receive(stored, copy)
        with copy.open("rb") as file:
            proof = backups.prove(file)
    except db.DiskFull:
        raise
    except (DomainError, OSError):
        return False
    return proof.state is backups.State.VERIFIED and not _is_swapped(name, proof.document.sha256, damaged)


def _is_swapped(name: str, sha256: str, damaged: Path | None) -> bool:
    """Whether the damaged file says that it is another one; what cannot be read there says nothing."""
    if damaged is None:
        return False
    with _open(damaged) as engine, suppress(DBAPIError), engine.connect() as connection:
        return backups.is_other_file(backups.find_fact(connection, name), sha256)
    return False


def _fill(new: Path, backup: Path, actor: Actor, done: Recovery) -> None:
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    _migrate(new)
    scratch = new.with_name("records.db")
    backups.stage_file(actor, backup, scratch)
    with _open(scratch) as records, records.connect() as source, _open(new) as engine, db.writing(engine) as target:
        changes = (Change(None, record) for record in catalogue.iter_records(source))
        _write(target, actor, changes, done)


def _bring_over(new: Path, damaged: Path | None, actor: Actor, done: Recovery, *, take_newer: bool) -> None:
    """Compare what the damaged file gives with the copy, and write over what is newer."""
    with _open(new) as engine, db.writing(engine) as copy:
        catalogue.adopt(copy)
        done.in_copy = _count(copy)
        if damaged is not None:
            with _open(damaged) as source, suppress(db.DatabaseCorrupt), db.translated_errors(), source.connect() as c:
                seen: set[str] = set()
                changes = list(_compared(catalogue.rescue(c), copy, done, seen, take_newer=take_newer))
                done.differences += _missing(copy, seen) if seen else ()
                _write(copy, actor, changes, done)
        done.recovered = _count(copy)


def _write(target: Connection, actor: Actor, changes: Iterable[Change], done: Recovery) -> None:
    """Write the changes; a row that the table's rules refuse is listed as not taken, and stops no other."""
    pending = iter(changes)
    while batch := list(islice(pending, _BATCH)):
        if not _is_written(target, actor, batch):
            for change in batch:
                if not _is_written(target, actor, [change]):
                    done.refuse(change.record)


def _is_written(target: Connection, actor: Actor, batch: list[Change]) -> bool:
    try:
        with target.begin_nested():
            catalogue.write_records(target, actor, batch, source="import")
    except IntegrityError:
        return False
    return True


def _compared(
    records: Iterator[Record | None], copy: Connection, done: Recovery, seen: set[str], *, take_newer: bool
) -> Iterator[Change]:
    session = Session(copy)
    for read in records:
        if read is None or read.id is None:
            done.unreadable += 1
            continue
        done.was_read += 1
        seen.add(read.id)
        mine = catalogue.find_record(session, read.id)
        if mine is not None and catalogue.equal(mine, read) and mine.version == read.version:
            continue
        is_taken = take_newer and (mine is None or (read.version or 1) > (mine.version or 1))
        in_copy = mine.version if mine else None
        done.differences.append(Difference(read.id, read.title, in_copy, read.version, is_taken))
        if is_taken:
            yield Change(mine, read)


def _missing(copy: Connection, seen: set[str]) -> Iterator[Difference]:
    """What the copy alone holds: deleted after it was made, or in a part that cannot be read. It stays."""
    for id_, title, version in copy.exec_driver_sql("SELECT id, title, version FROM assistants ORDER BY id"):
        if id_ not in seen:
            yield Difference(str(id_), str(title), version, None, is_taken=False)


def _count(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM assistants NOT INDEXED").scalar_one())


def _prove(new: Path) -> None:
    """Every page sound, one file without a log, on the disk. Raises DatabaseCorrupt."""
    with closing(sqlite3.connect(new)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        with suppress(db.CannotBeChecked):
            if db.structural_faults(connection, check="integrity_check", most=1):
                raise db.DatabaseCorrupt
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(path: Path, new: Path, aside: Path | None) -> str | None:
    """Put the new file in place; the old ones get a second name in a folder of their own before they lose their first.

    A writer of another program is waited for. A kill before the last step leaves the damaged file under its name, and a
    log that it has lost is found by `damage.set_aside`.
    """
    with _held(path):
        # A log whose file is gone holds the last edits, and belongs to that file should it be found.
        if aside is None and any(Path(f"{path}{part}").exists() for part in _PARTS):
            aside = _free_folder(path)
            aside.mkdir(mode=0o700)
            # The file itself comes last: that it is there says that its log is, too.
            for part in reversed(_PARTS):
                with suppress(FileNotFoundError):
                    os.link(f"{path}{part}", aside / f"{path.name}{part}")
            _sync(aside)
        for part in _PARTS[1:]:
            Path(f"{path}{part}").unlink(missing_ok=True)
        new.replace(path)
        _sync(path.parent)
        damage.note_path(path).unlink(missing_ok=True)
    return aside.name if aside else None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as holder:
        # A file that is too damaged for that is not written by anybody.
        with suppress(sqlite3.DatabaseError):
            holder.execute("BEGIN IMMEDIATE")
        yield


def _free_folder(path: Path) -> Path:
    name = f"damaged-{clock.now():%Y%m%d_%H%M%S}"
    return path.with_name(name if not path.with_name(name).exists() else f"{name}-{os.getpid()}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
