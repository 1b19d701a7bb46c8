"""Storage that does not take what is written: whether a folder does, and an error of the system in words."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from webadmin import clock
from webadmin.errors import N_, Unavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when there is no room: on the disk, in the quota, below the largest file it allows."""
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ELOOP})
"""What it says when the account may not, the disk is read-only, or something else lies in the place of a folder."""
_FAILING = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.EUCLEAN, errno.EMFILE, errno.ENFILE})
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_PROBE_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


class StorageFailed(Unavailable):
    """The system refused to read or write a file, and nobody on the way up knows how much had been done by then."""

    def __init__(self, error: OSError) -> None:
        template = N_("The system could not read or write a file: %(reason)s.")
        if error.errno in FULL:
            template = N_("The disk is full.")
        elif error.errno in FORBIDDEN:
            template = N_("A file or folder may not be written: %(reason)s.")
        super().__init__(
            template,
            hint=N_("Check free space and permissions of the data folder, and the result before you repeat this."),
            reason=os.strerror(error.errno or 0),
        )


def refusal(error: OSError) -> StorageFailed | None:
    """What an error of the system means to people; None where it is not about storage."""
    return StorageFailed(error) if error.errno in FULL | FORBIDDEN | _FAILING else None


def remove(*paths: Path) -> None:
    """Delete files of passing use where they are still there.

    One that cannot be deleted is logged and left to the housekeeping: it must neither hide the error that led here nor
    make a failure of what was done.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be deleted: %s", path, error.strerror)


def remove_old(paths: Iterable[Path], age: timedelta) -> None:
    """Delete those of the files that nobody has written to for so long."""
    limit = (clock.now() - age).timestamp()
    for path in paths:
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < limit:
                remove(path)


def take_name(source: Path, target: Path) -> bool:
    """Give a file another name without overwriting anything; False when the name is taken. Raises OSError.

    Where the file system has no hard links, callers keep each other away by a lock.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            return False
        source.rename(target)
    else:
        # It has its name by now, whatever becomes of the old one.
        with suppress(OSError):
            source.unlink()
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def probe(folder: Path, *, size_bytes: int = 0) -> OSError | None:
    """Write the end of an unnamed file there that is a little longer than `size_bytes`; the error, if any.

    All but the end of it is a hole, so it takes 64 kB of the disk for a moment.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.seek(size_bytes)
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:
        return error
    return None
