"""What happened last in the catalogue, read from the newest revisions alone: a page may ask with each request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import ColumnElement, column, func, select, table
from sqlalchemy.orm import Session

from webadmin.catalogue.changes import FOUND
from webadmin.catalogue.models import Revision

LOOKED_AT = 500
"""How many revisions are read; larger numbers are told as «more than»."""


@dataclass(frozen=True, slots=True)
class RecentChange:
    """One change, or several of one kind by one actor in a row (an import): `count` says how many.

    `title` and `status` are those of the newest one; `is_more` means that the count goes on beyond what was read.
    """

    number: int
    assistant_id: str
    title: str
    status: str
    version: int | None
    created_at: str
    actor_kind: str
    actor_name: str
    source: str
    fields: list[str]
    is_deletion: bool
    count: int = 1
    is_more: bool = False


class _Seen(msgspec.Struct):
    title: str = ""
    status: str = ""


_fields = msgspec.json.Decoder(list[str])
_seen = msgspec.json.Decoder(_Seen)
# Made by a person or a call for one assistant; imports and other programs write many.
_ONE_BY_ONE = frozenset({"edit", "duplicate", "trash", "api"})


def recent(session: Session, *, most: int = 6) -> list[RecentChange]:
    """The newest changes, newest first; what an import or another program wrote in a row counts as one."""
    columns = (
        Revision.number, Revision.assistant_id, Revision.version, Revision.created_at, Revision.actor_kind,
        Revision.actor_name, Revision.source, Revision.fields, Revision.is_deletion,
    )  # fmt: skip
    rows = session.execute(select(*columns).order_by(Revision.number.desc()).limit(LOOKED_AT)).all()
    changes = [
        RecentChange(title="", status="", **row._asdict() | {"fields": _fields.decode(row.fields)}) for row in rows
    ]
    found = list(_grouped(changes, is_cut=len(rows) == LOOKED_AT))[:most]
    records = select(Revision.number, Revision.record).where(Revision.number.in_([change.number for change in found]))
    seen = {row.number: _seen.decode(row.record.encode("utf-8", "replace")) for row in session.execute(records)}
    return [replace(change, title=seen[change.number].title, status=seen[change.number].status) for change in found]


def _grouped(changes: Sequence[RecentChange], *, is_cut: bool) -> Iterator[RecentChange]:
    at = 0
    while at < len(changes):
        first, end = changes[at], at + 1
        while end < len(changes) and _belongs(first, changes[end]):
            end += 1
        yield replace(first, count=end - at, is_more=is_cut and end == len(changes) and end - at > 1)
        at = end


def _belongs(first: RecentChange, other: RecentChange) -> bool:
    same = (first.actor_kind, first.actor_name, first.source) == (other.actor_kind, other.actor_name, other.source)
    return same and first.source not in _ONE_BY_ONE


def newest_edit(session: Session) -> str | None:
    """The time of the latest edit of an assistant, as it is stored; None while there is none."""
    edited: ColumnElement[str | None] = func.coalesce(column("updated_at"), column("created_at"))
    # A BLOB, which another program may have written there, sorts above every text and is no time.
    texts = select(edited).select_from(table("assistants")).where(func.typeof(edited) == "text")
    return session.scalar(texts.order_by(edited.desc()).limit(1))


def edits_since(session: Session, instant: str) -> tuple[int, bool]:
    """How many changes are newer than a stored time, and whether there are more than `LOOKED_AT`.

    What stood in the database when it was first opened is no change.
    """
    newest = select(Revision.created_at, Revision.source).order_by(Revision.number.desc()).limit(LOOKED_AT + 1)
    count = sum(row.created_at > instant and row.source != FOUND for row in session.execute(newest))
    return min(count, LOOKED_AT), count > LOOKED_AT
