"""Getting, creating, changing and deleting one assistant, each write as one revision."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from webadmin import clock
from webadmin.accounts import Actor
from webadmin.audit import Act
from webadmin.catalogue import changes, limits, review, rows
from webadmin.catalogue.models import Revision
from webadmin.catalogue.records import Record, is_same, next_version
from webadmin.catalogue.writing import Change, write_one
from webadmin.errors import N_, Conflict, NotFound, StaleVersion

_NANOID = "useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict"
EDITABLE = ("title", "desc", "emoji", "prompt", "tags", "is_public", "author", "category", "usage_count", "rating")


@dataclass(frozen=True, slots=True)
class RevisionEntry:
    """One line of an assistant's history, newest first; `fields` are the changed ones, empty for the first."""

    number: int
    version: int | None
    created_at: str
    actor_name: str
    source: str
    fields: list[str]
    is_deletion: bool


def new_id() -> str:
    """A random id of 21 characters of the nanoid alphabet, as the earlier system makes them."""
    return "".join(_NANOID[byte & 63] for byte in secrets.token_bytes(21))


def find_record(session: Session, assistant_id: str) -> Record | None:
    """The record with this id, None when there is none (or it is in the trash)."""
    return rows.record_of(session.connection(), assistant_id)


def get(session: Session, assistant_id: str) -> Record:
    """The record with this id. Raises NotFound when there is none; one in the trash is not found either."""
    record = find_record(session, assistant_id)
    if record is None:
        raise NotFound(
            N_("There is no assistant “%(id)s”."),
            hint=N_("It may have been deleted: look in the trash."),
            id=assistant_id,
        )
    return record


def create(
    session: Session,
    actor: Actor,
    fields: Mapping[str, Any],
    *,
    assistant_id: str | None = None,
    source: str = "edit",
) -> Record:
    """Create a draft from `fields` (names of `EDITABLE`, plus `extra`) and return it as stored.

    Raises Invalid for what breaks the limits of contract 5, Conflict when the id exists.
    """
    values: dict[str, Any] = {"author": actor.name, "tags": [], "is_public": False}
    values |= {name: value for name, value in fields.items() if value is not None}
    limits.check_new(values | ({"id": assistant_id} if assistant_id is not None else {}))
    changes.absorb(session)
    if assistant_id is not None and find_record(session, assistant_id) is not None:
        raise Conflict(N_("An assistant with the id “%(id)s” exists already."), id=assistant_id)
    record = Record(
        id=assistant_id if assistant_id is not None else new_id(),
        title=values["title"],
        desc=values["desc"],
        emoji=values["emoji"],
        prompt=values["prompt"],
        tags=values["tags"],
        is_public=values["is_public"],
        status="draft",
        author=values["author"],
        created_at=clock.now_text(),
        version=1,
        category=values.get("category"),
        usage_count=values.get("usage_count"),
        rating=values.get("rating"),
        extra=dict(values.get("extra", {})),
    )
    limits.check_whole(record)
    write_one(session.connection(), actor, Change(None, record), Act.ASSISTANT_CREATED, source=source)
    return record


def update(
    session: Session,
    actor: Actor,
    assistant_id: str,
    changed: Mapping[str, Any] | Callable[[Record], Mapping[str, Any]],
    *,
    version: int,
    source: str = "edit",
) -> Record:
    """Change fields of `EDITABLE` (or `extra`) and return the record as stored; equal values change nothing.

    `changed` may be a function that makes the fields of the current record, once its version is known to be right.
    Raises NotFound, StaleVersion when `version` is not the current one, Invalid for limits that a changed field breaks.
    """
    current = _current(session, assistant_id, version)
    wanted = changed(current) if callable(changed) else changed
    real = {name: value for name, value in wanted.items() if not is_same(getattr(current, name), value)}
    if not real:
        return current
    limits.check_changed(real)
    return _save(session, actor, current, real, source, Act.ASSISTANT_CHANGED, at=clock.now_text())


