"""All records in the order of their ids' bytes, in which two catalogues can be read side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import Connection, column, func, select, table

from webadmin.catalogue import rows
from webadmin.catalogue.records import Record


def iter_by_id(connection: Connection) -> Iterator[Record]:
    """Yield the records that can be found by their id, ordered by its UTF-8 bytes, in constant memory.

    Rows whose id is no text, or no valid UTF-8, are shown with the nearest text as their id: they are left out.
    """
    of = rows.shape(connection)
    found = rows.query(of).where(func.typeof(column("id")) == "text").order_by(column("id"))
    broken = [raw.hex().upper() for kind, raw in _odd_ids(connection) if kind == "text"]
    if broken:
        found = found.where(
            func.hex(column("id")).not_in(select(func.json_each(json.dumps(broken)).table_valued("value")))
        )
    for row in connection.execute(found):
        yield rows.from_row(row, of)


def count_all(connection: Connection) -> int:
    """How many records there are, with those that `iter_by_id` leaves out."""
    return connection.execute(select(func.count()).select_from(table("assistants"))).scalar() or 0


def side_by_side(left: Iterator[Record], right: Iterator[Record]) -> Iterator[tuple[Record | None, Record | None]]:
    """Pair the records of two catalogues by their ids, both as `iter_by_id` gives them; None on a side without it."""
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        a, b = _id_bytes(one), _id_bytes(other)
        is_left, is_right = other is None or (one is not None and a <= b), one is None or (other is not None and b <= a)
        yield (one if is_left else None), (other if is_right else None)
        one, other = (next(left, None) if is_left else one), (next(right, None) if is_right else other)


def _id_bytes(record: Record | None) -> bytes:
    return str(record.id).encode("utf-8", "surrogatepass") if record else b""


def odd_ids(connection: Connection) -> frozenset[str]:
    """The ids with which rows are shown that `iter_by_id` leaves out."""
    return frozenset(raw.decode("utf-8", "replace") for _, raw in _odd_ids(connection))


def _odd_ids(connection: Connection) -> Iterator[tuple[str, bytes]]:
    """Type and bytes of every id that is no text, or no valid UTF-8; NULL is no id."""
    # Plain ASCII, which nearly all ids are, is told by SQLite alone.
    suspects = connection.exec_driver_sql(
        "SELECT typeof(id), CAST(id AS BLOB) FROM assistants WHERE id IS NOT NULL AND (typeof(id) <> 'text'"
        " OR id GLOB '*[^' || char(1) || '-' || char(127) || ']*' OR instr(CAST(id AS BLOB), x'00') > 0)"
    )
    for kind, raw in suspects:
        if kind != "text" or not _is_utf8(raw):
            yield kind, raw


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
