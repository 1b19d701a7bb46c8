"""The rows about backups: written for what the folder holds, and known to be in step with it.

They are an index. Losing them costs a look at every file; without a writable database they follow later.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Session

from webadmin import clock, config, db
from webadmin.backups import folder as folder_of
from webadmin.backups.folder import no_such_backup
from webadmin.backups.history import Backup, current_folder, from_fact, is_same_file, pending, refreshed, unwritten
from webadmin.backups.models import BackupFact, Kind, OriginalBackup
from webadmin.errors import N_, Unavailable

_PATIENCE_SECONDS = 0.25
# A time as it is stored, which sorts as a text (contract 3.1).
_STORED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_log = logging.getLogger(__name__)


def sync(*, wholly: bool = False) -> None:
    """Write rows for files that are new or changed. Never fails: without a writable database the rows follow later.

    `wholly` is that of `look`.
    """
    try:
        fresh = look(wholly=wholly)
        if not fresh:
            return
        # Pages wait for nobody who holds the lock for long: the rows follow with a later look.
        if db.measure_wait(config.current().database_path, most_seconds=_PATIENCE_SECONDS) >= _PATIENCE_SECONDS:
            raise db.DatabaseLocked
        with db.transaction() as session:
            # Looked for anew: whoever made the newest file may have written its row, with all that is known of it.
            fresh = [*_outdated(session)[0], *pending()]
            names = [fact.name for fact in fresh]
            _store_all(session, fresh)
        for name in names:
            unwritten.pop((current_folder(), name), None)
    except Unavailable as error:
        _log.warning("the list of backups could not be brought up to date: %s", error)


def look(*, wholly: bool = False) -> list[BackupFact]:
    """Compare rows and folder, and return the rows that are to be written; writes nothing itself.

    Looks at nothing while both are known to be in step. `wholly` looks all the same: a file that is written over in its
    place leaves the folder as it is. Raises the errors of `webadmin.db`, FolderReadOnly.
    """
    if not wholly and is_in_step():
        return []
    key, mark, now = _step_key(), _step_mark(), time.monotonic()
    with db.reading() as connection:
        if not _is_ready(connection):
            return []
        fresh, are_alike = _outdated(Session(connection))
        fresh += pending()
    seen = _steps.get(key)
    since = seen.since if seen is not None and seen.mark == mark else now
    _steps[key] = _Step(mark, since, is_sure=are_alike and not fresh and now - since > _COARSE_SECONDS)
    return fresh


@dataclass(frozen=True, slots=True)
class _Step:
    """The state of folder and database at the last look, and since when this process sees it."""

    mark: tuple[int, ...] | None
    since: float
    is_sure: bool


# By database and folder. A folder's time of change is as coarse as its file system's clock, two seconds at the worst:
# only what was still the same that much later is surely the same.
_steps: dict[tuple[Path, Path], _Step] = {}
_COARSE_SECONDS = 2.0


def is_in_step() -> bool:
    """Whether the rows alone are known to tell what the folder holds: nothing came, went, or waits to be written."""
    seen = _steps.get(_step_key())
    return seen is not None and seen.is_sure and seen.mark is not None and seen.mark == _step_mark() and not pending()


def _step_key() -> tuple[Path, Path]:
    return config.current().database_path, current_folder()


def _step_mark() -> tuple[int, ...] | None:
    try:
        database, folder = (path.stat() for path in _step_key())
    except OSError:
        return None
    return database.st_ino, folder.st_ino, folder.st_mtime_ns


def _is_ready(connection: Connection) -> bool:
    """Whether the database has this program's schema; the copy before an upgrade is made when it has not yet."""
    columns = {column.name for column in db.table_columns(connection, BackupFact.__tablename__)}
    return columns >= set(BackupFact.__table__.columns.keys())


