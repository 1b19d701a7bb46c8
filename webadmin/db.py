"""The database: engine, connection settings, transactions, schema state and upgrade; its errors are in `db_errors`.

What differs between SQLite and another dialect lives here and in `catalogue/search.py`, nowhere else.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from webadmin import config, driver
from webadmin.db_errors import (
    CannotBeChecked,
    DatabaseCorrupt,
    DatabaseLocked,
    DatabaseNewer,
    DatabaseReadOnly,
    DiskFailing,
    DiskFull,
    is_read_only,
    translate,
    translated_errors,
)

# Errors are reached as `db.DiskFull`, beside the functions that raise them.
__all__ = [
    "CannotBeChecked",
    "DatabaseCorrupt",
    "DatabaseLocked",
    "DatabaseNewer",
    "DatabaseReadOnly",
    "DiskFailing",
    "DiskFull",
    "translate",
    "translated_errors",
]
SCHEMA_TABLE = "aa_schema_version"
_MIGRATIONS = Path(__file__).parent / "migrations"
IMMEDIATE = "BEGIN IMMEDIATE"
_NO_CHANGE = "DELETE FROM aa_schema_version WHERE 0"
# SQLite, «PRAGMA integrity_check»: what its check says of values rather than of pages.
_ROW_FAULT = re.compile(r"CHECK constraint failed in |(NULL|NUMERIC|TEXT|non-\w+) value in ")
# The writers of this process wait for one another here, and only then for those of others. SQLite waits by sleeping
# longer and longer: of eight writers that did so, one in twenty took 200 ms and more for a write of 10 ms.
_turns: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()
_NOTED_WAIT_SECONDS = 0.1
_tell_wait: Callable[[float], None] | None = None


class Base(DeclarativeBase):
    """The declarative base of every model."""


db = SQLAlchemy(model_class=Base)


def engine_options(timeout_ms: int) -> dict[str, Any]:
    """Options for Flask-SQLAlchemy's engine on an SQLite file; `timeout_ms` is the wait for a lock."""
    return {
        "connect_args": {
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": timeout_ms / 1000,
            "factory": driver.Connection,
        },
        "pool_size": 40,
        "max_overflow": 60,
    }


# The settings of a connection: of one to a database, and of one to a file of which an error leaves nothing to be kept.
_LASTING = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=1000")
_PASSING = ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=ON")


def prepare(engine: Engine, pragmas: tuple[str, ...] = _LASTING) -> None:
    """Attach the connection settings and the `BEGIN` rule to an SQLite engine."""
    _turns[engine] = threading.Lock()
    event.listen(engine, "connect", partial(_configure, pragmas=pragmas))
    event.listen(engine, "checkin", _end_reading)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _let_go_of_read_only)


def _configure(connection: sqlite3.Connection, _record: object, *, pragmas: tuple[str, ...]) -> None:
    # Rows of other programs may hold broken UTF-8, and one such value would make the whole SELECT raise.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _end_reading(connection: driver.Connection | None, _record: object) -> None:
    # None is one that was closed because of an error.
    if connection is not None:
        connection.end_reading()


def _let_go_of_read_only(context: ExceptionContext) -> None:
    # SQLite opens a file for reading alone when the system refuses more at that moment; kept in the pool, such a
    # connection would refuse each write it gets for as long as the program runs.
    if is_read_only(context.original_exception):
        context.is_disconnect = True


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get("begin", "BEGIN")
    # A deferred transaction that begins to write fails at once when another writer got in between, whatever the
    # time-out: so only transactions that took the lock first may write, and SQLite itself refuses the others.
    # Said to the driver itself, as it touches no file and can meet no error: SQLAlchemy takes longer than SQLite.
    connection.connection.cursor().execute(f"PRAGMA query_only={int(statement == 'BEGIN')}")
    connection.exec_driver_sql(statement)


def open_file(path: Path, *, timeout_ms: int = 5000, is_passing: bool = False) -> Engine:
    """Open any SQLite file with the program's settings; `dispose()` closes it.

    One that `is_passing` has no journal and is not synced: after an error it is thrown away.
    """
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, **_without_pool(engine_options(timeout_ms)))
    prepare(engine, _PASSING if is_passing else _LASTING)
    return engine


