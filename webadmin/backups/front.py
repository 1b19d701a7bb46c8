"""Opening stored files: for download, and for a restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from webadmin import catalogue, clock, db, disk
from webadmin.accounts import Actor, Permission, require
from webadmin.backups import contents
from webadmin.backups import folder as folder_of
from webadmin.backups.document import Integrity, InvalidBackup
from webadmin.backups.folder import Holder
from webadmin.backups.history import OTHER_FILE, current_folder, find_fact, is_other_file
from webadmin.backups.reader import GZIP, Progress, Staged, receive, stage
from webadmin.backups.verification import scratch_path
from webadmin.errors import N_, Message, Problem


def open_backup(name: str) -> BinaryIO:
    """Open a stored backup for reading, for a download. Raises NotFound."""
    return folder_of.open_backup(current_folder(), name)


@contextmanager
def unpacked(name: str) -> Iterator[BinaryIO]:
    """A stored file as plain JSON; one that was put here as gzip is unpacked for the time."""
    with folder_of.open_backup(current_folder(), name) as file:
        is_packed = file.read(2) == GZIP
        file.seek(0)
        if not is_packed:
            yield file
            return
        copy = scratch_path().with_suffix(".json")
        try:
            receive(file, copy)
            with copy.open("rb") as plain:
                yield plain
        finally:
            disk.remove(copy)


def write_readable(name: str, target: Path) -> int:
    """Write what can be read of a stored file that cannot be restored as a document of its own; how many records.

    Raises NotFound, InvalidBackup when there is none, DiskFull.
    """
    with unpacked(name) as file:
        count = contents.write_readable(file, target)
    if not count:
        raise InvalidBackup(N_("No record of this file can be read."))
    return count


def current_holder() -> Holder | None:
    """Who is at work on the backup folder, what and since when; None when nobody is."""
    return folder_of.holder(current_folder())


def refuse_when_busy() -> None:
    """Raise Busy when somebody is at work on the backup folder, and for longer than a moment."""
    found = folder_of.holder(current_folder(), wait_seconds=folder_of.MOMENT_SECONDS)
    if found is not None:
        raise folder_of.Busy(found)


def stage_file(actor: Actor, path: Path, scratch: Path, *, progress: Progress | None = None) -> Staged:
    """Check a received (plain) file and stage its records in a new scratch catalogue.

    Raises Forbidden, InvalidBackup.
    """
    require(actor, Permission.IMPORT)
    with path.open("rb") as file:
        return stage(
            file,
            scratch,
            author=actor.name,
            created_at=clock.now_text(),
            limits=catalogue.current_limits(),
            progress=progress,
        )


def stage_listed(actor: Actor, name: str, copy: Path, scratch: Path, *, progress: Progress | None = None) -> Staged:
    """The same for a stored backup; `copy` is where it is unpacked to, so that deleting it meanwhile does no harm.

    One that is not the file made or kept under its name is staged as altered, with a warning that says so.
    Raises NotFound, InvalidBackup, DiskFull.
    """
    with open_backup(name) as file:
        receive(file, copy)
    return stage_copy(actor, name, copy, scratch, progress=progress)


def stage_copy(actor: Actor, name: str, copy: Path, scratch: Path, *, progress: Progress | None = None) -> Staged:
    """The same for a plain copy of the stored backup, which is there already. Raises Forbidden, InvalidBackup."""
    staged = stage_file(actor, copy, scratch, progress=progress)
    with db.reading() as connection:
        staged.is_other_file = is_other_file(find_fact(connection, name), staged.document.sha256)
    if staged.is_other_file:
        staged.document = replace(staged.document, integrity=Integrity.WRONG)
        staged.warnings.insert(0, Problem(Message(OTHER_FILE)))
        staged.warning_count += 1
    return staged
