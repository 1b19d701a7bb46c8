"""The list of backups: the folder is the truth, rows in the database say what is known beyond it.

Reading merges the two and writes nothing; `index.sync` brings the rows up to date, also after the loss of the database.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webadmin import clock, config, strict
from webadmin.backups import contents
from webadmin.backups import folder as folder_of
from webadmin.backups.contents import Contents
from webadmin.backups.document import Document, Integrity, Layout, glance
from webadmin.backups.folder import Entry, no_such_backup
from webadmin.backups.models import BackupFact, Kind, OriginalBackup, State
from webadmin.errors import Message, Unavailable

MADE_HERE = frozenset({Kind.SCHEDULED, Kind.MANUAL, Kind.SAFETY})
# A file that lies here since about its document's time was made here; one that was copied here later was not.
_MADE_HERE_WITHIN = timedelta(days=1)
# What could not be written down yet, by folder and name: with a full disk or a locked database, memory is all there is.
unwritten: dict[tuple[Path, str], BackupFact] = {}
# A rebuild reads and writes each record once; a restore also compares it with the catalogue, writes its revision and
# waits for the disk: 2.3 to 3.9 times as long, from 1,000 to 100,000 records (benchmarks/recovery.py).
_RESTORE_PER_REBUILD = 3


@dataclass(frozen=True, slots=True)
class Backup:
    """One row of the history. `has_file` is false for a missing file and for a run that failed and left none.

    `id` is the number in the earlier system's table, None until `sync` gave it one. `is_auto` says that the daily task
    made it, this program's or the earlier system's.
    """

    name: str
    kind: Kind
    state: State
    has_file: bool
    is_ours: bool
    made_at: datetime | None
    id: int | None = None
    is_auto: bool = False
    record_count: int | None = None
    counts: dict[str, int] | None = None
    contents: Contents | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    local_day: str | None = None
    actor: str | None = None
    note: str | None = None
    upload_name: str | None = None
    is_pinned: bool = False
    is_late: bool = False
    verified_at: datetime | None = None
    rebuild_seconds: float | None = None
    error: Message | None = None
    hint: Message | None = None

    @property
    def is_verified(self) -> bool:
        """Whether a file is there that was proved to be whole."""
        return self.has_file and self.state is State.VERIFIED

    @property
    def restore_seconds(self) -> float | None:
        """How long a restore into an empty catalogue takes about, from its last rebuild; None before the first."""
        return None if self.rebuild_seconds is None else _RESTORE_PER_REBUILD * self.rebuild_seconds

    def as_json(self) -> dict[str, Any]:
        """The row of contract 5 for the API and the command line, with what is known beyond it."""
        return {
            "id": self.id,
            "filename": self.name,
            "createdAt": clock.to_text(self.made_at) if self.made_at else None,
            "recordCount": self.record_count,
            "fileSize": self.size_bytes,
            "isAuto": self.is_auto,
            "kind": self.kind,
            "state": self.state,
            "note": self.note,
            "actor": self.actor,
            "uploadedName": self.upload_name,
            "isPinned": self.is_pinned,
            "isLate": self.is_late,
            "sha256": self.sha256,
            "verifiedAt": clock.to_text(self.verified_at) if self.verified_at else None,
            "restoreSeconds": self.restore_seconds,
            "error": str(self.error) if self.error else None,
        }


def current_folder() -> Path:
    """The backup folder of the settings."""
    return config.current().database_backup_dir


def list_backups(session: Session) -> list[Backup]:
    """Every backup, newest first by the document's time; what has no readable time comes last."""
    facts = {fact.name: fact for fact in session.scalars(select(BackupFact).where(BackupFact.binned_at.is_(None)))}
    facts |= {fact.name: fact for fact in pending()}
    originals = {row.filename: row for row in session.scalars(select(OriginalBackup).order_by(OriginalBackup.id))}
    entries = {entry.name: entry for entry in folder_of.entries(current_folder())}
    found = [from_fact(refreshed(entry, facts.get(entry.name)), has_file=True) for entry in entries.values()]
    found += [from_fact(fact, has_file=False) for fact in facts.values() if fact.name not in entries]
    found += [_lost(row) for row in originals.values() if row.filename not in entries and row.filename not in facts]
    return sorted((numbered(backup, originals) for backup in found), key=_newest_first, reverse=True)


