"""Making a backup: one state of the catalogue, streamed, read back, and only then named.

Needs no write but to the backup folder: the rows that list it follow, at once or when the database can be written.
"""

from __future__ import annotations

import io
import json
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from sqlalchemy import Connection

from webadmin import audit, catalogue, clock, config, damage, db, jobs
from webadmin.accounts import Actor, Permission, require
from webadmin.backups import contents
from webadmin.backups import folder as folder_of
from webadmin.backups import format as format_of
from webadmin.backups.format import Metadata, Written
from webadmin.backups.history import Backup, current_folder, stored_error
from webadmin.backups.index import remember
from webadmin.backups.models import BackupFact, Kind, State
from webadmin.backups.reader import Progress, Silent
from webadmin.backups.scanner import MAX_OWN_VALUE
from webadmin.backups.verification import prove
from webadmin.errors import N_, DomainError, Message, Problem, Unavailable

_EVERY = 500
_OTHER = "other"
_log = logging.getLogger(__name__)


def create(
    actor: Actor,
    *,
    reason: Kind | str = Kind.MANUAL,
    note: str | None = None,
    progress: Progress | None = None,
) -> Backup:
    """Make a verified backup of the whole catalogue now.

    A run that fails is kept in the history. Raises Busy when the folder is in use, DiskFull, FolderReadOnly,
    NotProved, DatabaseDamaged, the errors of `webadmin.db`.
    """
    require(actor, Permission.BACK_UP)
    with held(actor, N_("backup"), Kind(reason)):
        return create_locked(actor, reason=Kind(reason), note=note, progress=progress)


@contextmanager
def held(
    actor: Actor, what: str, kind: Kind, *, local_day: str | None = None, wait_seconds: float = folder_of.MOMENT_SECONDS
) -> Iterator[None]:
    """Hold the folder for a backup. That it cannot be used is a run that failed, unlike that somebody else is at it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(folder_of.hold(current_folder(), who=actor.name, what=what, wait_seconds=wait_seconds))
        except folder_of.Busy:
            raise
        except (DomainError, OSError) as error:
            _remember_failure(actor, kind, clock.now(), local_day, error)
            raise
        yield


def create_locked(
    actor: Actor,
    *,
    reason: Kind,
    note: str | None = None,
    local_day: str | None = None,
    is_late: bool = False,
    progress: Progress | None = None,
) -> Backup:
    """The same for a caller that holds the folder's lock."""
    progress = progress or Silent()
    now = clock.now()
    folder_of.clean_temporary(current_folder())
    try:
        # What a damaged file still gives may be a part: exported, yes, but never the newest verified backup.
        damage.refuse(config.current().database_path)
        fact = _make(actor, reason, now, local_day, progress)
    except (DomainError, OSError) as error:
        _remember_failure(actor, reason, now, local_day, error)
        raise
    fact.note, fact.is_late = note, is_late
    audit.note_done(
        actor,
        audit.Act.BACKUP_MADE,
        audit.Thing(audit.Kind.BACKUP, fact.name),
        after=f"backup:{fact.name}",
        kind=str(reason),
        records=fact.record_count,
    )
    return remember(fact)


def _make(actor: Actor, kind: Kind, now: datetime, local_day: str | None, progress: Progress) -> BackupFact:
    folder, local = current_folder(), now.astimezone(config.current().timezone)
    with folder_of.temporary(folder) as (file, path):
        metadata, written = _write(file, kind, actor, now, local_day or local.date().isoformat(), progress)
        progress.update("verifying", 0, written.count)
        proof = prove(file, expected=written.records_sha256, progress=_Renamed(progress))
        if proof.document.sha256 != written.sha256 or proof.document.count != written.count:
            raise Unavailable(N_("The backup read back differs from what was written; it was thrown away."))
        progress.check_cancelled()
        name = folder_of.publish(folder, file, path, local)
        changed_at = (folder / name).stat().st_mtime_ns
    return BackupFact(
        name=name,
        kind=kind,
        state=State.VERIFIED,
        has_file=True,
        is_ours=True,
        made_at=metadata.timestamp,
        local_day=metadata.local_day,
        actor=actor.name,
        record_count=written.count,
        counts=json.dumps(metadata.counts),
        size_bytes=written.size_bytes,
        changed_at=changed_at,
        sha256=written.sha256,
        verified_at=clock.now_text(),
        rebuild_seconds=proof.seconds,
        contents=contents.encode(proof.contents),
    )


