"""The backup folder: names, temporary files, durable naming, the bin, and the lock that keeps its users apart.

The folder is the truth about which backups exist. A file appears under a final name only when it is whole; nothing is
ever overwritten, no symbolic link is followed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from webadmin import clock, config, disk, locks, strict
from webadmin.accounts import BUILT_IN_NAMES
from webadmin.db import DiskFull
from webadmin.errors import N_, Conflict, Message, NotFound, Unavailable

LOCK = ".lock"
BIN = ".bin"
MOMENT_SECONDS = 1.0
_TEMPORARY = ".tmp-"
_NAME = re.compile(r"assistants_backup_[^/\\\0]{1,200}\.json", re.DOTALL)
_UNREADABLE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the folder's lock, for what, since when (stored text)."""

    who: str
    what: str
    since: str


# Its note is not written yet, or is gone already.
UNKNOWN = Holder("", "", "")


class Busy(Unavailable):
    """Another backup, restore or pruning is at work on the folder."""

    retry_after_seconds = 10

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        hint = N_("Try again when it is done.")
        if holder == UNKNOWN:
            super().__init__(N_("Something else is at work on the backups just now."), hint=hint)
            return
        super().__init__(
            N_("Something else is running: %(what)s, started by %(who)s at %(since)s."),
            hint=hint,
            what=Message(holder.what),
            who=Message(holder.who) if holder.who in BUILT_IN_NAMES else holder.who,
            since=_local_text(holder.since),
        )


def _local_text(since: str) -> str:
    """A stored time in the site's zone, in a form that needs no translation."""
    instant = strict.to_instant(since)
    if instant is None:
        return since
    local = instant.astimezone(config.current().timezone)
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S} UTC{offset[:3]}:{offset[3:]}"


class FolderReadOnly(Unavailable):
    """The backup folder may not be written."""

    def __init__(self) -> None:
        super().__init__(
            N_("The backup folder cannot be used."),
            hint=N_("It must be a folder that this program's account may write (DATABASE_BACKUP_DIR)."),
        )


def no_such_backup() -> NotFound:
    """The error for a name under which no backup lies."""
    return NotFound(N_("There is no backup of this name."), hint=N_("Look at the list of backups."))


