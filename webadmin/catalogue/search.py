"""Finding assistants: search, filters, sort orders and keyset paging.

Search is a substring scan with ASCII case folded, as contract 5 asks of the API: always right, whoever wrote the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, LargeBinary, Text, case, cast, func, literal, select, text
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from webadmin.catalogue import cursors, rows
from webadmin.catalogue.cursors import Cursor, Stored
from webadmin.catalogue.models import Assistant, Revision
from webadmin.catalogue.records import Record

_SNIPPET_BEFORE, _SNIPPET_LENGTH = 16, 160


class Sort(StrEnum):
    """The orders of a list; the first is the default."""

    EDITED = "edited"
    CREATED = "created"
    TITLE = "title"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class _Order:
    """A sort key and the direction of it and of the id that makes it unique; each has an index of its own."""

    key: ColumnElement[Any]
    is_descending: bool
    is_id_descending: bool


_ORDERS = {
    Sort.EDITED: _Order(func.coalesce(Assistant.updated_at, Assistant.created_at), True, True),
    Sort.CREATED: _Order(Assistant.created_at.expression, True, False),
    Sort.TITLE: _Order(Assistant.title.expression, False, False),
    Sort.PUBLISHED: _Order(func.coalesce(Assistant.published_at, literal("", literal_execute=True)), True, True),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What a list shows. `search` is looked for in `search_in`; `cursor` comes from a page's `next` or `previous`.

    `edited_from` and `edited_before` are times as they are stored: last edited at the first or later, and before the
    second. `written` are the first and the last of the revisions of which one has to be about the assistant.
    `is_open` leaves out what is not both public and published, whatever the other filters say.
    """

    search: str = ""
    status: str | None = None
    author: str | None = None
    tags: tuple[str, ...] = ()
    is_public: bool | None = None
    edited_from: str | None = None
    edited_before: str | None = None
    written: tuple[int, int] | None = None
    sort: Sort = Sort.EDITED
    cursor: str | None = None
    page_size: int = 25
    search_in: tuple[str, ...] = ("title", "desc", "prompt")
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """An assistant as a list shows it; `snippet` is the part of the prompt that matched, when only the prompt did."""

    id: str
    title: str
    desc: str
    emoji: str
    status: str
    tags: list[str]
    author: str
    is_public: bool
    created_at: str
    updated_at: str | None
    published_at: str | None
    version: int
    snippet: str | None = None

    @property
    def edited_at(self) -> str:
        """When it was last changed: `updated_at`, else `created_at`."""
        return self.updated_at or self.created_at


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: rows `first` to `first + len(items) - 1` of all that match."""

    items: list[Summary]
    first: int
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of whole records: `first` is the row number of the first, `total` how many match in all."""

    records: list[Record]
    first: int
    total: int
    next: str | None


def find(session: Session, query: Query) -> Page:
    """One page of the assistants that match, in the query's order. Raises Invalid for a cursor that is not ours."""
    cursor = cursors.read(query.cursor, _scope(query)) if query.cursor else None
    is_backward = cursor is not None and cursor.is_backward
    found = _seek(session, _columns(query), query, cursor, query.page_size + 1)
    has_more = len(found) > query.page_size
    found = found[: query.page_size]
    if is_backward:
        found.reverse()
    first = max(1, cursor.first) if cursor else 1
    has_before = has_more if is_backward else cursor is not None
    has_after = is_backward or has_more
    return Page(
        items=[_summary(row) for row in found],
        first=first,
        next=_cursor_at(query, found[-1], first + len(found)) if found and has_after else None,
        previous=(
            _cursor_at(query, found[0], first - query.page_size, is_backward=True) if found and has_before else None
        ),
    )


def list_records(session: Session, query: Query, *, page: int = 1) -> RecordPage:
    """One page of whole records in the query's order; total and rows are of one state of the catalogue.

    With a cursor in the query, `page` is not looked at. Raises Invalid for a cursor that is not ours.
    """
    first, before = 1 + (page - 1) * query.page_size, None
    if query.cursor:
        before = cursors.read(query.cursor, _scope(query))
        first = max(1, before.first)
    total = _count(session, query)
    if not query.cursor and 1 < first <= total:
        before = _row_before(session, query, first)
    if first > total and not query.cursor:
        return RecordPage([], first, total, None)
    connection = session.connection()
    of = rows.shape(connection)
    found = _seek(session, rows.query(of), query, before, query.page_size + 1)
    has_more = len(found) > query.page_size
    found = found[: query.page_size]
    return RecordPage(
        records=[rows.from_row(row[:-_PLACES], of) for row in found],
        first=first,
        total=total,
        next=_cursor_at(query, found[-1], first + len(found)) if has_more else None,
    )