def _without_pool(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name == "connect_args"}


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start: commits on return, rolls back on an error."""
    with translated_errors(), engine.connect() as plain:
        connection = plain.execution_options(begin=IMMEDIATE)
        with _waiting():
            begun = connection.begin()
        with begun:
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
    with translated_errors(), ExitStack() as held:
        try:
            with _waiting():
                _take_turn(held)
                _begin_writing(session)
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


def _begin_writing(session: Session) -> None:
    """Take the write lock; on a connection opened now, if that of the pool can only read."""
    try:
        _lock(session)
    except DBAPIError as error:
        # It may be from a time when the system refused more; the pool has let go of all such by now.
        if error.orig is None or not is_read_only(error.orig):
            raise
        session.rollback()
        _lock(session)


def _lock(session: Session) -> None:
    connection = session.connection(execution_options={"begin": IMMEDIATE})
    # On a file that it opened for reading alone, SQLite's BEGIN IMMEDIATE raises nothing; this does, changing nothing.
    connection.exec_driver_sql(_NO_CHANGE)


def _take_turn(held: ExitStack) -> None:
    turn = _turns[db.engine]
    if not turn.acquire(timeout=config.current().db_timeout / 1000):
        raise DatabaseLocked
    held.callback(turn.release)


def use_waits(tell: Callable[[float], None]) -> None:
    """Install the function that is told, in seconds, each noticeable wait for the write lock of a database."""
    global _tell_wait
    _tell_wait = tell


@contextmanager
def _waiting() -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - began
        if _tell_wait is not None and seconds >= _NOTED_WAIT_SECONDS:
            _tell_wait(seconds)


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
        f"SELECT sql FROM sqlite_master WHERE type='table' AND name COLLATE NOCASE IN ({marks})",  # noqa: S608 (question marks)
        tables,
    )
    return tuple(found.scalars())


def quick_check(connection: Connection) -> list[str]:
    """What SQLite's quick check finds wrong with the file; empty when every page is sound. Raises CannotBeChecked."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 (for mypy: the driver is SQLite's)
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
def known_schemas() -> tuple[str, ...]:
    """Every schema that this version of the program knows, the oldest first: a migration's file begins with its own."""
    return tuple(sorted(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")))


def schema_state(connection: Connection) -> SchemaState:
    """Compare the database's schema with the program's. Raises DatabaseNewer for one of a later version."""
    if not has_table(connection, SCHEMA_TABLE):
        return SchemaState.EARLIER_SYSTEM if has_table(connection, "assistants") else SchemaState.EMPTY
    found = current_schema(connection)
    if found == newest_schema():
        return SchemaState.CURRENT
    if found is not None and found not in known_schemas():
        raise DatabaseNewer(found, newest_schema())
    return SchemaState.OLD


def current_schema(connection: Connection) -> str | None:
    """The schema that a database says it has; None when it says nothing."""
    if not has_table(connection, SCHEMA_TABLE):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {SCHEMA_TABLE}").scalar()  # noqa: S608 (a table of ours)
    return None if found is None else str(found)


def newest_schema() -> str:
    """The schema of this version of the program."""
    return known_schemas()[-1]


def migrate(connection: Connection) -> None:
    """Bring the schema to the program's version inside the transaction that the caller holds.

    Alembic's own handling would commit after each step on SQLite, and a kill would leave half an upgrade behind:
    `migrations/env.py` therefore runs on this connection and begins nothing.
    """
    # Only here: Alembic and what it brings are an eighth of the time of a start, and few starts upgrade anything.
    from alembic import command
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
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

    Raises DatabaseCorrupt, DatabaseReadOnly (a file that is gone, too).
    """
    began = time.monotonic()
    # Without «rwc» a file that is gone stays gone.
    address = f"file:{quote(str(path))}?mode=rw"
    with translated_errors(), closing(sqlite3.connect(address, uri=True, timeout=most_seconds)) as connection:
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
