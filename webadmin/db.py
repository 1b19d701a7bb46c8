"""The database: engine, connection settings, transactions, schema state and upgrade, error translation.

What differs between SQLite and another dialect lives here and in `catalogue/search.py`, nowhere else.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from webadmin import config, disk
from webadmin.errors import N_, DomainError, Unavailable

SCHEMA_TABLE = "aa_schema_version"
_MIGRATIONS = Path(__file__).parent / "migrations"
IMMEDIATE = "BEGIN IMMEDIATE"
# SQLite, «PRAGMA integrity_check»: what its check says of values rather than of pages.
_ROW_FAULT = re.compile(r"CHECK constraint failed in |(NULL|NUMERIC|TEXT|non-\w+) value in ")
# The writers of this process wait for one another here, and only then for those of others. SQLite waits by sleeping
# longer and longer: of eight writers that did so, one in twenty took 200 ms and more for a write of 10 ms.
_turns: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()


class Base(DeclarativeBase):
    """The declarative base of every model."""


db = SQLAlchemy(model_class=Base)


class DatabaseLocked(Unavailable):
    """Another program held the write lock longer than `DB_TIMEOUT`."""

    retry_after_seconds = 5

    def __init__(self) -> None:
        super().__init__(
            N_("Another program holds the database's write lock. Nothing was changed."),
            hint=N_("Try again in a few seconds; reading works meanwhile."),
        )


class DiskFull(Unavailable):
    """The disk had no room for the write; it was rolled back."""

    def __init__(self) -> None:
        super().__init__(
            N_("The disk is full. Nothing was changed."),
            hint=N_("Free some space on the disk that holds the data folder, then repeat."),
        )


class DiskFailing(Unavailable):
    """The system could not read or write the file, and not for want of room."""

    def __init__(self) -> None:
        super().__init__(
            N_("The disk reports an error at the database. Nothing was changed."),
            hint=N_("Copy the data folder to another disk, then look into the log of this machine."),
        )


class DatabaseCorrupt(Unavailable):
    """SQLite reports that the file is damaged or is no database."""

    def __init__(self) -> None:
        super().__init__(
            N_("The database file is damaged or is not a database."),
            hint=N_("Stop writing, keep the file, and restore the newest verified backup (data/README.md)."),
        )


class CannotBeChecked(Unavailable):
    """SQLite cannot run its check over the file, which says nothing about the file itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            N_("SQLite cannot check the database: %(reason)s"),
            hint=N_("Another program gave it an index or a rule that needs a function of its own; drop it if you can."),
            reason=reason,
        )


class DatabaseReadOnly(Unavailable):
    """The file or its folder may not be written."""

    def __init__(self) -> None:
        super().__init__(
            N_("The database may not be written. Nothing was changed."),
            hint=N_("Give the account that runs this program write permission on the data folder."),
        )


class DatabaseNewer(Unavailable):
    """The schema was written by a later version of this program."""

    def __init__(self, found: str) -> None:
        super().__init__(
            N_("The database has schema %(found)s, which this version of the program does not know."),
            hint=N_("Start the version that wrote it, or a later one."),
            found=found,
        )


_BY_SQLITE_CODE: dict[int, type[DomainError]] = {
    sqlite3.SQLITE_BUSY: DatabaseLocked,
    sqlite3.SQLITE_LOCKED: DatabaseLocked,
    sqlite3.SQLITE_FULL: DiskFull,
    sqlite3.SQLITE_CORRUPT: DatabaseCorrupt,
    sqlite3.SQLITE_NOTADB: DatabaseCorrupt,
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_CANTOPEN: DatabaseReadOnly,
    sqlite3.SQLITE_PERM: DatabaseReadOnly,
}


