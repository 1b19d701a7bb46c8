"""Bringing the log over from a damaged database, as far as it can be read, into the one that takes its place."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from webadmin.audit.entries import COLUMNS

_NAMES = ", ".join(("number", *COLUMNS))
_MARKS = ", ".join("?" * (len(COLUMNS) + 1))


def carry_over(source: Path, target: Connection) -> int:
    """Add to `target` the entries of the file `source` that are newer than its own, with their numbers.

    Nothing may have been recorded in `target` since it was copied. Pages that cannot be read are passed over from both
    sides: what they held is a gap in the numbers. Returns how many entries came. Raises the errors of the database.
    """
    newest = target.exec_driver_sql("SELECT max(number) FROM aa_audit").scalar() or 0
    count = 0
    with closing(sqlite3.connect(source)) as damaged:
        damaged.text_factory = partial(str, encoding="utf-8", errors="replace")
        for order in ("ASC", "DESC"):
            # What stands behind a page that cannot be read is reached from the other end; the rest is there already.
            with suppress(sqlite3.DatabaseError):
                statement = f"SELECT {_NAMES} FROM aa_audit NOT INDEXED WHERE number > ? ORDER BY number {order}"  # noqa: S608 (constants)
                for row in damaged.execute(statement, (newest,)):
                    if not _is_added(target, row):
                        break
                    count += 1
                    newest = row[0] if order == "ASC" else newest
    return count


def _is_added(target: Connection, row: tuple[object, ...]) -> bool:
    try:
        target.exec_driver_sql(f"INSERT INTO aa_audit ({_NAMES}) VALUES ({_MARKS})", row)  # noqa: S608 (constants)
    except IntegrityError:
        return False
    return True