class _Renamed:
    """Reading back is told as «verifying»."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def update(self, _phase: str, done: int = 0, total: int | None = None) -> None:
        self._progress.update("verifying", done, total)

    def check_cancelled(self) -> None:
        self._progress.check_cancelled()


def _write(
    file: BinaryIO, kind: Kind, actor: Actor, now: datetime, local_day: str, progress: Progress
) -> tuple[Metadata, Written]:
    """Stream one state of the catalogue into a file. The read transaction ends with it."""
    with db.reading() as connection:
        counts = _counts(connection)
        metadata = Metadata(
            timestamp=clock.to_text(now),
            record_count=sum(counts.values()),
            kind=kind,
            local_day=local_day,
            actor=actor.name,
            counts=counts,
        )
        written = format_of.write(file, metadata, _lines(connection, metadata.record_count, progress))
    file.flush()
    if written.count != metadata.record_count:
        raise Unavailable(N_("The number of records changed while they were read; the backup was thrown away."))
    return metadata, written


def _counts(connection: Connection) -> dict[str, int]:
    counts = dict.fromkeys(catalogue.STATUSES, 0)
    for status, count in connection.exec_driver_sql("SELECT status, COUNT(*) FROM assistants GROUP BY status"):
        # What is none of the four may be anything, of any length and in any number.
        known = status if status in counts else _OTHER
        counts[known] = counts.get(known, 0) + count
    return counts


def _lines(connection: Connection, total: int, progress: Progress) -> Iterator[bytes]:
    mended: Counter[str] = Counter()

    def note(problem: Problem) -> None:
        mended[problem.field or ""] += 1

    for index, record in enumerate(catalogue.iter_records(connection, warn=note)):
        if index % _EVERY == 0:
            progress.update("writing", index, total)
            progress.check_cancelled()
        line = catalogue.encode(record)
        if len(line) > MAX_OWN_VALUE - len(b",\n"):
            raise Unavailable(
                N_("The assistant “%(id)s” takes %(size)d bytes; a backup holds at most %(limit)d in one."),
                hint=N_("Shorten its texts in the program that wrote them."),
                id=str(record.id)[:100],
                size=len(line),
                limit=MAX_OWN_VALUE,
            )
        yield line
    if mended:
        _log.warning("values that JSON cannot carry as they are, which doctor names, by column: %s", dict(mended))


def _remember_failure(actor: Actor, kind: Kind, now: datetime, local_day: str | None, error: Exception) -> None:
    message, hint = Message(N_("The system said: %(error)s."), {"error": str(error)}), None
    if isinstance(error, DomainError):
        message, hint = error.message, error.hint
    _log.error("the %s backup failed: %s", kind, message)
    audit.note_done(actor, audit.Act.BACKUP_MADE, result=audit.Result.FAILED, kind=str(kind), error=str(message))
    remember(
        BackupFact(
            name=f"failed_{now:%Y%m%d_%H%M%S_%f}",
            kind=kind,
            state=State.FAILED,
            has_file=False,
            is_ours=True,
            made_at=clock.to_text(now),
            local_day=local_day,
            actor=actor.name,
            error=stored_error(message, hint),
        )
    )


@dataclass(frozen=True, slots=True)
class Export:
    """A document that lies in an unnamed file, ready to be sent from its start; close `file` when done."""

    file: BinaryIO
    name: str
    size_bytes: int
    count: int


def export(actor: Actor) -> Export:
    """Write the whole catalogue as a layout A document into an unnamed temporary file.

    The read transaction is over before this returns. Raises DiskFull and the errors of `webadmin.db`.
    """
    require(actor, Permission.EXPORT)
    audit.note(actor, audit.Act.EXPORTED, what="catalogue")
    now = clock.now()
    local = now.astimezone(config.current().timezone)
    jobs.folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    file: BinaryIO
    with folder_of.translated_errors():
        file = tempfile.TemporaryFile(dir=jobs.folder())  # noqa: SIM115  # the caller closes it
        try:
            _, written = _write(file, Kind.MANUAL, actor, now, local.date().isoformat(), Silent())
            file.seek(0)
        except BaseException:
            file.close()
            raise
    return Export(file, folder_of.name_at(local), written.size_bytes, written.count)


def measure_export(actor: Actor) -> tuple[str, int]:
    """The name and the size in bytes that `export` would give now, found without writing a file.

    Raises the errors of `webadmin.db`.
    """
    require(actor, Permission.EXPORT)
    now = clock.now()
    local = now.astimezone(config.current().timezone)
    _, written = _write(_Nowhere(), Kind.MANUAL, actor, now, local.date().isoformat(), Silent())
    return folder_of.name_at(local), written.size_bytes


class _Nowhere(io.BytesIO):
    """A file that forgets what is written to it."""

    def write(self, data: Any, /) -> int:
        return len(memoryview(data))