def translate(error: BaseException) -> DomainError | None:
    """Return the domain error that a database driver's error stands for, None for any other (a bug)."""
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        # The low byte is the primary code; extended codes tell only where it happened (SQLite, «Result Codes»).
        code = (getattr(original, "sqlite_errorcode", 0) or 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR:
            return DiskFull() if _is_disk_full() else DiskFailing()
        kind = _BY_SQLITE_CODE.get(code)
        return kind() if kind else None  # type: ignore[call-arg]
    return None


def _is_disk_full() -> bool:
    """What an input or output error does not tell: SQLite calls a quota and a limit of the size of files so, too."""
    path = config.current().database_path
    try:
        size = max(path.stat().st_size, log_bytes(path))
    except OSError:
        size = 0
    error = disk.probe(path.parent, size_bytes=size)
    return error is not None and error.errno in disk.FULL


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what the driver raises into the domain error of the same meaning."""
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error


def engine_options(timeout_ms: int) -> dict[str, Any]:
    """Options for Flask-SQLAlchemy's engine on an SQLite file; `timeout_ms` is the wait for a lock."""
    return {
        "connect_args": {
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": timeout_ms / 1000,
        },
        "pool_size": 40,
        "max_overflow": 60,
    }


def prepare(engine: Engine) -> None:
    """Attach the connection settings and the `BEGIN` rule to an SQLite engine."""
    _turns[engine] = threading.Lock()
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # Rows of other programs may hold broken UTF-8, and one such value would make the whole SELECT raise.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=1000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get("begin", "BEGIN")
    # A deferred transaction that begins to write fails at once when another writer got in between, whatever the
    # time-out: so only transactions that took the lock first may write, and SQLite itself refuses the others.
    # Said to the driver itself, as it touches no file and can meet no error: SQLAlchemy takes longer than SQLite.
    connection.connection.cursor().execute(f"PRAGMA query_only={int(statement == 'BEGIN')}")
    connection.exec_driver_sql(statement)


def open_file(path: Path, *, timeout_ms: int = 5000) -> Engine:
    """Open any SQLite file (a scratch catalogue) with the program's settings; `dispose()` closes it."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, **_without_pool(engine_options(timeout_ms)))
    prepare(engine)
    return engine


def _without_pool(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name == "connect_args"}


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start: commits on return, rolls back on an error."""
    with translated_errors(), engine.connect() as plain:
        connection = plain.execution_options(begin=IMMEDIATE)
        with connection.begin():
            yield connection


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection of its own: what is read through it is one state of the database, whatever others write."""
    with translated_errors(), db.engine.connect() as connection:
        yield connection


@contextmanager
def transaction() -> Iterator[Session]:
    """The one way to write: takes the write lock at once, commits on return, rolls back on an error.

    Pending objects of the session are dropped and loaded ones are read again.
    Raises DatabaseLocked, DiskFull, DatabaseCorrupt, DatabaseReadOnly; nothing is changed then.
    """
    session = db.session()
    session.rollback()
    with translated_errors(), _turn():
        try:
            session.connection(execution_options={"begin": IMMEDIATE})
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


@contextmanager
def _turn() -> Iterator[None]:
    turn = _turns[db.engine]
    if not turn.acquire(timeout=config.current().db_timeout / 1000):
        raise DatabaseLocked
    try:
        yield
    finally:
        turn.release()


@dataclass(frozen=True, slots=True)
class Column:
    """A stored column of a table: its name and its SQLite affinity (TEXT, INTEGER, REAL, NUMERIC, BLOB)."""

    name: str
    affinity: str


def table_columns(connection: Connection, table: str) -> list[Column]:
    """The stored (not generated) columns of a table in their order; empty when there is no such table."""
    rows = connection.exec_driver_sql(f'PRAGMA table_xinfo("{table}")').all()
    return [Column(row[1], _affinity(row[2] or "")) for row in rows if row[6] in (0, 1)]


def _affinity(declared: str) -> str:
    """The affinity of a declared type (SQLite, «Datatypes», 3.1)."""
    upper = declared.upper()
    if "INT" in upper:
        return "INTEGER"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in upper or not upper:
        return "BLOB"
    if any(word in upper for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def has_table(connection: Connection, table: str) -> bool:
    """Whether the table exists."""
    found = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type='table' AND name=?", (table,))
    return found.first() is not None


def definitions(connection: Connection, *tables: str) -> tuple[str, ...]:
    """The statements that define these tables, of those that exist: equal ones define equal columns."""
    marks = ", ".join("?" * len(tables))
    found = connection.exec_driver_sql(
        f"SELECT sql FROM sqlite_master WHERE type='table' AND name COLLATE NOCASE IN ({marks})", tables
    )
    return tuple(found.scalars())


def quick_check(connection: Connection) -> list[str]:
    """What SQLite's quick check finds wrong with the file; empty when every page is sound. Raises CannotBeChecked."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return structural_faults(driver)


def structural_faults(connection: sqlite3.Connection, *, check: str = "quick_check", most: int = 10) -> list[str]:
    """What SQLite's `quick_check` or `integrity_check` finds wrong with the pages, at most so many lines.

    It names rows outside the rules of their table, too («CHECK constraint failed», «NULL value»): another program
    wrote them, and no page is broken by that. Raises CannotBeChecked, sqlite3.Error.
    """
    try:
        found = list(_lines(connection, check, most))
        structural = [line for line in found if not _ROW_FAULT.match(line)]
        if structural or len(found) < most:
            return structural
        # SQLite looks at the pages first: behind so many rows there can be but further rows and entries of indexes.
        return list(islice((line for line in _lines(connection, check, 2**31 - 1) if not _ROW_FAULT.match(line)), most))
    except sqlite3.OperationalError as error:
        # Such as an index by a collation that is unknown here.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR:
            raise
        raise CannotBeChecked(str(error)) from error


def _lines(connection: sqlite3.Connection, check: str, most: int) -> Iterator[str]:
    with closing(connection.execute(f"PRAGMA {check}({most})")) as lines:
        yield from (line for (line,) in lines if line != "ok")


def log_bytes(path: Path) -> int:
    """The size of the write-ahead log of a database file."""
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


class SchemaState(StrEnum):
    """What a start finds in the database file."""

    EMPTY = "empty"
    EARLIER_SYSTEM = "earlier system"
    OLD = "old"
    CURRENT = "current"


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic_config())


