"""Acts on many assistants at once: which they are for, and what becomes of each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webadmin import clock
from webadmin.accounts import Actor, may
from webadmin.catalogue import changes, limits, review, rows
from webadmin.catalogue.models import Revision
from webadmin.catalogue.records import Record, next_version
from webadmin.catalogue.rows import BATCH
from webadmin.catalogue.search import Query, find
from webadmin.catalogue.writing import Change, needed, write_records
from webadmin.errors import Invalid

DONE, GONE, CHANGED = "done", "gone", "changed"
"""What became of one: the act was done; it was deleted, or changed, since the list was read."""
FULL = "full"
"""A tag would be more than the limits allow."""
NOT_ALLOWED = "not-allowed"
"""The actor may not change this one."""

Act = Callable[[Record], Change | str]
"""What an act does to one record: a change, or the word for why it leaves it alone."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which assistants an act is for: those with these ids or, with `query`, all that match it.

    Those that somebody changed after `seen_at`, when the list was read, are left out.
    """

    ids: tuple[str, ...] = ()
    query: Query | None = None
    seen_at: str = ""


def chosen_ids(session: Session, chosen: Chosen) -> list[str]:
    """The ids that `chosen` stands for now, each once."""
    if chosen.query is None:
        return list(dict.fromkeys(chosen.ids))
    return list(_matching(session, chosen.query))


def _matching(session: Session, query: Query) -> Iterator[str]:
    query = replace(query, cursor=None, page_size=BATCH)
    while True:
        page = find(session, query)
        yield from (item.id for item in page.items)
        if page.next is None:
            return
        query = replace(query, cursor=page.next)


def to_status(status: str) -> Act:
    """Move to `status` where a move leads there; what is not published cannot be unpublished. Else: its status."""

    def act(record: Record) -> Change | str:
        if status not in review.MOVES.get(record.status, ()) or (status == "draft" and record.status != "published"):
            return record.status
        fields = review.moved(record, status, at=clock.now_text(), note=record.review_note)
        return Change(record, _changed(record, **fields))

    return act


def retag(add: Sequence[str], remove: Iterable[str]) -> Act:
    """Add tags that are missing and take others away. Else: `FULL`, or "same" where nothing is to change."""
    gone = set(remove)

    def act(record: Record) -> Change | str:
        # A column that holds no list stays as it is, until tags are added to it.
        old = record.tags if isinstance(record.tags, list) else []
        new = list(dict.fromkeys([*(tag for tag in old if tag not in gone), *add]))
        if new == old:
            return "same"
        try:
            limits.check_changed({"tags": new})
        except Invalid:
            return FULL
        return Change(record, _changed(record, tags=new))

    return act


def to_trash(record: Record) -> Change:
    """Delete it."""
    return Change(record, None)


def _changed(record: Record, **fields: object) -> Record:
    return msgspec.structs.replace(record, **fields, version=next_version(record.version), updated_at=clock.now_text())


def iter_chosen(session: Session, chosen: Chosen) -> Iterator[Record]:
    """The chosen ones, read in batches; those that are gone are left out."""
    ids = chosen_ids(session, chosen)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        records = {record.id: record for record in rows.records_of(session.connection(), batch)}
        yield from (records[each] for each in batch if each in records)


def foresee(session: Session, actor: Actor, chosen: Chosen, act: Act) -> Counter[str]:
    """How many of the chosen ones an actor would change, and why the others would be left alone. Writes nothing."""
    found: Counter[str] = Counter()
    for _ in _decide(session, actor, chosen, act, found):
        pass
    return found


def change_chosen(
    session: Session,
    actor: Actor,
    chosen: Chosen,
    act: Act,
) -> Counter[str]:
    """Do an act to the chosen ones; returns how many were changed (`DONE`) and why the others were left alone."""
    changes.absorb(session)
    found: Counter[str] = Counter()
    decided = _decide(session, actor, chosen, act, found)
    write_records(session.connection(), actor, decided, source="edit")
    return found


def _decide(
    session: Session,
    actor: Actor,
    chosen: Chosen,
    act: Act,
    found: Counter[str],
) -> Iterator[Change]:
    ids, seen_at = chosen_ids(session, chosen), chosen.seen_at
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        records = {record.id: record for record in rows.records_of(session.connection(), batch)}
        changed_at = _last_changes(session, batch) if seen_at else {}
        for assistant_id in batch:
            record = records.get(assistant_id)
            if record is None:
                found[GONE] += 1
            elif changed_at.get(assistant_id, "") > seen_at:
                found[CHANGED] += 1
            else:
                decision = act(record)
                if isinstance(decision, Change) and not may(actor, needed(decision)):
                    decision = NOT_ALLOWED
                found[decision if isinstance(decision, str) else DONE] += 1
                if not isinstance(decision, str):
                    yield decision


def _last_changes(session: Session, ids: Sequence[str]) -> dict[str, str]:
    found = (
        select(Revision.assistant_id, func.max(Revision.created_at))
        .where(Revision.assistant_id.in_(ids))
        .group_by(Revision.assistant_id)
    )
    return {str(assistant_id): str(at) for assistant_id, at in session.execute(found)}
