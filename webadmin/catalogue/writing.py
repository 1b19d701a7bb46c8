"""The one way in which this program changes `assistants`: rows, kept keys, revisions, trash and change log together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, Update, bindparam, delete, func, insert, select, update

from webadmin import audit, clock
from webadmin.accounts import Actor, Permission, may, require
from webadmin.catalogue import rows
from webadmin.catalogue.models import Change as LoggedChange
from webadmin.catalogue.models import Revision, Trash
from webadmin.catalogue.records import Record, changed_fields, encode

DELETED = "deleted"
_LAST_TWO = "SELECT number FROM aa_revision WHERE assistant_id = ? ORDER BY number DESC LIMIT 2"


@dataclass(frozen=True, slots=True)
class Change:
    """One record before and after: `before` None creates it, `after` None deletes it."""

    before: Record | None
    after: Record | None

    @property
    def record(self) -> Record:
        """What the assistant is after the change, or was before its deletion."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change has a record before or after it")
        return found


def last_revision(connection: Connection) -> int:
    """The number of the newest revision, 0 where there is none."""
    return connection.execute(select(func.max(Revision.number))).scalar() or 0


def iter_written(connection: Connection, first: int, last: int) -> Iterator[tuple[str, bytes | None]]:
    """The ids that these revisions are about, each with the record as it was written, None where it was deleted."""
    columns = (Revision.assistant_id, Revision.is_deletion, Revision.record)
    rows = connection.execute(select(*columns).where(Revision.number.between(first, last)).order_by(Revision.number))
    for row in rows:
        yield row.assistant_id, None if row.is_deletion else row.record.encode()


def count_written(connection: Connection, first: int, last: int) -> int:
    """How many of these revisions the history still holds."""
    return connection.execute(select(func.count()).where(Revision.number.between(first, last))).scalar() or 0


def write_records(connection: Connection, actor: Actor, changes: Iterable[Change], *, source: str) -> int:
    """Apply changes in batches, each with its revision; deletions go to the trash. Returns how many were written.

    The caller holds the write transaction and has absorbed foreign changes before. `changes` is read lazily, so it
    may raise to cancel: the caller's transaction then rolls everything back, as with NotAllowed, which is raised for
    a change that the actor may not make (`needed`). What is imported (`source`) takes IMPORT alone, whatever it is.
    """
    of = rows.shape(connection)
    if source == "import":
        require(actor, Permission.IMPORT)
    elif not may(actor, Permission.PUBLISH):
        changes = _allowed(actor, changes)
    count = 0
    for batch in rows.batches(changes, lambda change: change.record):
        _write_batch(connection, of, batch)
        _write_history(connection, actor, batch, source)
        count += len(batch)
    # Only our own entries can be in the log: this transaction holds the write lock and absorbed the others.
    connection.execute(delete(LoggedChange))
    return count


def write_one(connection: Connection, actor: Actor, change: Change, act: audit.Act, *, source: str) -> None:
    """`write_records` for one record, with its entry in the activity log."""
    write_records(connection, actor, [change], source=source)
    record, before, after = change.record, change.before, change.after
    status = {"from": before.status, "to": after.status} if before and after else {}
    # To the driver itself: it is asked with each write.
    found = connection.exec_driver_sql(_LAST_TWO, (record.id,))
    now, *earlier = found.scalars()
    audit.record(
        connection,
        actor,
        act,
        thing_of(record),
        before=f"revision:{earlier[0]}" if earlier else None,
        after=f"revision:{now}",
        fields=changed_fields(before, after) if before and after else None,
        status=status if len(set(status.values())) > 1 else None,
        source=source if source != "edit" else None,
    )


def thing_of(record: Record) -> audit.Thing:
    """An assistant as the activity log names it."""
    return audit.Thing(audit.Kind.ASSISTANT, record.id, record.title)


def note_many(
    connection: Connection, actor: Actor, act: audit.Act, since: int, *, before: str | None = None, **details: Any
) -> None:
    """The one entry about all revisions after the number `since`, if there are any. `before` is the safety backup."""
    last = last_revision(connection)
    if last > since:
        after = f"revisions:{since + 1}-{last}"
        audit.record(connection, actor, act, before=before and f"backup:{before}", after=after, **details)


def needed(change: Change) -> Permission:
    """What it takes to make a change; whatever is or becomes published, and a review, is not for every writer."""
    before, after = change.before, change.after
    if any(record is not None and record.status == "published" for record in (before, after)):
        return Permission.PUBLISH
    if before is None or after is None:
        return Permission.WRITE
    is_rejection = after.status == "rejected" != before.status
    return Permission.PUBLISH if is_rejection or after.review_note != before.review_note else Permission.WRITE


