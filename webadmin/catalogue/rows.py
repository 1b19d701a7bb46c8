"""Rows of the table `assistants` as portable records, and back.

The table belongs to the earlier system: later versions of it added columns, and others may have added more. What a
record holds beyond the table's columns lies in `aa_extra`, as the raw JSON text that came in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, column, insert, literal_column, select, table, text
from sqlalchemy.sql import Select, TableClause

from webadmin import db, strict
from webadmin.catalogue.models import Assistant
from webadmin.catalogue.records import JSON_NAMES, Record, assign, list_of, tags_of
from webadmin.errors import N_, Message, Problem

BASE = (
    "id", "title", "desc", "emoji", "prompt", "tags", "is_public", "status", "author", "created_at",
    "updated_at", "reviewed_at", "published_at", "review_note", "version",
)  # fmt: skip
LATER = {"category": "category", "usage_count": "usageCount", "rating": "rating"}
"""Columns that later versions added, with their JSON names (contract 4)."""

_INTEGERS = frozenset({"is_public", "version", "usage_count"})
_OPTIONAL = frozenset({"tags", "updated_at", "reviewed_at", "published_at", "review_note", *LATER})
BATCH = 500
"""How many records are read or written in one statement at most."""
_BATCH_CHARACTERS = 2_000_000
_QUOTE = '"'

Warn = Callable[[Problem], None]
_Item = TypeVar("_Item")

_raw_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])
NOT_EXPORTED = N_("JSON cannot carry this value; it stays in the database and is not exported.")
# Names of columns that would stand twice in a record: its own keys.
NOT_CARRIED = frozenset(JSON_NAMES.values()) - {*LATER, *LATER.values()}
_encode = msgspec.json.encode

CATALOGUE_TABLES = (
    """CREATE TABLE assistants (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, desc TEXT NOT NULL, emoji TEXT NOT NULL, prompt TEXT NOT NULL,
        tags TEXT, is_public INTEGER NOT NULL, status TEXT NOT NULL, author TEXT NOT NULL, created_at TEXT NOT NULL,
        updated_at TEXT, reviewed_at TEXT, published_at TEXT, review_note TEXT, version INTEGER,
        category TEXT, usage_count INTEGER, rating REAL
    )""",
    "CREATE TABLE aa_extra (assistant_id TEXT PRIMARY KEY, keys TEXT NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns that `assistants` has in one database, and whether `aa_extra` is there."""

    later: tuple[db.Column, ...]
    unknown: tuple[db.Column, ...]
    has_extra: bool

    @property
    def names(self) -> tuple[str, ...]:
        """All column names in the order in which rows are read and written."""
        return (*BASE, *(each.name for each in (*self.later, *self.unknown)))


_shapes: dict[tuple[str, ...], Shape] = {}


def shape(connection: Connection) -> Shape:
    """Which columns this database's `assistants` has."""
    # Any program may change the table, a transaction may undo that, and another file may take the place of this one:
    # so its definition is read each time, and only what follows from the same definition is not found out again.
    definitions = db.definitions(connection, "assistants", "aa_extra")
    if definitions not in _shapes:
        _shapes[definitions] = _read_shape(connection)
    return _shapes[definitions]


def _read_shape(connection: Connection) -> Shape:
    columns = db.table_columns(connection, "assistants")
    return Shape(
        later=tuple(c for c in columns if c.name in LATER),
        unknown=tuple(c for c in columns if c.name not in BASE and c.name not in LATER),
        has_extra=db.has_table(connection, "aa_extra"),
    )


def create_tables(connection: Connection) -> None:
    """Make an empty scratch catalogue: `assistants` with every known column, and `aa_extra`."""
    for statement in CATALOGUE_TABLES:
        connection.exec_driver_sql(statement)


@lru_cache(maxsize=16)
def assistants(of: Shape) -> TableClause:
    """The table as a Core expression with just these columns."""
    return table("assistants", *(column(name) for name in of.names))


@lru_cache(maxsize=16)
def query(of: Shape) -> Select[Any]:
    """A select of whole rows of `Assistant`'s table, kept keys last, that `from_row` understands."""
    # Columns beyond those of the model are known by name alone.
    columns: list[ColumnElement[Any]] = [
        literal_column(f'assistants."{name.replace(_QUOTE, _QUOTE * 2)}"') for name in of.names
    ]
    if not of.has_extra:
        return select(*columns, text("NULL")).select_from(Assistant)
    extra = table("aa_extra", column("assistant_id"), column("keys"))
    return (
        select(*columns, extra.c["keys"]).select_from(Assistant).outerjoin(extra, extra.c.assistant_id == Assistant.id)
    )


