"""Looking after stored backups: verify, pin, delete to the bin, prune, keep an upload."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from webadmin import audit, clock, config, damage, db
from webadmin.accounts import SYSTEM, Actor, ActorKind, Permission, require
from webadmin.audit import Act, Result
from webadmin.backups import contents, retention
from webadmin.backups import folder as folder_of
from webadmin.backups.document import ALTERATIONS, InvalidBackup
from webadmin.backups.foresight import retention_plan
from webadmin.backups.front import unpacked
from webadmin.backups.history import (
    Backup,
    current_folder,
    discovered,
    find_fact,
    get,
    integrity_of,
    is_other_file,
    list_backups,
    refreshed,
    stored_error,
    stored_time,
)
from webadmin.backups.index import forget, remember, store, sync
from webadmin.backups.lookup import Wanted, open_history
from webadmin.backups.models import BackupFact, Kind, State
from webadmin.backups.reader import Progress, Silent
from webadmin.backups.strangers import vanished
from webadmin.backups.verification import prove, remove_old_scratch
from webadmin.errors import N_, Conflict, Invalid, Message, NotFound, Problem, Unavailable

BIN_DAYS = 7
# In characters; a note stands beside its backup in a list.
NOTE_MAX = 2000
_DISK_LOW_BYTES = 500_000_000
_BAD = frozenset({State.FAILED, State.ALTERED})
_SETTLED_AFTER = timedelta(minutes=1)
_log = logging.getLogger(__name__)


class LastGoodBackup(Conflict):
    """The only verified backup may not be deleted."""


@contextmanager
def hold(actor: Actor, what: str) -> Iterator[None]:
    """Hold the backup folder for a major operation. Raises Busy, which names who holds it."""
    with folder_of.hold(current_folder(), who=actor.name, what=what):
        yield


def verify(name: str, *, actor: Actor = SYSTEM, progress: Progress | None = None) -> Backup:
    """Prove a stored file again and note the outcome: verified, unchecked (no checksum), altered or failed.

    A whole file that is not the one made or kept under this name (two were swapped) counts as altered.
    What the program looks at by itself stands in the activity log only when it turned out to be bad.
    Raises NotFound, also when the file went while it was read.
    """
    sync()
    entry = next((entry for entry in folder_of.entries(current_folder()) if entry.name == name), None)
    if entry is None:
        raise folder_of.no_such_backup()
    with db.reading() as connection:
        old = find_fact(connection, name)
        fact = discovered(entry)
    for kept in ("kind", "is_ours", "is_pinned", "is_late", "note", "upload_name"):
        if old is not None:
            setattr(fact, kept, getattr(old, kept))
    try:
        with unpacked(name) as file:
            proof = prove(file, progress=progress)
    except InvalidBackup as error:
        fact.state, fact.contents = State.FAILED, _rest(name)
        fact.error = stored_error(error.message, error.hint)
    else:
        document = proof.document
        fact.state, fact.record_count = proof.state, document.count
        fact.made_at, fact.rebuild_seconds = stored_time(document.timestamp), proof.seconds
        fact.contents = contents.encode(proof.contents)
        # The checksum that was noted when it was made stays: the next proof must find the same.
        fact.sha256 = old.sha256 if old and is_other_file(old, document.sha256) else document.sha256
        if alteration := ALTERATIONS.get(integrity_of(document, old)):
            fact.state, fact.error = State.ALTERED, stored_error(Message(alteration))
    fact.verified_at = clock.now_text()
    proved = remember(fact, is_proof=True)
    has_turned_bad = proved.state in _BAD and (old is None or old.state != proved.state)
    if has_turned_bad or actor.kind not in (ActorKind.SYSTEM, ActorKind.SCHEDULER):
        result = Result.FAILED if proved.state in _BAD else Result.DONE
        audit.note_done(actor, Act.BACKUP_VERIFIED, _thing(name), result=result, state=str(proved.state))
    return proved


def _thing(name: str) -> audit.Thing:
    return audit.Thing(audit.Kind.BACKUP, name)


def _rest(name: str) -> str | None:
    """What a file that failed its proof still gives; None for a gzip file that cannot be unpacked."""
    try:
        with unpacked(name) as file:
            return contents.encode(contents.count_readable(file))
    except InvalidBackup:
        return None


def verify_next(before: datetime) -> Backup | None:
    """Prove the verified backup again that was proved longest ago, if that was before an instant; None without one.

    Raises NotFound when the file goes meanwhile.
    """
    with db.reading() as connection:
        listed = list_backups(Session(connection))
    due = [each for each in listed if each.is_verified and each.verified_at and each.verified_at < before]
    return verify(min(due, key=lambda each: (each.verified_at, each.name)).name) if due else None


def verify_new() -> Backup | None:
    """Prove the newest backup that nobody has looked at yet; None without one.

    After the loss of the database that is every file of the folder, one with each call. A file that was written within
    the last minute may still be on its way, and one that cannot be read keeps no other from its turn.
    Raises the error of the last one that could not be read when none could.
    """
    sync(wholly=True)
    written_before = (clock.now() - _SETTLED_AFTER).timestamp() * 1e9
    with db.reading() as connection:
        new = [
            backup.name
            for backup in open_history(Session(connection)).walk(Wanted(has_file=True, state=State.UNCHECKED))
            if backup.verified_at is None
        ]
    unreadable: Exception | None = None
    for name in new:
        entry = folder_of.find_entry(current_folder(), name)
        if entry is not None and entry.changed_at < written_before:
            try:
                return verify(name)
            except NotFound:
                continue
            except (Unavailable, OSError) as error:
                unreadable = error
    if unreadable is not None:
        raise unreadable
    return None


def verify_all(*, actor: Actor = SYSTEM, progress: Progress | None = None) -> Counter[State]:
    """Prove every stored file again, one after the other; how many are in which state. A file that goes is left out.

    What was proved before somebody cancels stays noted.
    """
    progress = progress or Silent()
    sync()
    names = [entry.name for entry in folder_of.entries(current_folder())]
    states: Counter[State] = Counter()
    for done, name in enumerate(names):
        progress.update("verifying", done, len(names))
        progress.check_cancelled()
        with suppress(NotFound):
            states[verify(name, progress=_WithinOne(progress)).state] += 1
    audit.note_done(actor, Act.BACKUP_VERIFIED, counts=states)
    return states


@dataclass(frozen=True, slots=True)
class _WithinOne(Silent):
    """The progress of one file among many: the count is of files, but each can be stopped in its midst."""

    whole: Progress

    def check_cancelled(self) -> None:
        self.whole.check_cancelled()


def change_note(session: Session, actor: Actor, name: str, note: str, *, shown: str) -> None:
    """Write what people say about a backup, in the place of the note that they were `shown`.

    Raises Forbidden, NotFound, Invalid for one that is too long, Conflict when another one than `shown` stands there
    by now.
    """
    require(actor, Permission.MANAGE_BACKUPS)
    if len(note) > NOTE_MAX:
        said = Message(N_("This has more than %(limit)d characters."), {"limit": NOTE_MAX})
        raise Invalid(said.template, problems=[Problem(said, field="note")], limit=NOTE_MAX)
    fact, note = _fact(session, name), note.strip()
    # Browsers send line ends in their own way.
    if note != (fact.note or "") and shown.splitlines() != (fact.note or "").splitlines():
        raise Conflict(N_("Somebody changed the note meanwhile."))
    fact.note = note or None
    audit.record(session, actor, Act.BACKUP_NOTED, _thing(name))


def pin(session: Session, actor: Actor, name: str, *, is_pinned: bool) -> None:
    """Keep a backup from retention, or no longer. Raises Forbidden, NotFound."""
    require(actor, Permission.MANAGE_BACKUPS)
    _fact(session, name).is_pinned = is_pinned
    audit.record(session, actor, Act.BACKUP_PINNED if is_pinned else Act.BACKUP_UNPINNED, _thing(name))


def _fact(session: Session, name: str) -> BackupFact:
    fact = session.get(BackupFact, name)
    if fact is None:
        # Its row could not be written when the file was made or found.
        entry = next((entry for entry in folder_of.entries(current_folder()) if entry.name == name), None)
        if entry is not None:
            store(session, discovered(entry))
            fact = session.get(BackupFact, name)
    if fact is None or fact.binned_at is not None:
        raise folder_of.no_such_backup()
    return fact


def delete(actor: Actor, name: str) -> None:
    """Move a backup to the bin, or drop the row of a run that left no file.

    Raises NotFound, LastGoodBackup for the only verified one, Busy.
    """
    require(actor, Permission.MANAGE_BACKUPS)
    sync()
    with hold(actor, N_("deletion of a backup")):
        with db.reading() as connection:
            found = list_backups(Session(connection))
        chosen = next((backup for backup in found if backup.name == name), None)
        if chosen is None:
            raise folder_of.no_such_backup()
        if chosen.is_verified and sum(backup.is_verified for backup in found) == 1:
            raise LastGoodBackup(
                N_("This is the only verified backup; it cannot be deleted."), hint=N_("Back up now, then delete it.")
            )
        if chosen.has_file:
            _bin(name, actor)
            return
        with db.transaction() as session:
            forget(session, name)
            audit.record(session, actor, Act.BACKUP_DELETED, _thing(name), has_file=False)


def _bin(name: str, actor: Actor | None = None) -> None:
    binned, changed_at = folder_of.move_to_bin(current_folder(), name)
    if actor is not None:
        audit.note_done(actor, Act.BACKUP_DELETED, _thing(name), binned=binned)
    with db.transaction() as session:
        forget(session, name, binned=binned, changed_at=changed_at)


@dataclass(frozen=True, slots=True)
class BinEntry:
    """A file in the bin: since when, and when it will be deleted for good."""

    name: str
    size_bytes: int
    binned_at: datetime
    ends_at: datetime


def list_bin() -> list[BinEntry]:
    """What lies in the bin, newest first."""
    found = [
        BinEntry(entry.name, entry.size_bytes, since, since + timedelta(days=BIN_DAYS))
        for entry, since in folder_of.bin_entries(current_folder())
    ]
    return sorted(found, key=lambda entry: (entry.binned_at, entry.name), reverse=True)


def unbin(actor: Actor, name: str) -> Backup:
    """Bring a backup back from the bin; one that was changed there has to be proved again.

    Raises NotFound, Conflict, Busy.
    """
    require(actor, Permission.MANAGE_BACKUPS)
    folder = current_folder()
    with hold(actor, N_("putting a backup back")):
        folder_of.unbin(folder, name)
        audit.note_done(actor, Act.BACKUP_UNBINNED, _thing(name))
        entry = next(entry for entry in folder_of.entries(folder) if entry.name == name)
        with db.transaction() as session:
            old = session.get(BackupFact, name)
            if old is not None:
                old.binned_at = None
            store(session, refreshed(entry, old))
            session.flush()
            return get(session, name)


def keep_upload(actor: Actor, path: Path, filename: str) -> Backup:
    """Keep a received (unpacked) file as a backup without restoring it; checked, and named like every backup.

    Raises InvalidBackup when it cannot be read, Busy, DiskFull.
    """
    require(actor, Permission.MANAGE_BACKUPS)
    folder, now = current_folder(), clock.now()
    with path.open("rb") as source:
        proof = prove(source)
    with hold(actor, N_("upload")), folder_of.temporary(folder) as (file, temporary):
        with path.open("rb") as source:
            shutil.copyfileobj(source, file, 1024 * 1024)
        name = folder_of.publish(folder, file, temporary, now.astimezone(config.current().timezone))
        entry = next(entry for entry in folder_of.entries(folder) if entry.name == name)
    fact = discovered(entry)
    fact.kind, fact.is_ours, fact.actor, fact.upload_name = Kind.UPLOADED, False, actor.name, filename
    fact.state, fact.sha256, fact.record_count = proof.state, proof.document.sha256, proof.document.count
    fact.verified_at, fact.rebuild_seconds = clock.now_text(), proof.seconds
    fact.contents = contents.encode(proof.contents)
    audit.note_done(actor, Act.BACKUP_UPLOADED, _thing(name), file=filename, state=str(proof.state))
    return remember(fact)


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What retention decided, what was deleted for good from the bin, and what could not be moved there."""

    plan: retention.Plan
    emptied: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()