def _count(session: Session, query: Query) -> int:
    return int(session.connection().execute(_count_of(replace(query, cursor=None, page_size=0))).scalar_one())


@lru_cache(maxsize=64)
def _count_of(query: Query) -> Select[Any]:
    # Rows without an id are taken off instead of left out: SQLite counts a whole index at once, and only then.
    has_id, *others = _conditions(query)
    every = select(func.count()).select_from(Assistant).where(*others).scalar_subquery()
    odd = select(func.count()).select_from(Assistant).where(~has_id, *others).scalar_subquery()
    return select(every - odd)


def _row_before(session: Session, query: Query, first: int) -> Cursor:
    """Where the row before row number `first` stands. Skips in an index what a page of whole rows would read."""
    order = _ORDERS[query.sort]
    base = select(*_place(order)).where(*_conditions(query)).order_by(*_order_by(order, is_backward=False))
    return _cursor(session.connection().execute(base.limit(1).offset(first - 2)).one(), first)


def longest_waiting(session: Session, *, most: int = 4) -> list[Summary]:
    """The pending assistants that have not been touched for longest, the oldest first."""
    query, order = Query(status="pending"), _ORDERS[Sort.EDITED]
    found = _columns(query).where(*_conditions(query)).order_by(order.key.asc(), Assistant.id.asc()).limit(most)
    return [_summary(row) for row in session.execute(found)]


def counts(session: Session, query: Query) -> dict[str, int]:
    """How many match in each status under the query's other filters, and under `all` in total."""
    found = select(Assistant.status, func.count()).where(*_conditions(replace(query, status=None)))
    by_status: Counter[str] = Counter()
    for status, n in session.execute(found.group_by(Assistant.status)):
        by_status[_text(status)] += n
    return {"all": by_status.total(), **by_status}


def authors(session: Session, *, most: int = 200) -> list[tuple[str, int]]:
    """Authors with their number of assistants, the most active first."""
    return _facet(session.execute(select(Assistant.author, func.count()).group_by(Assistant.author)).all(), most)


def tags(session: Session, *, most: int = 200) -> list[tuple[str, int]]:
    """Tags with their number of assistants, the most used first. Reads the whole table: call it when asked for."""
    found = session.execute(
        text(
            "SELECT each.value, count(*) FROM assistants, json_each(CASE WHEN json_valid(tags) THEN tags ELSE '[]' END)"
            " AS each WHERE each.type = 'text' GROUP BY each.value"
        )
    ).all()
    return _facet(found, most)


def _facet(found: Sequence[Any], most: int) -> list[tuple[str, int]]:
    ranked = sorted(((str(value), int(n)) for value, n in found), key=lambda entry: (-entry[1], entry[0]))
    return ranked[:most]


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Assistant.id.is_not(None)]
    if query.status:
        found.append(Assistant.status == query.status)
    if query.author is not None:
        found.append(Assistant.author == query.author)
    if query.is_public is not None:
        found.append(Assistant.is_public != 0 if query.is_public else Assistant.is_public == 0)
    edited = _ORDERS[Sort.EDITED].key
    if query.edited_from:
        found.append(edited >= query.edited_from)
    if query.edited_before:
        found.append(edited < query.edited_before)
    if query.written:
        about = select(Revision.assistant_id).where(Revision.number.between(*query.written))
        found.append(Assistant.id.in_(about))
    if query.is_open:
        # Other programs may have stored there what is no number, which then counts as 0.
        is_number = func.typeof(Assistant.is_public) == "integer"
        found += [Assistant.is_public != 0, is_number, Assistant.status == "published"]
    found += [_has_tag(tag) for tag in query.tags]
    if query.search:
        needle = _fold(query.search)
        hits = [func.instr(func.lower(getattr(Assistant, name)), needle) > 0 for name in query.search_in]
        either = hits[0]
        for hit in hits[1:]:
            either = either | hit
        found.append(either)
    return found