def _outdated(session: Session) -> tuple[list[BackupFact], bool]:
    """Rows for files that are new or changed; and whether, but for those, rows and files are the same."""
    columns = (BackupFact.size_bytes, BackupFact.changed_at, BackupFact.has_file, BackupFact.binned_at)
    known = {row.name: row for row in session.execute(select(BackupFact.name, BackupFact.made_at, *columns))}
    numbered = set(session.scalars(select(OriginalBackup.filename)))
    entries = {entry.name: entry for entry in folder_of.entries(current_folder())}
    fresh = []
    for entry in entries.values():
        row = known.get(entry.name)
        if row is None or not is_same_file(row, entry) or entry.name not in numbered:
            # Ten thousand may be new at once: nothing is asked about those that have no row.
            fresh.append(refreshed(entry, None if row is None else session.get(BackupFact, entry.name)))
    are_gone = any(row.has_file and row.binned_at is None and row.name not in entries for row in known.values())
    are_sorted = all(row.made_at is None or _STORED.fullmatch(row.made_at) for row in known.values())
    return fresh, not are_gone and are_sorted and numbered <= entries.keys() | known.keys()


def remember(fact: BackupFact, *, is_proof: bool = False) -> Backup:
    """Write a row in a transaction of its own; without a writable database it follows later, by `sync`.

    A proof takes its time: what people said of the file meanwhile stays. Raises NotFound when it went meanwhile.
    """
    number = None
    try:
        with db.reading() as connection:
            is_ready = _is_ready(connection)
        if not is_ready:
            raise Unavailable(N_("The database has not been upgraded yet."))
        with db.transaction() as session:
            if is_proof:
                _take_marks(session, fact)
            number = store(session, fact)
    except Unavailable as error:
        _log.warning("the row of the backup %s follows later: %s", fact.name, error)
        unwritten[current_folder(), fact.name] = fact
    return replace(from_fact(fact, has_file=fact.has_file), id=number)


def _take_marks(session: Session, fact: BackupFact) -> None:
    if not (current_folder() / fact.name).exists():
        raise no_such_backup()
    known = session.get(BackupFact, fact.name)
    if known is not None:
        fact.is_pinned, fact.note = known.is_pinned, known.note


def _store_all(session: Session, facts: Sequence[BackupFact]) -> None:
    """`store` for each; ten thousand new ones, after the loss of the database, at once."""
    known = {*session.scalars(select(BackupFact.name)), *session.scalars(select(OriginalBackup.filename))}
    # A file may be new in the folder and wait to be written as well: the latter, which comes last, says more.
    for fact in {fact.name: fact for fact in facts}.values():
        if fact.name in known:
            store(session, fact)
        else:
            session.add_all((fact, _numbering(fact)) if fact.has_file else (fact,))


def store(session: Session, fact: BackupFact) -> int | None:
    """Write a row, and the earlier system's row for the file beside it, whose id is returned."""
    session.merge(fact)
    if not fact.has_file:
        return None
    row = session.scalars(select(OriginalBackup).where(OriginalBackup.filename == fact.name)).first()
    if row is None:
        row = _numbering(fact)
        session.add(row)
    row.record_count = fact.record_count or 0
    row.file_size = fact.size_bytes or 0
    if fact.kind != Kind.FOUND:
        row.is_auto = int(fact.kind == Kind.SCHEDULED)
    session.flush()
    return row.id


def _numbering(fact: BackupFact) -> OriginalBackup:
    """A new row of the earlier system's table."""
    return OriginalBackup(
        filename=fact.name,
        created_at=fact.made_at or clock.now_text(),
        record_count=fact.record_count or 0,
        file_size=fact.size_bytes or 0,
        is_auto=int(fact.kind == Kind.SCHEDULED),
    )


def forget(session: Session, name: str, *, binned: str | None = None, changed_at: int | None = None) -> None:
    """Take a backup off the list; what is known of it stays under its name in the bin, if it went there.

    `changed_at` is the time of the file there, by which it shows that nobody changed it since.
    """
    session.execute(delete(OriginalBackup).where(OriginalBackup.filename == name))
    fact = session.get(BackupFact, name)
    if fact is None:
        return
    if binned is None:
        session.delete(fact)
    else:
        session.execute(delete(BackupFact).where(BackupFact.name == binned, BackupFact.name != name))
        fact.name, fact.binned_at, fact.changed_at = binned, clock.now_text(), changed_at