def names_by_time() -> list[str]:
    """What lies in the folder, newest document first whatever the files are called; asks no database."""
    return [backup.name for backup in found_in_folder()]


def found_in_folder() -> list[Backup]:
    """The same with what each file says of itself; nothing of it is proved."""
    found = [from_fact(discovered(entry), has_file=True) for entry in folder_of.entries(current_folder())]
    return sorted(found, key=_newest_first, reverse=True)


def get(session: Session, name: str) -> Backup:
    """One backup by its name. Raises NotFound."""
    found = next((backup for backup in list_backups(session) if backup.name == name), None)
    if found is None:
        raise no_such_backup()
    return found


def _newest_first(backup: Backup) -> tuple[datetime, str]:
    return backup.made_at or datetime.min.replace(tzinfo=UTC), backup.name


def numbered(backup: Backup, originals: dict[str, OriginalBackup]) -> Backup:
    """The same with its number in the earlier system's table."""
    row = originals.get(backup.name)
    if row is None:
        return backup
    # Of a file that was found here, its maker's row knows more than the file.
    return replace(backup, id=row.id, is_auto=bool(row.is_auto) if backup.kind is Kind.FOUND else backup.is_auto)


def as_it_is(fact: BackupFact) -> Backup:
    """A stored row as its file is now: unchanged, written over since, or gone."""
    entry = folder_of.find_entry(current_folder(), fact.name) if fact.has_file else None
    return from_fact(fact if entry is None else refreshed(entry, fact), has_file=entry is not None)


def refreshed(entry: Entry, fact: BackupFact | None) -> BackupFact:
    """The row of a file as it is now: the stored one, or a new one when the file is new or was changed."""
    if fact is not None and is_same_file(fact, entry):
        return fact
    fresh = discovered(entry)
    if fact is not None:
        # What is not said here stays as it is when the row is stored, and a file once proved would not be read again.
        fresh.verified_at = fresh.error = None
        fresh.kind, fresh.is_ours, fresh.is_pinned = fact.kind, fact.is_ours, fact.is_pinned
        fresh.note, fresh.upload_name = fact.note, fact.upload_name
        if fact.binned_at is None and _is_known_by_checksum(fact):
            fresh.sha256 = fact.sha256
    return fresh


def _is_known_by_checksum(fact: BackupFact) -> bool:
    """Whether this program wrote the bytes itself; a file that others put here may be put anew."""
    return bool(fact.is_ours or fact.kind == Kind.UPLOADED)


def find_fact(connection: Connection, name: str) -> BackupFact | None:
    """What is stored about the file of this name; None when nothing is."""
    return Session(connection).get(BackupFact, name)


def is_other_file(fact: BackupFact | None, sha256: str) -> bool:
    """Whether a file is not the one that this program made or kept under its name, however whole it is in itself."""
    return fact is not None and fact.sha256 is not None and _is_known_by_checksum(fact) and fact.sha256 != sha256


def integrity_of(document: Document, fact: BackupFact | None) -> Integrity:
    """What the file says of itself, and OTHER for a whole one that is not what `fact` knows under its name."""
    if document.integrity is not Integrity.WRONG and is_other_file(fact, document.sha256):
        return Integrity.OTHER
    return document.integrity


def is_same_file(fact: Any, entry: Entry) -> bool:
    is_here = bool(fact.has_file and fact.binned_at is None)
    return is_here and (fact.size_bytes, fact.changed_at) == (entry.size_bytes, entry.changed_at)