def removable(session: Session) -> list[tuple[str, int]]:
    """What `prune` with `for_room` would delete for good now: names and sizes, the bin's first."""
    sizes = {backup.name: backup.size_bytes or 0 for backup in list_backups(session)}
    dropped = [(decision.name, sizes.get(decision.name, 0)) for decision in retention_plan(session).dropped]
    return [(entry.name, entry.size_bytes) for entry in list_bin()] + dropped


def prune(actor: Actor, *, dry_run: bool = False, for_room: bool = False) -> PruneResult:
    """Move what retention drops to the bin and empty the bin of what lay there for 7 days, sooner on a full disk.

    `for_room`: of everything, and first of all: somebody needs the room now.
    Goes on past a file that cannot be moved. Raises Busy, DatabaseDamaged: while the database is, every copy may count.
    """
    # What a full disk keeps from being written about files follows when there is room.
    with suppress(db.DiskFull):
        sync()
    if dry_run:
        with db.reading() as connection:
            return PruneResult(retention_plan(Session(connection)))
    damage.refuse(config.current().database_path)
    with hold(actor, N_("pruning")):
        folder_of.clean_temporary(current_folder())
        remove_old_scratch()
        # On a full disk nothing can be written before this.
        emptied = tuple(_empty_bin(for_room=for_room))
        with db.reading() as connection:
            plan = retention_plan(Session(connection))
        stuck = tuple(decision.name for decision in plan.dropped if not _could_bin(decision.name))
        emptied += tuple(_empty_bin(for_room=for_room))
        binned = [decision.name for decision in plan.dropped if decision.name not in stuck]
        if emptied or binned:
            audit.note_done(actor, Act.BACKUPS_PRUNED, binned=binned, deleted=emptied)
        with suppress(db.DiskFull):
            _forget_old(emptied)
        return PruneResult(plan, emptied, stuck)


