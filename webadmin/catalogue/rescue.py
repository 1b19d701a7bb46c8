"""What a careful reading of a damaged database still gives: row by row, by every way there is to a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from webadmin.catalogue import rows
from webadmin.catalogue.records import Record
from webadmin.errors import Problem

_WAYS = ("NOT INDEXED ORDER BY rowid", "NOT INDEXED ORDER BY rowid DESC")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is there and does not read whole; `id` where at least that can be told."""

    row: int
    id: str | None


def rescue(connection: Connection) -> Iterator[Record | Unreadable]:
    """Each record of a damaged database that reads whole, or the row that is there and does not.

    A value that would have to be mended counts as unreadable: in a damaged file nobody knows what it was.
    """
    # Broken UTF-8 must be an error here, and not be replaced.
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 (for mypy: the driver is SQLite's)
    driver.text_factory = str
    try:
        of = rows.shape(connection)
    except DBAPIError:
        return
    one = rows.query(of).where(text("assistants.rowid = :number"))
    for number in sorted(_numbers(connection)):
        problems: list[Problem] = []
        try:
            row = connection.execute(one, {"number": number}).first()
            record = None if row is None else rows.from_row(row, of, problems.append)
        except (DBAPIError, msgspec.MsgspecError, UnicodeError):
            record = None
        is_whole = record is not None and record.id and not problems
        yield record if record is not None and is_whole else Unreadable(number, _id(connection, number))


def _id(connection: Connection, number: int) -> str | None:
    try:
        found = connection.exec_driver_sql("SELECT id FROM assistants WHERE rowid=?", (number,)).scalar()
    except (DBAPIError, UnicodeError):
        return None
    return found if isinstance(found, str) else None


def _numbers(connection: Connection) -> set[int]:
    """The numbers of all rows that the table from its start, from its end, or one of its indexes leads to."""
    found: set[int] = set()
    for way in (*_WAYS, *_indexes(connection)):
        try:
            for (number,) in connection.exec_driver_sql(f"SELECT rowid FROM assistants {way}"):  # noqa: S608 (clauses of ours, names quoted)
                found.add(number)
        except DBAPIError:
            continue
    return found


def _indexes(connection: Connection) -> list[str]:
    try:
        names = connection.exec_driver_sql("SELECT name FROM pragma_index_list('assistants') WHERE partial=0").scalars()
        quoted = (name.replace('"', '""') for name in names)
        return [f'INDEXED BY "{name}"' for name in quoted]
    except DBAPIError:
        return []