def from_fact(fact: BackupFact, *, has_file: bool) -> Backup:
    """A row as the history shows it; `has_file` is what the folder says."""
    is_missing = fact.has_file and not has_file
    error, hint = _said(fact)
    return Backup(
        name=fact.name,
        kind=Kind(fact.kind),
        state=State.MISSING if is_missing else State(fact.state),
        has_file=has_file,
        is_ours=fact.is_ours,
        is_auto=fact.kind == Kind.SCHEDULED,
        made_at=strict.to_instant(fact.made_at),
        record_count=fact.record_count,
        counts=json.loads(fact.counts) if fact.counts else None,
        contents=contents.decode(fact.contents) if fact.contents else None,
        size_bytes=fact.size_bytes,
        sha256=fact.sha256,
        local_day=fact.local_day,
        actor=fact.actor,
        note=fact.note,
        upload_name=fact.upload_name,
        is_pinned=bool(fact.is_pinned),
        is_late=bool(fact.is_late),
        verified_at=strict.to_instant(fact.verified_at),
        rebuild_seconds=fact.rebuild_seconds,
        error=error,
        hint=hint,
    )


def stored_error(message: Message, hint: Message | None = None) -> str:
    """What went wrong, and what to do, as a row keeps it."""
    said = {"template": message.template, "params": message.params}
    return json.dumps(said | ({"hint": asdict(hint)} if hint else {}), default=str)


def _said(fact: BackupFact) -> tuple[Message | None, Message | None]:
    if not fact.error:
        return None, None
    said = json.loads(fact.error)
    hint = said.pop("hint", None)
    return Message(**said), Message(**hint) if hint else None


def _lost(row: OriginalBackup) -> Backup:
    """A backup that only the earlier system's table still knows."""
    return Backup(
        name=row.filename,
        kind=Kind.SCHEDULED if row.is_auto else Kind.MANUAL,
        state=State.MISSING,
        has_file=False,
        is_ours=False,
        is_auto=bool(row.is_auto),
        made_at=strict.to_instant(row.created_at),
        record_count=row.record_count,
        size_bytes=row.file_size,
    )


def discovered(entry: Entry) -> BackupFact:
    """What a file says of itself, as a row that is not yet stored."""
    head = _glance(current_folder() / entry.name, entry.size_bytes, entry.changed_at)
    kind = _kind(head)
    made_at = stored_time(head.timestamp) if head else None
    return BackupFact(
        name=entry.name,
        kind=kind,
        state=State.UNCHECKED,
        has_file=True,
        is_ours=kind in MADE_HERE and _lies_here_since(entry, made_at),
        is_pinned=False,
        is_late=False,
        made_at=made_at,
        local_day=head.local_day if head else None,
        actor=head.actor if head else None,
        record_count=head.count if head and head.count >= 0 else None,
        counts=json.dumps(head.counts) if head and head.counts else None,
        size_bytes=entry.size_bytes,
        changed_at=entry.changed_at,
    )


def stored_time(text: str | None) -> str | None:
    """The time that a document states, as times are stored; None where it states none that can be read."""
    instant = strict.to_instant(text)
    return clock.to_text(instant) if instant else None


def _kind(head: Document | None) -> Kind:
    if head and head.layout is Layout.OURS and head.kind in MADE_HERE:
        return Kind(head.kind)
    return Kind.FOUND


def _lies_here_since(entry: Entry, made_at: str | None) -> bool:
    instant = strict.to_instant(made_at)
    try:
        since = datetime.fromtimestamp((current_folder() / entry.name).stat().st_ctime, UTC)
    except OSError:
        return False
    return instant is not None and abs(since - instant) < _MADE_HERE_WITHIN


@lru_cache(maxsize=20_000)
def _glance(path: Path, _size: int, _changed_at: int) -> Document | None:
    """Read the head of a file once for each of its states."""
    try:
        with folder_of.open_backup(path.parent, path.name) as file:
            return glance(file)
    except (OSError, Unavailable):
        return None


def is_scheduled_for(entry: Entry, day: str) -> bool:
    """Whether the head of a file says that it is the daily backup of that local day."""
    head = _glance(current_folder() / entry.name, entry.size_bytes, entry.changed_at)
    return head is not None and head.kind == Kind.SCHEDULED and head.local_day == day


def pending() -> list[BackupFact]:
    """Rows that could not be written down yet."""
    return [fact for (folder, _), fact in unwritten.items() if folder == current_folder()]