def iter_records(connection: Connection, *, warn: Warn | None = None, order: str = "id") -> Iterator[Record]:
    """Yield every record ordered by its id as it is stored, or by `rowid`, in constant memory.

    Needs nothing but the table `assistants`, so it also reads a database that this program never opened.
    `warn` is told of each value that JSON cannot carry as it is; the record is yielded all the same.
    """
    of = shape(connection)
    # SQLite's driver gives row by row; SQLAlchemy's own streaming would hold a hundred of them, of any size.
    rows = connection.execute(query(of).order_by(literal_column(f"assistants.{order}")))
    for row in rows:
        yield from_row(row, of, warn)


@lru_cache(maxsize=16)
def _query_one(of: Shape) -> Select[Any]:
    return query(of).where(column("id") == bindparam("id"))


def record_of(connection: Connection, id: str) -> Record | None:
    """The record with this id, None when there is none."""
    of = shape(connection)
    row = connection.execute(_query_one(of), {"id": id}).first()
    return None if row is None else from_row(row, of)


def records_of(connection: Connection, ids: Sequence[str]) -> list[Record]:
    """The records with these ids, in no particular order; an id that does not exist is left out."""
    of = shape(connection)
    found = connection.execute(query(of).where(column("id").in_(ids)))
    return [from_row(row, of) for row in found]


def from_row(row: Sequence[Any], of: Shape, warn: Warn | None = None) -> Record:
    """Make a record of a row that `query` selected, mending what JSON cannot carry (contract 3.1)."""
    values: dict[str, Any] = {}
    for name, value in zip(BASE, row, strict=False):
        values[name] = value if _is_plain(name, value) else _mend(name, value, row[0], warn)
    values["is_public"] = bool(values["is_public"])
    values["tags"] = _tags(values["tags"], row[0], warn)
    extra = {key: bytes(raw) for key, raw in _raw_keys.decode(row[-1]).items()} if row[-1] else {}
    position = len(BASE)
    for later in of.later:
        values[later.name] = _later(later.name, row[position], row[0], extra, warn)
        position += 1
    for unknown, value in zip(of.unknown, row[position:-1], strict=True):
        raw = _unknown(unknown.name, value, row[0], warn)
        if raw is not None:
            extra[unknown.name] = raw
    record = Record(**values, extra=extra)
    for name, key in LATER.items():
        if key in extra and getattr(record, name) is None:
            _take_up(record, name, key)
        elif key in extra:
            # Another program wrote the column after the key was kept.
            del extra[key]
    return record


def _take_up(record: Record, name: str, key: str) -> None:
    """Give a kept key to its field, unless its value is none that the field can hold."""
    try:
        is_taken = assign(record, name, strict.load(record.extra[key], most=strict.MAX_OWN_VALUES)) is None
    except strict.NotReadable:
        return
    if is_taken:
        del record.extra[key]


def _is_plain(name: str, value: Any) -> bool:
    if name in _INTEGERS:
        return type(value) is int
    return type(value) is str or (value is None and name in _OPTIONAL)


def _mend(name: str, value: Any, record_id: Any, warn: Warn | None) -> Any:
    """The nearest value of the right type for one that no rule of the contract allows; the row is left alone."""
    _tell(
        warn,
        record_id,
        name,
        N_("The stored value has an unexpected type; it is exported as text or left out."),
    )
    if name in _INTEGERS:
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return int(value) if whole else (0 if name == "is_public" else None)
    if value is None:
        return None if name == "id" else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tell(warn: Warn | None, record_id: Any, field: str, template: str) -> None:
    if warn:
        known = record_id if isinstance(record_id, str) else None
        warn(Problem(Message(template), field=field, id=known))


def _tags(value: Any, record_id: Any, warn: Warn | None) -> list[str] | str:
    tags = tags_of(value or "")
    if isinstance(tags, str):
        _tell(warn, record_id, "tags", N_("The stored tags are no JSON array of texts; they are kept as they are."))
    return tags


def _later(name: str, value: Any, record_id: Any, extra: dict[str, bytes], warn: Warn | None) -> Any:
    if value is None:
        return None
    if name == "category" and isinstance(value, str):
        found = list_of(value)
        if found is not None:
            return found
    elif name == "usage_count" and type(value) is int:
        return value
    elif name == "rating" and type(value) in (int, float) and math.isfinite(value) and float(value) == value:
        return float(value)
    raw = _unknown(name, value, record_id, warn)
    if raw is not None:
        extra[name] = raw
    return None