def is_name(name: str) -> bool:
    """Whether a name is one under which backups are listed (contract 1); never a path.

    A name that is no UTF-8 (Python gives its bytes as halves of surrogate pairs) is none: no row or page can hold it.
    """
    return bool(_NAME.fullmatch(name)) and not _UNREADABLE.search(name)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn a full disk, missing permissions and a failing disk into domain errors."""
    try:
        yield
    except OSError as error:
        if error.errno in disk.FULL:
            raise DiskFull from error
        if error.errno in disk.FORBIDDEN:
            raise FolderReadOnly from error
        known = disk.refusal(error)
        if known is None:
            raise
        raise known from error


def prepare(folder: Path) -> None:
    """Make the folder, mode 0700, when it is not there. Raises FolderReadOnly, also for a file in its place."""
    with translated_errors():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def hold(folder: Path, *, who: str, what: str, wait_seconds: float = MOMENT_SECONDS) -> Iterator[None]:
    """Hold the folder's lock, which the kernel releases when its holder dies, and say so in its file.

    Whatever is over in a moment (pruning, somebody's look at the lock) is waited for. Raises Busy, which names the
    holder.
    """
    prepare(folder)
    lock = FileLock(folder / LOCK, mode=0o600)
    with translated_errors():
        try:
            lock.acquire(timeout=wait_seconds, poll_interval=0.05)
        except Timeout:
            raise Busy(_read_holder(folder)) from None
    try:
        _write_holder(folder, json.dumps({"who": who, "what": what, "since": clock.now_text()}))
        yield
    finally:
        _write_holder(folder, "")
        lock.release()


def holder(folder: Path, *, wait_seconds: float = 0) -> Holder | None:
    """Who holds the lock, and does not let go of it within some seconds; None when it is free."""
    with translated_errors(), locks.unless_held(folder / LOCK, wait_seconds=wait_seconds) as is_free:
        return None if is_free else _read_holder(folder)


def _write_holder(folder: Path, text: str) -> None:
    # Told for information only: a full disk must not keep a backup from being made elsewhere or an error from showing.
    with suppress(OSError), (folder / LOCK).open("r+") as file:
        file.write(text)
        file.truncate()


def _read_holder(folder: Path) -> Holder:
    try:
        told = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        return Holder(str(told["who"]), str(told["what"]), str(told["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN


@contextmanager
def temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file for writing and reading, mode 0600, in the folder; it is gone at the end unless it was named."""
    with translated_errors():
        path = folder / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            with open(descriptor, "w+b") as file:
                yield file, path
        finally:
            disk.remove(path)


def name_at(local: datetime) -> str:
    """The name of a backup made at this local time."""
    return f"assistants_backup_{local:%Y%m%d_%H%M%S}.json"


def publish(folder: Path, file: BinaryIO, path: Path, local: datetime) -> str:
    """Give a finished temporary file the name of its local time, or of the next free second; durable on return.

    Call it while holding the lock. Raises DiskFull, FolderReadOnly.
    """
    with translated_errors():
        file.flush()
        os.fsync(file.fileno())
        moment = local.replace(tzinfo=None)
        while True:
            name = name_at(moment)
            # A name in the bin is taken too, so that what lies there can always come back.
            if not os.path.lexists(folder / BIN / name) and disk.take_name(path, folder / name):
                break
            moment += timedelta(seconds=1)
        disk.sync_folder(folder)
        return name


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the folder shows it. `changed_at` is for noticing a change, never for age."""

    name: str
    size_bytes: int
    changed_at: int


def entries(folder: Path) -> list[Entry]:
    """The backup files in the folder: regular files of a fitting name, no links. Empty when there is no folder.

    Raises FolderReadOnly when it cannot be read or is no folder.
    """
    found = []
    with translated_errors(), suppress(FileNotFoundError), os.scandir(folder) as scan:
        for item in scan:
            if is_name(item.name) and item.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    status = item.stat(follow_symlinks=False)
                    found.append(Entry(item.name, status.st_size, status.st_mtime_ns))
    return sorted(found, key=lambda entry: entry.name)


def strange_entries(folder: Path) -> list[str]:
    """What has a backup's name and cannot be one: links, folders, pipes, devices, files whose name is no UTF-8.

    Nothing here touches them; U+FFFD stands for what cannot be shown. Raises FolderReadOnly when the folder cannot be
    read or is none.
    """
    with translated_errors(), suppress(FileNotFoundError), os.scandir(folder) as scan:
        named = [item for item in scan if _NAME.fullmatch(item.name)]
        odd = [item.name for item in named if not (is_name(item.name) and item.is_file(follow_symlinks=False))]
        return sorted(_UNREADABLE.sub("\ufffd", name) for name in odd)
    return []


def find_entry(folder: Path, name: str) -> Entry | None:
    """One file of the folder; None where it is gone, or no regular file. Raises FolderReadOnly."""
    with translated_errors():
        try:
            status = os.lstat(folder / name)
        except FileNotFoundError:
            return None
    return Entry(name, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def open_backup(folder: Path, name: str) -> BinaryIO:
    """Open a listed file for reading. Raises NotFound, also for names that are paths and for what is no file."""
    if not is_name(name):
        raise no_such_backup()
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise no_such_backup() from None
    except OSError as error:
        # A link; a socket or a device without a driver.
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV):
            raise no_such_backup() from None
        if error.errno in disk.FORBIDDEN:
            raise Unavailable(
                N_("The backup file may not be read."), hint=N_("Give the account that runs this program access to it.")
            ) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise no_such_backup()
    return open(descriptor, "rb")


def clean_temporary(folder: Path) -> int:
    """Remove what killed writers left behind; call it while holding the lock. Returns how many files that were.

    Goes on past what cannot be removed, such as a folder of such a name: that must not keep a backup from being made.
    """
    gone = 0
    for path in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            path.unlink()
            gone += 1
    return gone


def move_to_bin(folder: Path, name: str) -> tuple[str, int]:
    """Move a file to the bin. Returns its name there, with a number when the bin holds one of that name, and its time.

    Raises NotFound, FolderReadOnly.
    """
    if not is_name(name):
        raise no_such_backup()
    with translated_errors():
        (folder / BIN).mkdir(mode=0o700, exist_ok=True)
        if (folder / BIN).is_symlink():
            raise FolderReadOnly
        try:
            # Its time in the bin counts from here. Set before the move: a crash between the two must not shorten it.
            instant = clock.now().timestamp()
            os.utime(folder / name, (instant, instant), follow_symlinks=False)
            binned, number = name, 1
            while os.path.lexists(folder / BIN / binned):
                number += 1
                binned = f"{name.removesuffix('.json')}.{number}.json"
            changed_at = (folder / name).stat(follow_symlinks=False).st_mtime_ns
            (folder / name).rename(folder / BIN / binned)
        except FileNotFoundError:
            raise no_such_backup() from None
        disk.sync_folder(folder / BIN)
        disk.sync_folder(folder)
    return binned, changed_at


def unbin(folder: Path, name: str) -> None:
    """Bring a file back from the bin. Raises NotFound, Conflict when a backup of that name exists."""
    if name not in {entry.name for entry, _ in bin_entries(folder)}:
        raise NotFound(N_("There is no backup of this name in the bin."), hint=N_("Look at the list of the bin."))
    with translated_errors():
        if not disk.take_name(folder / BIN / name, folder / name):
            raise Conflict(N_("A backup of this name exists; what lies in the bin was left there."))
        disk.sync_folder(folder)


def bin_entries(folder: Path) -> list[tuple[Entry, datetime]]:
    """What lies in the bin, with the time at which each file came there; nothing where it is no folder of ours."""
    if (folder / BIN).is_symlink() or not (folder / BIN).is_dir():
        return []
    return [(entry, datetime.fromtimestamp(entry.changed_at / 1e9, UTC)) for entry in entries(folder / BIN)]


def empty_bin(folder: Path, *, before: datetime) -> list[str]:
    """Delete for good what came into the bin before an instant; goes on past what cannot be deleted."""
    gone = []
    for entry, since in bin_entries(folder):
        if since < before:
            with suppress(OSError):
                (folder / BIN / entry.name).unlink()
                gone.append(entry.name)
    return gone
