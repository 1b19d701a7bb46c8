"""Entries of their own transaction: of acts that change nothing in the database, and of what the doors refuse.

While the database cannot be written (an import holds its lock, the disk is full, it is damaged) such an entry waits in
`runtime.db` and follows: signing in, or fetching a backup, is needed just then.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import deque
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import OperationalError

from webadmin import clock, config, damage, db, runtime
from webadmin.audit.acts import Act, Kind, Result
from webadmin.audit.entries import NOBODY, Thing, Who, origin, values, write
from webadmin.errors import Unavailable

REFUSALS_OF_ONE = 20
REFUSALS_OF_ALL = 300
"""How many refusals of a kind are written in an hour: of one caller, and of all together. The others are counted."""
_HOUR_MS = 3_600_000
_ALL = "all"
_AT_ONCE = 100
# Who asks waits no longer than this for whoever holds the lock; a large import does for minutes.
_PATIENCE_SECONDS = 0.25
_log = logging.getLogger(__name__)

_Values = tuple[str | None, ...]
# Of this process alone, and no more than a scheduler that fails for days can add.
_unwritten: deque[_Values] = deque(maxlen=1000)


def note(
    who: Who,
    act: Act,
    thing: Thing | None = None,
    *,
    result: Result = Result.DONE,
    before: str | None = None,
    after: str | None = None,
    **details: Any,
) -> None:
    """Write an entry in a transaction of its own, to be called before the act is done; its arguments are `record`'s.

    Raises RuntimeUnavailable when it can be written nowhere: then the act is not to be done.
    """
    _keep(values(who, act, thing, result, before, after, details))


def note_done(
    who: Who,
    act: Act,
    thing: Thing | None = None,
    *,
    result: Result = Result.DONE,
    before: str | None = None,
    after: str | None = None,
    **details: Any,
) -> None:
    """Write an entry about what is done in any case, a change of files or a download: `note` that never fails.

    Where neither database can be written it waits in memory, and is in the log file.
    """
    entry = values(who, act, thing, result, before, after, details)
    try:
        _keep(entry)
    except Unavailable:
        _log.warning("waits for the activity log: %s", entry)
        _unwritten.append(entry)


def refuse(
    act: Act, thing: Thing | None = None, *, who: Who = NOBODY, caller: str | None = None, **details: Any
) -> None:
    """Write that somebody was refused; of many refusals in an hour the first ones, and later how many more there were.

    `caller` is what they are counted by, the address unless something else is better; each act apart, so that wrong
    passwords do not hide what else is tried. Never fails: a refusal is one without its entry too, and the log file has
    it.
    """
    entry = values(who, act, thing, Result.REFUSED, None, None, details)
    _log.warning("refused: %s", entry)
    key = f"{act} {caller or origin().address or 'unknown'}"
    try:
        over, is_written = runtime.current().change(lambda store: (_of_hours_over(store, key), _may_write(store, key)))
        for each in [*over, entry] if is_written else over:
            _keep(each)
    except Unavailable:
        _log.warning("a refusal has no entry in the activity log", exc_info=True)


def settle() -> None:
    """Write what waits in `runtime.db`, and how many refusals were left out in hours that are over.

    Raises RuntimeUnavailable, and the errors of `webadmin.db`.
    """
    for each in runtime.current().change(lambda store: _of_hours_over(store, None)):
        _keep(each)
    _check_lock()
    _move()


def _keep(entry: _Values) -> None:
    try:
        _check_lock()
        _move()
        with db.writing(db.db.engine) as connection:
            write(connection, entry)
    except (Unavailable, OperationalError):
        # Before an upgrade there is no table yet.
        _wait(entry)


def _check_lock() -> None:
    """Raises the errors of `webadmin.db` where one would have to wait long, or nothing is to be written."""
    path = config.current().database_path
    damage.refuse(path)
    wait = db.measure_wait(path, most_seconds=_PATIENCE_SECONDS)
    if wait >= _PATIENCE_SECONDS:
        raise db.DatabaseLocked


def _wait(entry: _Values) -> None:
    _remember()
    runtime.current().write("INSERT INTO audit_waiting (entry) VALUES (?)", (json.dumps(entry),))


def _move() -> None:
    """Write what waits, oldest first. A process that is killed between the two files leaves an entry in both."""
    store = runtime.current()
    _remember()
    while rows := store.read("SELECT id, entry FROM audit_waiting ORDER BY id LIMIT ?", (_AT_ONCE,)):
        with db.writing(db.db.engine) as connection:
            for row in rows:
                write(connection, tuple(json.loads(row["entry"])))
        store.write("DELETE FROM audit_waiting WHERE id<=?", (rows[-1]["id"],))


def _remember() -> None:
    """Put what waits in memory where other processes find it."""
    while _unwritten:
        runtime.current().write("INSERT INTO audit_waiting (entry) VALUES (?)", (json.dumps(_unwritten[0]),))
        _unwritten.popleft()


def _may_write(connection: sqlite3.Connection, caller: str) -> bool:
    """Count a refusal for its caller and, if that one may still write, for all who were refused the same."""
    all_callers = f"{caller.partition(' ')[0]} {_ALL}"
    return _is_within(connection, caller, REFUSALS_OF_ONE) and _is_within(connection, all_callers, REFUSALS_OF_ALL)


def _is_within(connection: sqlite3.Connection, caller: str, most: int) -> bool:
    connection.execute(
        "INSERT INTO refusals (caller, began_at, made, most) VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING",
        (caller, _now(), most),
    )
    connection.execute("UPDATE refusals SET made = made + 1 WHERE caller=?", (caller,))
    ((made,),) = connection.execute("SELECT made FROM refusals WHERE caller=?", (caller,))
    return bool(made <= most)


def _of_hours_over(connection: sqlite3.Connection, caller: str | None) -> list[_Values]:
    """Entries about what was left out in hours that are over: a few at a time, the caller's own first."""
    now = _now()
    # An hour that lies ahead began before the clock was set back.
    rows = connection.execute(
        "SELECT caller, began_at, made, most FROM refusals WHERE began_at <= ? OR began_at > ?"
        " ORDER BY caller IS NOT ? LIMIT ?",
        (now - _HOUR_MS, now, caller, _AT_ONCE),
    ).fetchall()
    connection.executemany("DELETE FROM refusals WHERE caller=?", [(row["caller"],) for row in rows])
    return [_left_out(row) for row in rows if row["made"] > row["most"]]


def _left_out(row: sqlite3.Row) -> _Values:
    since = clock.to_text(datetime.fromtimestamp(row["began_at"] / 1000, UTC))
    act, _, caller = row["caller"].partition(" ")
    told = {"what": act, "count": row["made"] - row["most"], "since": since}
    thing = Thing(Kind.ADDRESS, caller)
    return values(NOBODY, Act.REFUSALS_LEFT_OUT, thing, Result.REFUSED, None, None, told)


def _now() -> int:
    return int(clock.now().timestamp() * 1000)