def _fold(value: str) -> str:
    """ASCII case folded, as SQLite's `lower()` does it to the columns."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in value)


def _has_tag(tag: str) -> ColumnElement[bool]:
    each = func.json_each(Assistant.tags).table_valued("value")
    holds = select(literal(1)).select_from(each).where(each.c.value == tag).exists()
    # CASE keeps json_each away from tags that are no JSON, which would make the whole statement fail.
    return case((func.json_valid(Assistant.tags) == 1, holds), else_=False) == 1


def _seek(session: Session, base: Select[Any], query: Query, cursor: Cursor | None, most: int) -> list[Any]:
    """At most `most` rows after the cursor, each the columns of `base` and then its place, in two seeks of an index."""
    order = _ORDERS[query.sort]
    is_backward = cursor is not None and cursor.is_backward
    key_down, id_down = order.is_descending != is_backward, order.is_id_descending != is_backward
    base = base.add_columns(*_place(order)).where(*_conditions(query))
    by_key, by_id = _order_by(order, is_backward=is_backward)
    connection = session.connection()
    if cursor is None:
        return list(connection.execute(base.order_by(by_key, by_id).limit(most)))
    key, id_ = _bound(cursor.key), _bound(cursor.id)
    beyond_id = Assistant.id < id_ if id_down else Assistant.id > id_
    found = list(connection.execute(base.where(order.key == key, beyond_id).order_by(by_id).limit(most)))
    if len(found) < most:
        beyond_key = order.key < key if key_down else order.key > key
        found += connection.execute(base.where(beyond_key).order_by(by_key, by_id).limit(most - len(found)))
    return found


def _order_by(order: _Order, *, is_backward: bool) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    key_down, id_down = order.is_descending != is_backward, order.is_id_descending != is_backward
    return (
        order.key.desc() if key_down else order.key.asc(),
        Assistant.id.desc() if id_down else Assistant.id.asc(),
    )


def _place(order: _Order) -> tuple[ColumnElement[Any], ...]:
    """Where a row stands in the order: key and id, each as the driver gives it and as it is stored."""
    return (
        order.key.label("place_key"),
        cast(order.key, LargeBinary).label("place_key_bytes"),
        Assistant.id.label("place_id"),
        cast(Assistant.id, LargeBinary).label("place_id_bytes"),
    )


_PLACES = 4


def _bound(value: Stored) -> ColumnElement[Any]:
    """The value as a parameter that equals what is stored: other programs store BLOBs, and text that is no UTF-8."""
    if not value.is_text:
        return literal(value.raw)
    try:
        return literal(value.raw.decode())
    except UnicodeDecodeError:
        return cast(literal(value.raw), Text)


def _columns(query: Query) -> Select[Any]:
    columns: list[Any] = [
        Assistant.id, Assistant.title, Assistant.desc, Assistant.emoji, Assistant.status, Assistant.tags,
        Assistant.author, Assistant.is_public, Assistant.created_at, Assistant.updated_at, Assistant.published_at,
        Assistant.version,
    ]  # fmt: skip
    return select(*columns, (_snippet(query) if query.search else literal(None)).label("snippet"))


def _snippet(query: Query) -> ColumnElement[Any]:
    needle = _fold(query.search)
    at = func.instr(func.lower(Assistant.prompt), needle)
    seen = (func.instr(func.lower(Assistant.title), needle) > 0) | (func.instr(func.lower(Assistant.desc), needle) > 0)
    part = func.substr(Assistant.prompt, func.max(1, at - _SNIPPET_BEFORE), _SNIPPET_LENGTH)
    return case((seen, None), (at > 0, part), else_=None)


def _summary(row: Any) -> Summary:
    return Summary(
        id=_text(row.id),
        title=_text(row.title),
        desc=_text(row.desc),
        emoji=_text(row.emoji),
        status=_text(row.status),
        tags=_tag_list(row.tags),
        author=_text(row.author),
        is_public=bool(row.is_public),
        created_at=_text(row.created_at),
        updated_at=_text(row.updated_at) if row.updated_at is not None else None,
        published_at=_text(row.published_at) if row.published_at is not None else None,
        version=row.version if type(row.version) is int else 0,
        snippet=_text(row.snippet) if row.snippet is not None else None,
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tag_list(value: Any) -> list[str]:
    try:
        return msgspec.json.decode(value or "[]", type=list[str])
    except (msgspec.DecodeError, TypeError, UnicodeEncodeError):
        return []


def _cursor_at(query: Query, row: Any, first: int, *, is_backward: bool = False) -> str:
    return cursors.write(_cursor(row, first, is_backward=is_backward), _scope(query))


def _cursor(row: Any, first: int, *, is_backward: bool = False) -> Cursor:
    key = Stored(row.place_key_bytes, is_text=not isinstance(row.place_key, bytes))
    id_ = Stored(row.place_id_bytes, is_text=not isinstance(row.place_id, bytes))
    return Cursor(key, id_, is_backward=is_backward, first=first)


def _scope(query: Query) -> tuple[Any, ...]:
    """What a cursor belongs to: everything but where a page begins and how long it is."""
    return astuple(replace(query, cursor=None, page_size=0))
