"""Noticing what other programs do to `assistants` while this one runs, or while it does not.

Triggers append the ids that any program writes to `aa_change`. The consumer compares each with its newest revision,
which serves as the shadow, and writes the revision that is missing or moves the deleted row to the trash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.orm import Session

from webadmin.accounts import OTHER_PROGRAM
from webadmin.audit import Act
from webadmin.catalogue import by_id, rows
from webadmin.catalogue.decoding import decode
from webadmin.catalogue.models import Assistant, Revision
from webadmin.catalogue.models import Change as LoggedChange
from webadmin.catalogue.records import Record, encode
from webadmin.catalogue.writing import Change, last_revision, note_many, write_found

FOUND = "found"
OTHER = "other program"
_BATCH = 500

# Plain INSERTs without a UNIQUE, an OR clause or a function: each of these was seen to break a statement of the
# earlier system's. One trigger per case, and nothing newer than SQLite 3.31.
_TRIGGERS = {
    "aa_assistants_insert": "AFTER INSERT ON assistants BEGIN INSERT INTO aa_change (id) VALUES (NEW.id); END",
    "aa_assistants_update": "AFTER UPDATE ON assistants BEGIN INSERT INTO aa_change (id) VALUES (NEW.id); END",
    "aa_assistants_rename": "AFTER UPDATE OF id ON assistants WHEN OLD.id IS NOT NEW.id "
    "BEGIN INSERT INTO aa_change (id) VALUES (OLD.id); END",
    "aa_assistants_delete": "AFTER DELETE ON assistants BEGIN INSERT INTO aa_change (id) VALUES (OLD.id); END",
}


def adopt(connection: Connection) -> int:
    """Make missing triggers and, when any was missing, compare the whole table. Returns how many rows had changed.

    The caller holds the write transaction. At the first opening every row gets its first revision, source «found».
    """
    missing = missing_triggers(connection)
    for name in missing:
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {_TRIGGERS[name]}")
    return _compare_all(connection) if missing else _drain(connection)


def missing_triggers(connection: Connection) -> list[str]:
    """The names of the triggers that are not there; without them other programs' changes are not logged."""
    present = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'assistants'"
    ).scalars()
    return sorted(set(_TRIGGERS) - set(present))


def first_seen_at(connection: Connection) -> str | None:
    """When this program first saw an assistant; None while the catalogue is empty."""
    if connection.execute(select(Assistant.id).limit(1)).first() is None:
        return None
    return connection.execute(select(Revision.created_at).order_by(Revision.number).limit(1)).scalar()


def are_pending(session: Session) -> bool:
    """Whether another program changed something that has no revision yet. One look at a log that is mostly empty."""
    return session.execute(select(LoggedChange.seq).limit(1)).first() is not None


def absorb(session: Session) -> int:
    """Write what other programs changed into revisions and trash; returns how many assistants that were.

    Inside `db.transaction()`. Every write of ours calls it first, so that history stays in order.
    """
    return adopt(session.connection())


def _drain(connection: Connection) -> int:
    ids = connection.execute(select(LoggedChange.id).distinct()).scalars().all()
    if not ids:
        return 0
    return _write_found(connection, _differences(connection, [i for i in ids if isinstance(i, str)]), OTHER)


def _compare_all(connection: Connection) -> int:
    is_first = connection.execute(select(Revision.number).limit(1)).first() is None
    return _write_found(connection, _all_differences(connection), FOUND if is_first else OTHER)


def _write_found(connection: Connection, found: Iterator[Change], source: str) -> int:
    since = last_revision(connection)
    count = write_found(connection, OTHER_PROGRAM, found, source=source)
    connection.execute(delete(LoggedChange))
    note_many(connection, OTHER_PROGRAM, Act.ASSISTANTS_FOUND, since, count=count, source=source)
    return count


def _all_differences(connection: Connection) -> Iterator[Change]:
    live = by_id.iter_by_id(connection)
    for batch in rows.batches(live, lambda record: record):
        yield from _against_shadow(connection, {str(record.id): record for record in batch})
    newest = select(func.max(Revision.number)).group_by(Revision.assistant_id)
    odd = by_id.odd_ids(connection)
    gone = (
        select(Revision.assistant_id, Revision.record)
        .where(Revision.number.in_(newest), ~Revision.is_deletion)
        .where(Revision.assistant_id.not_in(select(Assistant.id).where(Assistant.id.is_not(None))))
    )
    for assistant_id, text in connection.execute(gone).all():
        if assistant_id not in odd:
            yield Change(stored(text), None)


def _differences(connection: Connection, ids: Sequence[str]) -> Iterator[Change]:
    pending = iter(ids)
    while batch := list(islice(pending, _BATCH)):
        live: dict[str, Record | None] = dict.fromkeys(batch)
        live.update({str(r.id): r for r in rows.records_of(connection, batch)})
        yield from _against_shadow(connection, live)


def _against_shadow(connection: Connection, live: dict[str, Record | None] | dict[str, Record]) -> Iterator[Change]:
    shadows = newest_revisions(connection, list(live))
    for record_id, record in live.items():
        text = shadows.get(record_id)
        if record is None:
            if text is not None:
                yield Change(stored(text), None)
        elif text is None:
            yield Change(None, record)
        elif text != encode(record).decode():
            yield Change(stored(text), record)


def stored(text: str) -> Record:
    """The record that a revision or the trash holds, whatever rule of contract 4 it may break."""
    return decode(text.encode(), is_trusted=True)[0]


def newest_revisions(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The newest revision's record text of each id that has one and whose newest revision is no deletion."""
    newest = select(func.max(Revision.number)).where(Revision.assistant_id.in_(ids)).group_by(Revision.assistant_id)
    found = connection.execute(
        select(Revision.assistant_id, Revision.record).where(Revision.number.in_(newest), ~Revision.is_deletion)
    )
    return {row.assistant_id: row.record for row in found}