def may_change(actor: Actor, record: Record) -> bool:
    """Whether an actor may change the fields of a record, or delete it."""
    return may(actor, needed(Change(record, None)))


def may_move(actor: Actor, record: Record, status: str) -> bool:
    """Whether an actor may move a record to another status."""
    return may(actor, needed(Change(record, msgspec.structs.replace(record, status=status))))


def _allowed(actor: Actor, changes: Iterable[Change]) -> Iterator[Change]:
    for change in changes:
        require(actor, needed(change))
        yield change


def _write_batch(connection: Connection, of: rows.Shape, batch: Sequence[Change]) -> None:
    created = [change.after for change in batch if change.before is None and change.after]
    if created:
        # A key kept for an earlier assistant of the same id must not come back with the new one.
        _forget_extra(connection, created)
        rows.insert_batch(connection, of, created)
    deleted = [change.before for change in batch if change.after is None and change.before]
    if deleted:
        assistants = rows.assistants(of)
        connection.execute(
            delete(assistants).where(assistants.c.id == bindparam("old_id")),
            [{"old_id": record.id} for record in deleted],
        )
        _forget_extra(connection, deleted)
    _update_batch(connection, of, [(c.before, c.after) for c in batch if c.before and c.after])


def _forget_extra(connection: Connection, records: Sequence[Record]) -> None:
    if of_ours := [(record.id,) for record in records]:
        connection.exec_driver_sql("DELETE FROM aa_extra WHERE assistant_id = ?", of_ours)


def _update_batch(connection: Connection, of: rows.Shape, batch: Sequence[tuple[Record, Record]]) -> None:
    """Update only the columns that differ, so that a value nobody touched keeps its very bytes."""
    plans = []
    for before, after in batch:
        old, old_keys = rows.to_values(before, of)
        new, new_keys = rows.to_values(after, of)
        columns = tuple(name for name in of.names if name != "id" and old[name] != new[name])
        if columns:
            plans.append((columns, {f"new_{name}": new[name] for name in columns} | {"old_id": after.id}))
        if old_keys != new_keys:
            rows.write_extra(connection, str(after.id), new_keys)
    plans.sort(key=lambda plan: plan[0])
    for columns, group in groupby(plans, key=lambda plan: plan[0]):
        connection.execute(_update_of(of, columns), [values for _, values in group])


@lru_cache(maxsize=64)
def _update_of(of: rows.Shape, columns: tuple[str, ...]) -> Update:
    assistants = rows.assistants(of)
    statement = update(assistants).where(assistants.c.id == bindparam("old_id"))
    return statement.values({name: bindparam(f"new_{name}") for name in columns})


def _write_history(connection: Connection, actor: Actor, batch: Sequence[Change], source: str) -> None:
    at = clock.now_text()
    connection.execute(insert(Revision), [_revision(change, actor, source, at) for change in batch])
    deleted = [change.before for change in batch if change.after is None and change.before]
    if deleted:
        connection.execute(insert(Trash), [_trash(record, actor, source, at) for record in deleted])


def _revision(change: Change, actor: Actor, source: str, at: str) -> dict[str, object]:
    record = change.record
    fields = [DELETED] if change.after is None else []
    if change.before and change.after:
        fields = changed_fields(change.before, change.after)
    return {
        "assistant_id": record.id,
        "version": record.version,
        "created_at": at,
        "actor_kind": str(actor.kind),
        "actor_name": actor.name,
        "source": source,
        "fields": msgspec.json.encode(fields).decode(),
        "is_deletion": change.after is None,
        "record": encode(record).decode(),
    }


def _trash(record: Record, actor: Actor, source: str, at: str) -> dict[str, object]:
    return {
        "assistant_id": record.id,
        "title": record.title,
        "emoji": record.emoji,
        "status": record.status,
        "deleted_at": at,
        "deleted_by": actor.name,
        "source": source,
        "record": encode(record).decode(),
    }


def write_found(connection: Connection, actor: Actor, changes: Iterable[Change], *, source: str) -> int:
    """Write the history of changes that another program made to `assistants` itself. Returns how many."""
    count = 0
    for batch in rows.batches(changes, lambda change: change.record):
        _write_history(connection, actor, batch, source)
        gone = [change.before for change in batch if change.after is None and change.before]
        _forget_extra(connection, gone)
        count += len(batch)
    return count