def _unknown(name: str, value: Any, record_id: Any, warn: Warn | None) -> bytes | None:
    """The raw JSON of a column that nobody here knows; None when it holds NULL or nothing JSON can carry."""
    if value is None:
        return None
    if name in NOT_CARRIED or isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        _tell(warn, record_id, name, NOT_EXPORTED)
        return None
    return _encode(value)


def to_values(record: Record, of: Shape) -> tuple[dict[str, Any], str | None]:
    """The column values that store a record in a database of this shape, and the text for `aa_extra` or None."""
    kept = dict(record.extra)
    affinities = {each.name: each for each in of.later}
    values: dict[str, Any] = {name: getattr(record, name) for name in BASE}
    values["is_public"] = int(record.is_public)
    values["tags"] = record.tags if isinstance(record.tags, str) else _json_text(record.tags)
    for name, key in LATER.items():
        value = getattr(record, name)
        if name not in affinities:
            if value is not None:
                kept[key] = _encode(value)
        elif name in kept and value is None:
            values[name] = _column_value(kept, affinities[name])
        else:
            values[name] = _json_text(value) if name == "category" and value is not None else value
    for unknown in of.unknown:
        values[unknown.name] = _column_value(kept, unknown)
    raw = {key: msgspec.Raw(text) for key, text in kept.items()}
    return values, _encode(raw).decode() if raw else None


def _json_text(value: Any) -> str:
    return _encode(value).decode()


def _column_value(kept: dict[str, bytes], target: db.Column) -> Any:
    """Take the key from `kept` when the column gives the same value back; leave it there, and NULL, when not."""
    raw = kept.get(target.name)
    if raw is None:
        return None
    value = msgspec.json.decode(raw) if len(raw) < 19 or raw[:1] == b'"' else None
    if not _survives(value, target.affinity):
        return None
    del kept[target.name]
    return value


def _survives(value: Any, affinity: str) -> bool:
    """Whether a column of this affinity stores the value unconverted (SQLite, «Datatypes», 3)."""
    if type(value) is str:
        return affinity in ("TEXT", "BLOB") or not _looks_numeric(value)
    if type(value) is int:
        return affinity in ("INTEGER", "NUMERIC", "BLOB")
    return type(value) is float and affinity in ("REAL", "BLOB")


def _looks_numeric(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def batches(items: Iterable[_Item], record_of: Callable[[_Item], Record]) -> Iterator[list[_Item]]:
    """Lists of at most 500, fewer where their records are large: some are a thousand times the size of others.

    So memory stays the same whatever a file holds, but for one record larger than a batch, which comes alone.
    """
    batch: list[_Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += _size(record_of(item))
        if len(batch) == BATCH or size > _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(record: Record) -> int:
    """About how many characters a record holds."""
    texts = (record.title, record.desc, record.emoji, record.prompt, record.author, record.review_note or "")
    size = sum(map(len, texts)) + sum(map(len, record.tags)) + sum(map(len, record.extra.values()))
    return size + len(_encode(record.category)) if record.category else size


def insert_records(connection: Connection, records: Iterable[Record]) -> int:
    """Insert whole records in batches and return how many; the caller holds the transaction.

    Raises sqlalchemy.exc.IntegrityError when an id exists.
    """
    of = shape(connection)
    count = 0
    for batch in batches(records, lambda record: record):
        insert_batch(connection, of, batch)
        count += len(batch)
    return count


def insert_batch(connection: Connection, of: Shape, batch: Sequence[Record]) -> None:
    """Insert one batch of whole records with their kept keys."""
    rows, extras = [], []
    for record in batch:
        values, keys = to_values(record, of)
        rows.append(values)
        if keys is not None:
            extras.append({"assistant_id": record.id, "keys": keys})
    connection.execute(insert(assistants(of)), rows)
    if extras:
        connection.execute(insert(table("aa_extra", column("assistant_id"), column("keys"))), extras)


def write_extra(connection: Connection, assistant_id: str, keys: str | None) -> None:
    """Replace what `aa_extra` keeps for an assistant; None removes it."""
    connection.exec_driver_sql("DELETE FROM aa_extra WHERE assistant_id = ?", (assistant_id,))
    if keys is not None:
        connection.exec_driver_sql("INSERT INTO aa_extra (assistant_id, keys) VALUES (?, ?)", (assistant_id, keys))
