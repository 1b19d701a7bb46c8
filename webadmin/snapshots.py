"""Snapshots: copies of the whole database, people, settings and history included, each with its checksum beside it.

`integrity_check` of SQLite sees broken structure, not a changed value (of 300 flipped bits it saw 15), so a copy is
trusted by the checksum of its bytes: `sha256sum --check NAME.sha256` is the same proof by hand.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from io import BufferedReader
from pathlib import Path

from webadmin import clock, config, db, disk
from webadmin.errors import N_, NotFound, Unavailable

KEPT = 3
KEPT_FOR_UPGRADES = timedelta(days=30)
_NAME = re.compile(r"assistants_(\d{8}_\d{6})\.db")
_TIME = "%Y%m%d_%H%M%S"


class State(StrEnum):
    """What is known about a snapshot: its bytes are those that were checked, or others, or nothing says."""

    SOUND = "sound"
    ALTERED = "altered"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy in the folder. `made_at` is the time in its name, aware, in the configured zone."""

    name: str
    made_at: datetime
    size_bytes: int


def folder() -> Path:
    """The folder of the snapshots, beside the database; it may not exist yet."""
    return config.current().database_path.parent / "snapshots"


def list_snapshots() -> list[Snapshot]:
    """What lies in the folder, newest first by the time in the name; files that are named otherwise are nobody's."""
    found = []
    for path in folder().iterdir() if folder().is_dir() else ():
        made_at = _time_in(path.name)
        if made_at is not None and path.is_file() and not path.is_symlink():
            found.append(Snapshot(path.name, made_at, path.stat().st_size))
    return sorted(found, key=lambda snapshot: snapshot.name, reverse=True)


def take() -> Snapshot:
    """Copy the database now, check the copy, write its checksum; only then it has its name. Old ones go.

    Raises the errors of `webadmin.db` (DatabaseCorrupt when the copy does not pass `quick_check`) and OSError.
    """
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    target = _free_name()
    temporary = target.with_name(f".tmp-{secrets.token_hex(6)}-{target.name}")
    try:
        with db.translated_errors():
            db.copy(config.current().database_path, temporary)
        _write(_sum_of(target), f"{_synced_sha256(temporary)}  {target.name}\n")
        if not disk.take_name(temporary, target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    finally:
        disk.remove(*(temporary.with_name(temporary.name + suffix) for suffix in ("", "-journal", "-wal", "-shm")))
    disk.sync_folder(folder())
    prune()
    return next(snapshot for snapshot in list_snapshots() if snapshot.name == target.name)


def take_daily(now: datetime) -> Snapshot | None:
    """Take the snapshot of the local day of `now` unless the folder holds one; raises what `take` raises.

    One from before an upgrade is none: it holds nothing of what came with the upgrade, at the first start no person.
    """
    today = now.astimezone(config.current().timezone).date()
    of_today = (each for each in list_snapshots() if each.made_at.date() == today)
    return None if any(not _is_of_upgrade(folder() / each.name) for each in of_today) else take()


def check(name: str) -> State:
    """Compare the bytes of a snapshot with the checksum that was written with it. Raises NotFound, OSError."""
    path = folder() / name
    if _time_in(name) is None or not path.is_file():
        raise NotFound(N_("There is no snapshot of this name."))
    try:
        expected = _sum_of(path).read_text(encoding="ascii", errors="replace").split()
    except FileNotFoundError:
        return State.UNCHECKED
    with path.open("rb") as file:
        return State.SOUND if expected[:1] == [_sha256(file)] else State.ALTERED


def checksum(name: str) -> str:
    """The checksum of the bytes of a snapshot as it lies there now. Raises FileNotFoundError."""
    with (folder() / name).open("rb") as file:
        return _sha256(file)


def prune() -> list[str]:
    """Delete all but the newest three; one from before an upgrade, which has an older schema, stays for 30 days.

    Returns the names that went. One that cannot be deleted stays, and keeps no other from going.
    """
    limit = clock.now() - KEPT_FOR_UPGRADES
    gone = []
    for snapshot in list_snapshots()[KEPT:]:
        if snapshot.made_at >= limit and _is_of_upgrade(folder() / snapshot.name):
            continue
        with suppress(OSError):
            (folder() / snapshot.name).unlink()
            gone.append(snapshot.name)
    known = {snapshot.name for snapshot in list_snapshots()}
    for path in folder().glob("assistants_*.db.sha256"):
        if path.name.removesuffix(".sha256") not in known:
            with suppress(OSError):
                path.unlink()
    return gone


def remove_leftovers() -> None:
    """Delete what a killed process left of a copy; only while no other copy can be under way (a start, the leader)."""
    disk.remove_old(folder().glob(".tmp-*"), timedelta(hours=1))


def _free_name() -> Path:
    """The name of a snapshot made now, at the next second for which there is none."""
    at = clock.now().astimezone(config.current().timezone)
    while os.path.lexists(path := folder() / f"assistants_{at:{_TIME}}.db"):
        at += timedelta(seconds=1)
    return path


def _time_in(name: str) -> datetime | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=config.current().timezone)
    except ValueError:
        return None


def _sum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _sha256(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _synced_sha256(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return _sha256(file)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _is_of_upgrade(path: Path) -> bool:
    """Whether the copy has another schema than the program; one that cannot be read is kept like one."""
    try:
        return db.schema_of(path) is not db.SchemaState.CURRENT
    except Unavailable:
        return True