def set_status(
    session: Session,
    actor: Actor,
    assistant_id: str,
    status: str,
    *,
    version: int,
    note: str | UnsetType | None = UNSET,
    source: str = "edit",
) -> Record:
    """Move to another status by the table of contract 5; the same status again changes the note only.

    `note` replaces the review note, None clears it.

    Raises NotFound, StaleVersion, Invalid for a move that does not exist or a note over the limit.
    """
    current = _current(session, assistant_id, version)
    review.check_move(current, status)
    note = current.review_note if note is UNSET else note
    at = clock.now_text()
    fields = review.moved(current, status, at=at, note=note)
    real = {name: value for name, value in fields.items() if getattr(current, name) != value}
    limits.check_changed(real)
    return _save(session, actor, current, real, source, Act.STATUS_CHANGED, at=at) if real else current


def _current(session: Session, assistant_id: str, version: int) -> Record:
    changes.absorb(session)
    current = get(session, assistant_id)
    if (current.version or 0) != version:
        raise StaleVersion(current=current.version or 0, requested=version)
    return current


def _save(
    session: Session, actor: Actor, current: Record, real: Mapping[str, Any], source: str, act: Act, *, at: str
) -> Record:
    changed = msgspec.structs.replace(current, **real, version=next_version(current.version), updated_at=at)
    limits.check_whole(changed)
    write_one(session.connection(), actor, Change(current, changed), act, source=source)
    return changed


def duplicate(session: Session, actor: Actor, assistant_id: str, *, title: str, copy_id: str | None = None) -> Record:
    """Create a draft with the texts of another assistant under `title` and a new id; the actor is its author.

    Raises NotFound, and Conflict when `copy_id`, the id that the copy is to have, exists. Texts above the limits are
    copied as they are: nothing was typed.
    """
    changes.absorb(session)
    original = get(session, assistant_id)
    if copy_id is not None:
        limits.check_changed({"id": copy_id})
        if find_record(session, copy_id) is not None:
            raise Conflict(N_("An assistant with the id “%(id)s” exists already."), id=copy_id)
    record = msgspec.structs.replace(
        original,
        id=copy_id if copy_id is not None else new_id(),
        title=title,
        author=actor.name,
        status="draft",
        created_at=clock.now_text(),
        updated_at=None,
        reviewed_at=None,
        published_at=None,
        review_note=None,
        usage_count=None,
        version=1,
    )
    write_one(session.connection(), actor, Change(None, record), Act.ASSISTANT_CREATED, source="duplicate")
    return record


def remove(session: Session, actor: Actor, assistant_id: str, *, version: int | None = None) -> Record:
    """Move an assistant to the trash and return what it was.

    Raises NotFound, and StaleVersion when a `version` is given that is not the current one.
    """
    changes.absorb(session)
    current = get(session, assistant_id)
    if version is not None and (current.version or 0) != version:
        raise StaleVersion(current=current.version or 0, requested=version)
    write_one(session.connection(), actor, Change(current, None), Act.ASSISTANT_DELETED, source="edit")
    return current


def find_version(session: Session, assistant_id: str, version: int) -> Record | None:
    """The newest state of an assistant that had this version, None when history has none."""
    found = (
        select(Revision.record)
        .where(Revision.assistant_id == assistant_id, Revision.version == version, ~Revision.is_deletion)
        .order_by(Revision.number.desc())
        .limit(1)
    )
    text = session.execute(found).scalar()
    return changes.stored(text) if text is not None else None


def list_revisions(session: Session, assistant_id: str, *, most: int = 20) -> list[RevisionEntry]:
    """The newest revisions of an assistant, newest first."""
    found = session.execute(
        select(
            Revision.number,
            Revision.version,
            Revision.created_at,
            Revision.actor_name,
            Revision.source,
            Revision.fields,
            Revision.is_deletion,
        )
        .where(Revision.assistant_id == assistant_id)
        .order_by(Revision.number.desc())
        .limit(most)
    )
    return [
        RevisionEntry(**row._asdict() | {"fields": msgspec.json.decode(row.fields, type=list[str])}) for row in found
    ]
