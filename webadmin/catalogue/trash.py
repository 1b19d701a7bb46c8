"""The trash: deleted assistants, whole, for thirty days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webadmin import audit, clock
from webadmin.accounts import SCHEDULER, Actor
from webadmin.audit import Act
from webadmin.catalogue import assistants, changes
from webadmin.catalogue.models import Assistant, Revision, Trash
from webadmin.catalogue.records import next_version
from webadmin.catalogue.writing import Change, last_revision, note_many, write_one, write_records
from webadmin.errors import N_, Conflict, NotFound

KEPT_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """One deleted assistant; `number` identifies it, since an id may be in the trash several times."""

    number: int
    assistant_id: str
    title: str
    emoji: str
    status: str
    deleted_at: str
    deleted_by: str
    source: str


class PutBack(StrEnum):
    """What to do when the id of a deleted assistant is in use again."""

    REFUSE = "refuse"
    REPLACE = "replace"
    COPY = "copy"


_ENTRY = (
    Trash.number,
    Trash.assistant_id,
    Trash.title,
    Trash.emoji,
    Trash.status,
    Trash.deleted_at,
    Trash.deleted_by,
    Trash.source,
)


def list_trash(session: Session, *, before: int | None = None, most: int = 50) -> list[TrashEntry]:
    """Deleted assistants, the last deleted first; `before` is the number to go on after."""
    found = select(*_ENTRY).order_by(Trash.number.desc()).limit(most)
    if before is not None:
        found = found.where(Trash.number < before)
    return [TrashEntry(*row) for row in session.execute(found)]


def get_trash(session: Session, number: int) -> TrashEntry:
    """One entry of the trash. Raises NotFound."""
    row = session.execute(select(*_ENTRY).where(Trash.number == number)).first()
    if row is None:
        raise NotFound(N_("This is no longer in the trash."))
    return TrashEntry(*row)


def count_trash(session: Session) -> int:
    """How many entries the trash holds."""
    return session.execute(select(func.count()).select_from(Trash)).scalar_one()


def newest_in_trash(session: Session, assistant_id: str) -> TrashEntry | None:
    """The last deleted entry of an id, None when there is none."""
    found = select(*_ENTRY).where(Trash.assistant_id == assistant_id).order_by(Trash.number.desc()).limit(1)
    row = session.execute(found).first()
    return TrashEntry(*row) if row else None


def last_trash_number(session: Session) -> int:
    """The number of the newest entry, 0 in an empty trash."""
    return session.execute(select(func.max(Trash.number))).scalar() or 0


def trash_numbers(session: Session, first: int, last: int) -> list[int]:
    """The numbers of the entries from `first` to `last` that are still there."""
    return list(session.execute(select(Trash.number).where(Trash.number.between(first, last))).scalars())


def put_back(session: Session, actor: Actor, number: int, *, how: PutBack = PutBack.REFUSE) -> str:
    """Bring a deleted assistant back whole and return its id.

    It gets a version above every one that stood here before. Raises NotFound, and Conflict when its id is in use
    and `how` does not say whether to replace what is there or to make a copy with a new id.
    """
    change = _change_back(session, number, how)
    write_one(session.connection(), actor, change, Act.ASSISTANT_PUT_BACK, source="trash")
    session.execute(delete(Trash).where(Trash.number == number))
    return str(change.record.id)


def put_back_many(session: Session, actor: Actor, numbers: Sequence[int]) -> tuple[int, list[int]]:
    """Bring back several; returns how many came, and the numbers of those whose id is in use. What is gone is left out.

    One entry in the activity log stands for all of them.
    """
    changes.absorb(session)
    since, count, in_use = last_revision(session.connection()), 0, list[int]()
    for number in numbers:
        # Both are raised before anything is written, so the others still go back together.
        try:
            if len(numbers) == 1:
                put_back(session, actor, number)
            else:
                change = _change_back(session, number, PutBack.REFUSE)
                write_records(session.connection(), actor, [change], source="trash")
                session.execute(delete(Trash).where(Trash.number == number))
            count += 1
        except NotFound:
            continue
        except Conflict:
            in_use.append(number)
    if len(numbers) > 1:
        note_many(session.connection(), actor, Act.ASSISTANTS_PUT_BACK, since, count=count)
    return count, in_use


def _change_back(session: Session, number: int, how: PutBack) -> Change:
    changes.absorb(session)
    entry = session.get(Trash, number)
    if entry is None:
        raise NotFound(N_("This is no longer in the trash."))
    record = changes.stored(entry.record)
    before = assistants.find_record(session, entry.assistant_id)
    if before is not None and how is PutBack.REFUSE:
        raise Conflict(
            N_("The id “%(id)s” is in use by another assistant now."),
            hint=N_("Replace that one, or put this one back as a copy with a new id."),
            id=entry.assistant_id,
        )
    if how is PutBack.COPY:
        before, record = None, msgspec.structs.replace(record, id=assistants.new_id(), version=0)
    version = next_version(record.version, before.version if before else None)
    return Change(before, msgspec.structs.replace(record, version=version, updated_at=clock.now_text()))


def purge_trash(session: Session) -> int:
    """Delete for good what has been in the trash for longer than `KEPT_FOR`, with its revisions; returns how many."""
    limit = clock.to_text(clock.now() - KEPT_FOR)
    ids = session.execute(select(Trash.assistant_id).where(Trash.deleted_at < limit)).scalars().all()
    session.execute(delete(Trash).where(Trash.deleted_at < limit))
    for assistant_id in set(ids):
        is_used = session.execute(select(Assistant.id).where(Assistant.id == assistant_id)).first()
        if is_used is None and newest_in_trash(session, assistant_id) is None:
            session.execute(delete(Revision).where(Revision.assistant_id == assistant_id))
    if ids:
        audit.record(session, SCHEDULER, Act.TRASH_EMPTIED, count=len(ids), ids=ids)
    return len(ids)
