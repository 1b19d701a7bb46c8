"""Rows of `assistants` that break the rules of contract 3.1: found and named, never changed.

Other programs may have written a missing id or version, a BLOB where text belongs, text that is no UTF-8, or tags that
are no JSON array. The bytes are looked at as they are stored, since a driver would mend or refuse them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from webadmin.catalogue.records import tags_of
from webadmin.catalogue.rows import BASE, NOT_CARRIED, NOT_EXPORTED, shape
from webadmin.errors import N_, Message

_INTEGERS = frozenset({"is_public", "version"})
_INFINITE = (b"Inf", b"-Inf")
_QUOTE = '"'
_MAY_BE_NULL = frozenset({"tags", "updated_at", "reviewed_at", "published_at", "review_note"})


@dataclass(frozen=True, slots=True)
class Oddity:
    """One stored value that breaks a rule: the row's number in SQLite, its id as far as that is text, the column."""

    row: int
    id: str | None
    column: str
    reason: Message


def find_oddities(connection: Connection) -> Iterator[Oddity]:
    """Yield every value that is odd, in the order of the rows, in constant memory."""
    names = shape(connection).names
    quoted = [f'"{name.replace(_QUOTE, _QUOTE * 2)}"' for name in names]
    columns = ", ".join(f"typeof({name}), CAST({name} AS BLOB)" for name in quoted)
    rows = connection.exec_driver_sql(f"SELECT rowid, {columns} FROM assistants ORDER BY rowid")  # noqa: S608 (the table's own columns, quoted)
    for row, *values in rows:
        kinds, raws = values[::2], values[1::2]
        record_id = raws[0].decode("utf-8", "replace") if kinds[0] == "text" else None
        for column, kind, raw in zip(names, kinds, raws, strict=True):
            reason = _reason(column, kind, raw)
            if reason is not None:
                yield Oddity(row, record_id, column, Message(reason))


def _reason(column: str, kind: str, raw: bytes | None) -> str | None:
    if column not in BASE:
        is_lost = kind == "blob" or column in NOT_CARRIED or (kind == "real" and raw in _INFINITE)
        return NOT_EXPORTED if is_lost and kind != "null" else None
    if kind == "null":
        return None if column in _MAY_BE_NULL else N_("The value is missing (NULL).")
    if kind != ("integer" if column in _INTEGERS else "text"):
        return N_("The value is of another type than the column's.")
    if column in _INTEGERS:
        return None
    try:
        text = (raw or b"").decode("utf-8")
    except UnicodeDecodeError:
        return N_("The text is not valid UTF-8.")
    return N_("The tags are no JSON array of texts.") if column == "tags" and isinstance(tags_of(text), str) else None
