"""Opening stored files, and who is at work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from webadmin import disk
from webadmin.backups import contents
from webadmin.backups import folder as folder_of
from webadmin.backups.document import InvalidBackup
from webadmin.backups.folder import Holder
from webadmin.backups.history import current_folder
from webadmin.backups.reader import GZIP, receive
from webadmin.backups.verification import scratch_path
from webadmin.errors import N_


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