def _could_bin(name: str) -> bool:
    try:
        _bin(name)
    except NotFound:
        return True
    except db.DiskFull:
        # The file was moved.
        return True
    except (folder_of.FolderReadOnly, OSError) as error:
        _log.warning("%s cannot be moved to the bin: %s", name, error)
        return False
    return True


def _forget_old(emptied: Sequence[str]) -> None:
    """Drop the rows of what is gone for good, and what failed or vanished longer ago than a backup is kept."""
    since = clock.to_text(clock.now() - timedelta(days=config.current().backup_retention_days))
    with db.transaction() as session:
        session.execute(sql_delete(BackupFact).where(BackupFact.name.in_(emptied), BackupFact.binned_at.is_not(None)))
        session.execute(sql_delete(BackupFact).where(BackupFact.has_file.is_(False), BackupFact.made_at < since))
        for backup in vanished(open_history(session)):
            if backup.made_at and clock.to_text(backup.made_at) < since:
                forget(session, backup.name)


def _empty_bin(*, for_room: bool) -> list[str]:
    folder = current_folder()
    is_full = for_room or shutil.disk_usage(folder).free < _DISK_LOW_BYTES
    before = clock.now() if is_full else clock.now() - timedelta(days=BIN_DAYS)
    return folder_of.empty_bin(folder, before=before)
