"""A database file that is damaged or gone: noted beside it, for every process, and from then on nothing is written.

The note is a file: it must be there when the database cannot be read and when `runtime.db` is lost, and looking for it
must cost next to nothing, since every write does. Whoever moves the database aside by its name takes the note along.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError

from webadmin import clock, db
from webadmin.errors import N_, Unavailable

LOOKED_AT_ONCE_BYTES = 64_000_000
"""A start reads a file of at most this size before it lets anybody write (0.05 s); a larger one afterwards."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_log = logging.getLogger(__name__)


class DatabaseDamaged(Unavailable):
    """The file is noted as damaged, so it is not written to."""

    def __init__(self) -> None:
        super().__init__(
            N_(
                "The database is damaged, so nothing is saved any more. What is still legible can be read and exported."
            ),
            hint=N_("The health page says what is wrong and what to do."),
        )


class DatabaseGone(Unavailable):
    """There was a database and there is none, or an empty one, in its place."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            N_("The database %(name)s is gone or empty, and there was one. No empty one takes its place."),
            hint=N_(
                "Put the file back where it was. To have the newest sound copy in its place, press «Recover now»"
                " on the health page, or run: flask recover. To begin with an empty catalogue: flask db begin-empty"
            ),
            name=path.name,
        )


@dataclass(frozen=True, slots=True)
class Damage:
    """What is known: when it was first seen (None when the note itself cannot be read), and the faults."""

    noted_at: str | None
    faults: tuple[str, ...]


def note_path(database: Path) -> Path:
    """Where the note on a database lies."""
    return database.with_name(f"{database.name}.damaged")


def find(database: Path) -> Damage | None:
    """The note on a database; None when there is none."""
    path = note_path(database)
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Damage(str(found["notedAt"]), tuple(str(fault) for fault in found["faults"]))
    except (OSError, ValueError, KeyError, TypeError):
        # A full disk may have kept the text from being written: that the note is there says enough.
        return Damage(None, ())


def note(database: Path, faults: list[str]) -> None:
    """Note that the file is damaged, unless that is noted already. Never fails."""
    text = json.dumps({"notedAt": clock.now_text(), "faults": faults}, ensure_ascii=False)
    try:
        descriptor = os.open(note_path(database), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    except OSError:
        _log.exception("the damage of the database cannot be noted: %s", faults)
        return
    _log.error("the database is damaged, nothing is written to it any more: %s", faults)
    with suppress(OSError), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def is_gone(database: Path) -> bool:
    """Whether the file is not there or empty, whatever a process that still has the lost one open can read of it."""
    return _identity(database) is None


def refuse(database: Path) -> None:
    """Raise DatabaseDamaged when the file is noted as damaged, DatabaseGone when it is not there or empty."""
    if note_path(database).exists():
        raise DatabaseDamaged
    if is_gone(database):
        raise DatabaseGone(database)


def was_there(database: Path) -> bool:
    """Whether what lies beside it shows that there has been a database: sessions and tasks, snapshots, a log."""
    return bool(db.log_bytes(database)) or was_in_use(database)


def was_in_use(database: Path) -> bool:
    """The same without the log, which a first start that was cut off leaves, too: nothing in it counts then."""
    if database.with_name("runtime.db").exists():
        return True
    snapshots = database.with_name("snapshots")
    return snapshots.is_dir() and any(snapshots.glob("*.db"))


def set_aside(database: Path) -> Path | None:
    """Where a recovery that was killed had set this very file aside: its log may lie there alone."""
    for folder in database.parent.glob("damaged-*"):
        with suppress(FileNotFoundError):
            if (folder / database.name).samefile(database):
                return folder
    return None


def look(engine: Engine, database: Path) -> list[str]:
    """Read every page; note the faults, or take the note away when there are none: somebody mended or replaced it.

    Returns the faults; none where SQLite cannot run its check, and the note stays as it is then. Raises the errors of
    `webadmin.db` when the file cannot be read for another reason.
    """
    try:
        with db.translated_errors(), engine.connect() as connection:
            faults = db.quick_check(connection)
    except db.CannotBeChecked as error:
        _log.warning("%s", error)
        return []
    except db.DatabaseCorrupt as error:
        faults = [str(getattr(error.__cause__, "orig", error.__cause__))]
    if faults:
        note(database, faults)
    elif find(database) is not None and set_aside(database) is None:
        note_path(database).unlink(missing_ok=True)
        _log.warning("the database is sound again, and written to again")
    return faults


def is_large(database: Path) -> bool:
    """Whether reading every page would hold up a start."""
    return database.stat().st_size + db.log_bytes(database) > LOOKED_AT_ONCE_BYTES


def _identity(database: Path) -> int | None:
    """The number of the file; None where it is gone, and for an empty one, which takes the place of no other."""
    try:
        status = database.stat()
    except OSError:
        return None
    return status.st_ino if status.st_size else None


def watch(engine: Engine, database: Path) -> None:
    """From now on this engine notes damage when it meets it, writes to no damaged file, and makes no missing one."""
    was_open = threading.Event()

    def connect(*_arguments: Any) -> None:
        # SQLite would make an empty file; only what opens a new database begins with one.
        if not database.exists() or (was_open.is_set() and is_gone(database)):
            raise DatabaseGone(database)

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("begin") == db.IMMEDIATE:
            refuse(database)

    def fail(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", 0) or 0
        # The low byte is the primary code.
        if code & 0xFF in _DAMAGE:
            note(database, [str(context.original_exception)])

    def remember(_connection: Any, record: Any) -> None:
        was_open.set()
        record.info["file"] = _identity(database)

    def is_another(record: Any) -> bool:
        """Whether a recovery, or somebody with a sound copy, has put another file in the place of this connection's."""
        return _identity(database) not in (record.info.get("file"), None)

    def check_out(_connection: Any, record: Any, _proxy: Any) -> None:
        if is_another(record):
            # SQLAlchemy opens the new file then. The idle ones go at once: somebody may delete the old file for room.
            engine.dispose()
            raise DisconnectionError

    def check_in(connection: Any, record: Any) -> None:
        if connection is not None and is_another(record):
            record.invalidate()

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", check_out)
    event.listen(engine, "checkin", check_in)
    event.listen(engine, "begin", begin, insert=True)
    event.listen(engine, "handle_error", fail)
