"""One assistant in the stored backups: the state that each of them holds."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.orm import Session

from webadmin import catalogue, clock, db
from webadmin.backups import folder as folder_of
from webadmin.backups.document import ALTERATIONS, Document, Integrity, InvalidBackup, open_document, records
from webadmin.backups.folder import Entry
from webadmin.backups.front import unpacked
from webadmin.backups.history import Backup, current_folder, find_fact, integrity_of, list_backups
from webadmin.catalogue import Record
from webadmin.errors import N_, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of an assistant that a backup holds; `mark` is None where the backup does not hold the assistant.

    `mark` tells states apart: it is equal to that of the same record in a revision (`mark_of`).
    """

    backup: Backup
    mark: str | None
    version: int | None = None


def find_in_backup(name: str, assistant_id: str) -> Record | None:
    """The record with this id in a stored backup, None when it holds none. Reads the file once, in constant memory.

    Raises NotFound without the file, InvalidBackup when it cannot be read or was changed after it was made.
    """
    with unpacked(name) as file:
        document = open_document(file)
        with db.reading() as connection:
            integrity = integrity_of(document, find_fact(connection, name))
        if alteration := ALTERATIONS.get(integrity):
            raise InvalidBackup(
                alteration,
                hint=N_("Use another backup, or import this file as a whole: that asks first."),
            )
        return _found(records(file, document), document, assistant_id)


def _found(spans: Iterable[tuple[int, bytes]], document: Document, assistant_id: str) -> Record | None:
    is_ours = document.integrity is Integrity.RIGHT
    begin = catalogue.encode(Record(id=assistant_id, title="")).partition(b'"title":')[0]
    for index, span in spans:
        if is_ours and not span.startswith(begin):
            continue
        try:
            record, _ = catalogue.decode(
                span, index=index, created_at=document.timestamp or clock.now_text(), is_trusted=is_ours
            )
        except Invalid:
            continue
        if record.id == assistant_id:
            return record
    return None


def mark_of(record: Record) -> str:
    """What tells one state of an assistant from another."""
    return hashlib.sha256(catalogue.encode(record)).hexdigest()


def states_in_backups(assistant_id: str, *, patience_seconds: float) -> tuple[list[Kept], int]:
    """The state that each backup holds, newest first, and how many backups were left for the next call.

    A file is read once in each of its states; what cannot be relied on is left out.
    """
    until = time.monotonic() + patience_seconds
    entries = {entry.name: entry for entry in folder_of.entries(current_folder())}
    with db.reading() as connection:
        listed = [backup for backup in list_backups(Session(connection)) if backup.name in entries]
    found: list[Kept] = []
    for place, backup in enumerate(listed):
        if time.monotonic() > until:
            return found, len(listed) - place
        known = _look(str(current_folder()), entries[backup.name], assistant_id)
        if known is not None:
            found.append(Kept(backup, *known))
    return found, 0


@lru_cache(maxsize=20_000)
def _look(_folder: str, entry: Entry, assistant_id: str) -> tuple[str | None, int | None] | None:
    """Mark and version of a record in one state of a file; None where the file cannot be relied on."""
    try:
        record = find_in_backup(entry.name, assistant_id)
    except (InvalidBackup, NotFound):
        return None
    return (mark_of(record), record.version) if record else (None, None)