def _alembic_config() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def schema_state(connection: Connection) -> SchemaState:
    """Compare the database's schema with the program's. Raises DatabaseNewer for one of a later version."""
    if not has_table(connection, SCHEMA_TABLE):
        return SchemaState.EARLIER_SYSTEM if has_table(connection, "assistants") else SchemaState.EMPTY
    found = connection.exec_driver_sql(f"SELECT version_num FROM {SCHEMA_TABLE}").scalar()
    if found == _scripts().get_current_head():
        return SchemaState.CURRENT
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseNewer(str(found))
    return SchemaState.OLD


def migrate(connection: Connection) -> None:
    """Bring the schema to the program's version inside the transaction that the caller holds.

    Alembic's own handling would commit after each step on SQLite, and a kill would leave half an upgrade behind:
    `migrations/env.py` therefore runs on this connection and begins nothing.
    """
    config = _alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def copy(source: Path, target: Path) -> None:
    """Copy the whole database with SQLite's backup API to `target`, one file of mode 0600, and check the copy.

    Raises DatabaseCorrupt when it does not pass `quick_check`, sqlite3.Error, FileExistsError when `target` exists.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    reading, writing_to = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing_to, pages=4096)
        # The copy must be one file: a WAL beside it would have to travel with it.
        writing_to.execute("PRAGMA journal_mode=DELETE")
        with suppress(CannotBeChecked):
            if structural_faults(writing_to, most=1):
                raise DatabaseCorrupt
    finally:
        writing_to.close()
        reading.close()


def measure_wait(path: Path, *, most_seconds: float) -> float:
    """How long one waits for the write lock now, in seconds; `most_seconds` when it is not free by then.

    Raises sqlite3.Error.
    """
    began = time.monotonic()
    # Without «rwc» a file that is gone stays gone.
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=most_seconds)) as connection:
        connection.isolation_level = None
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return most_seconds
        waited = time.monotonic() - began
        connection.execute("ROLLBACK")
    return min(waited, most_seconds)


def schema_of(path: Path) -> SchemaState:
    """The schema of a database that lies still (a snapshot), which is opened without leaving a trace beside it.

    Raises DatabaseNewer, DatabaseCorrupt.
    """
    address = f"sqlite:///file:{quote(str(path))}?mode=ro&immutable=1&uri=true"
    engine = create_engine(address, poolclass=NullPool)
    try:
        with translated_errors(), engine.connect() as connection:
            return schema_state(connection)
    finally:
        engine.dispose()
