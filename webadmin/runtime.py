"""`runtime.db`: what must be writable while the catalogue is locked, or is written on reads.

Jobs with progress and cancel flag, sessions, the scheduler's heartbeat, when a token was last used, how many calls were
made and secrets tried, what was told to whom, what went wrong lately. Losing the file costs a sign-in, a job that was
open, the recent problems and the log of notifications, of which the last may be told again; nothing else, so a damaged
one is set aside.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from webadmin import clock, db_errors
from webadmin.errors import N_, Unavailable

_T = TypeVar("_T")

# Each entry is one step of the schema; `PRAGMA user_version` counts the steps that were applied.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE jobs (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, actor_kind TEXT NOT NULL, actor_name TEXT NOT NULL,
            title TEXT NOT NULL, params TEXT NOT NULL, state TEXT NOT NULL, phase TEXT, done INTEGER NOT NULL,
            total INTEGER, result TEXT, error TEXT, cancel_requested INTEGER NOT NULL DEFAULT 0,
            holder TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL)""",
        "CREATE INDEX jobs_state ON jobs (state, created_at)",
        """CREATE TABLE sessions (
            id_hash TEXT PRIMARY KEY, user_id TEXT, data TEXT NOT NULL, created_at INTEGER NOT NULL,
            seen_at INTEGER NOT NULL, idle_seconds INTEGER NOT NULL)""",
        "CREATE INDEX sessions_user ON sessions (user_id)",
        "CREATE TABLE heartbeat (name TEXT PRIMARY KEY, at TEXT NOT NULL, details TEXT NOT NULL)",
        "CREATE TABLE token_use (token_id INTEGER PRIMARY KEY, used_at TEXT NOT NULL, address TEXT)",
    ),
    ("ALTER TABLE jobs ADD COLUMN phase_at TEXT",),
    (
        "CREATE TABLE calls (caller TEXT PRIMARY KEY, began_at INTEGER NOT NULL, made INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX calls_began_at ON calls (began_at)",
    ),
    (
        """CREATE TABLE notification (
            id TEXT PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, destination TEXT NOT NULL, body TEXT NOT NULL,
            state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at TEXT, answer TEXT, answered_at TEXT)""",
        "CREATE INDEX notification_at ON notification (at)",
        "CREATE TABLE told (name TEXT PRIMARY KEY, at TEXT NOT NULL, details TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE tries (key TEXT PRIMARY KEY, paid_at INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX tries_paid_at ON tries (paid_at)",
    ),
    (
        """CREATE TABLE problem (
            code TEXT PRIMARY KEY, message TEXT NOT NULL, count INTEGER NOT NULL, first_at TEXT NOT NULL,
            last_at TEXT NOT NULL, trace_id TEXT) WITHOUT ROWID""",
        "CREATE TABLE lock_wait (hour TEXT PRIMARY KEY, milliseconds INTEGER NOT NULL) WITHOUT ROWID",
    ),
    ("ALTER TABLE sessions ADD COLUMN address TEXT", "ALTER TABLE sessions ADD COLUMN agent TEXT"),
    ("CREATE TABLE code_use (user_id INTEGER PRIMARY KEY, step INTEGER NOT NULL)",),
    (
        "CREATE TABLE audit_waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL)",
        """CREATE TABLE refusals (
            caller TEXT PRIMARY KEY, began_at INTEGER NOT NULL, made INTEGER NOT NULL,
            most INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX refusals_began_at ON refusals (began_at)",
    ),
    ("ALTER TABLE token_use ADD COLUMN old_used_at TEXT",),
)

_TABLES = sum(statement.startswith("CREATE TABLE") for step in _STEPS for statement in step)
# Our own writes take milliseconds: whoever holds the lock for longer is another program. A page asks more than once:
# when it is known to be locked nobody else waits as long.
_WAIT_MS, _SHORT_WAIT_MS, _LOCKED_FOR_SECONDS = 3000, 100, 5.0
_ABANDONED: list[sqlite3.Connection] = []


class RuntimeUnavailable(Unavailable):
    """`runtime.db` can neither be read nor made anew (disk full, folder not writable)."""

    template = N_("The file for sessions and running tasks cannot be used.")
    next_step = N_("Check free space and permissions of the data folder.")

    def __init__(self) -> None:
        super().__init__(self.template, hint=self.next_step)


class RuntimeLocked(RuntimeUnavailable):
    """Another program holds the write lock of `runtime.db`."""

    retry_after_seconds = 5
    template = N_("Another program holds the file for sessions and running tasks (runtime.db).")
    next_step = N_("Let it end, or end it (fuser -v runtime.db in the data folder shows which it is); then try again.")


class Runtime:
    """One process's way to `runtime.db`; any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._locked_until: float | None = None

    def read(self, sql: str, params: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows that a statement gives. Raises RuntimeUnavailable."""
        return self._run(lambda connection: connection.execute(sql, params).fetchall())

    def write(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one changing statement in a transaction of its own; returns the number of rows it touched.

        Raises RuntimeUnavailable.
        """
        return self._run(lambda connection: connection.execute(sql, params).rowcount)

    def change(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `operation` returns, run in one transaction that no other process writes in; an error undoes it.

        Raises RuntimeUnavailable.
        """

        def run(connection: sqlite3.Connection) -> _T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = operation(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return found

        return self._run(run)

    def close(self) -> None:
        """Close this process's connection; the next use opens another."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
            self._connection = self._identity = None

    def _run(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._mutex:
            try:
                try:
                    return operation(self._connected())
                except sqlite3.Error as error:
                    if not _is_damage(error):
                        raise
                    self._set_aside()
                    return operation(self._connected())
            except (sqlite3.Error, OSError) as error:
                if db_errors.is_read_only(error):
                    # So it was opened while the system refused more; the next use opens another.
                    self.close()
                if db_errors.is_locked(error):
                    self._locked_until = time.monotonic() + _LOCKED_FOR_SECONDS
                    self._wait_at_most(_SHORT_WAIT_MS)
                    raise RuntimeLocked from error
                raise RuntimeUnavailable from error

    def _wait_at_most(self, milliseconds: int) -> None:
        if self._connection is not None:
            self._connection.execute(f"PRAGMA busy_timeout={milliseconds}")

    def _connected(self) -> sqlite3.Connection:
        # Another process may have set the file aside, and a fork must not share its parent's connection: both show
        # as another (process, inode).
        identity = self._current_identity()
        if self._connection is None or identity is None or identity != self._identity:
            if self._connection is not None and self._identity is not None and self._identity[0] != os.getpid():
                # Closing it here would checkpoint and unlock behind the parent's back.
                _ABANDONED.append(self._connection)
                self._connection = None
            self.close()
            self._connection = self._open()
            self._identity = self._current_identity()
        if self._locked_until is not None and time.monotonic() > self._locked_until:
            self._wait_at_most(_WAIT_MS)
            self._locked_until = None
        return self._connection

    def _current_identity(self) -> tuple[int, int] | None:
        try:
            return os.getpid(), self.path.stat().st_ino
        except FileNotFoundError:
            return None

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives -wal and -shm the mode of the file, so it must be right before the first write.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=_WAIT_MS / 1000, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            _upgrade(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        """Move the damaged file out of the way, unless another process has done so already."""
        self.close()
        with FileLock(f"{self.path}.lock", timeout=10, mode=0o600):
            if _is_sound(self.path):
                return
            stamp = clock.now().strftime("%Y%m%d_%H%M%S")
            for suffix in ("-wal", "-shm", ""):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.rename(f"{self.path}.damaged-{stamp}{suffix}")


def _upgrade(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(_STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > len(_STEPS):
            # A later program wrote it; what it holds may be lost, so it is treated like a damaged file.
            raise sqlite3.DatabaseError("runtime.db has a schema of a later version")
        for statement in (statement for step in _STEPS[version:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(_STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_damage(error: sqlite3.Error) -> bool:
    # OperationalError is trouble around the file (locked, full disk) except for a missing table, which is damage too.
    if isinstance(error, sqlite3.OperationalError):
        return "no such table" in str(error) or "no such column" in str(error)
    # The driver raises the bare class for SQLITE_CORRUPT and SQLITE_NOTADB, subclasses for mistakes of the caller.
    return type(error) is sqlite3.DatabaseError


def _is_sound(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path, timeout=5, isolation_level=None)
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE type='table'").fetchone()[0]
            whole = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            return bool(whole and (tables == 0 or (_version(connection) == len(_STEPS) and tables >= _TABLES)))
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False


_provider: Callable[[], Runtime] | None = None


def use(provider: Callable[[], Runtime]) -> None:
    """Install the function that knows the current application's runtime database."""
    global _provider
    _provider = provider


def current() -> Runtime:
    """The current application's runtime database."""
    if _provider is None:
        raise RuntimeError("runtime.use() has not been called")
    return _provider()
