"""The states that an assistant had: reading them in order, and bringing one back, whole or in one field."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webadmin import clock
from webadmin.accounts import Actor
from webadmin.audit import Act
from webadmin.catalogue import assistants, changes
from webadmin.catalogue.models import Revision
from webadmin.catalogue.records import Record, changed_fields, is_same, is_same_raw, next_version
from webadmin.catalogue.writing import Change, write_one
from webadmin.errors import N_, Conflict, NotFound, StaleVersion

SINGLE_FIELDS = assistants.EDITABLE
"""The fields that can come back alone; status, notes and times mean something only together. Kept keys can too."""


@dataclass(frozen=True, slots=True)
class PastState:
    """One revision with the whole record: as it was saved then or, of a deletion, as it was until then."""

    number: int
    created_at: str
    actor_name: str
    source: str
    fields: list[str]
    is_deletion: bool
    record: Record


_COUNTED_CHARACTERS = 1_000_000
_COLUMNS = (
    Revision.number,
    Revision.created_at,
    Revision.actor_name,
    Revision.source,
    Revision.fields,
    Revision.is_deletion,
    Revision.record,
)


def list_states(session: Session, assistant_id: str, *, before: int | None = None, most: int = 50) -> list[PastState]:
    """The states of an assistant, newest first; `before` is the number to go on after."""
    found = select(*_COLUMNS).where(Revision.assistant_id == assistant_id).order_by(Revision.number.desc()).limit(most)
    if before is not None:
        found = found.where(Revision.number < before)
    return [_state(row) for row in session.execute(found)]


def get_state(session: Session, assistant_id: str, number: int) -> PastState:
    """One state of an assistant. Raises NotFound."""
    row = session.execute(
        select(*_COLUMNS).where(Revision.assistant_id == assistant_id, Revision.number == number)
    ).first()
    if row is None:
        raise NotFound(N_("The history does not hold this state any more."))
    return _state(row)


def changed_lines(old: str, new: str) -> tuple[int, int]:
    """How many lines of a text came and went, wherever they stand: in linear time, unlike a diff.

    Of a text of more than a million characters none are counted: each line would take more memory than its text.
    """
    if max(len(old), len(new)) > _COUNTED_CHARACTERS:
        return 0, 0
    before, after = Counter(old.splitlines()), Counter(new.splitlines())
    return (after - before).total(), (before - after).total()


def newest_number(session: Session) -> int:
    """The number of the newest revision of all, which stands for the state of the whole catalogue."""
    return session.execute(select(func.max(Revision.number))).scalar() or 0


def _state(row: Any) -> PastState:
    fields = msgspec.json.decode(row.fields, type=list[str])
    return PastState(**row._asdict() | {"fields": fields, "record": changes.stored(row.record)})


def bring_back(
    session: Session,
    actor: Actor,
    state: Record,
    *,
    version: int | None,
    source: str,
    field: str | None = None,
) -> Record:
    """Make an earlier state the current one, as a new version; with `field` (or a kept key) that alone.

    `version` is the one that was looked at, None where there was no such assistant: it is then created anew, above
    every version that it ever had. What is equal already writes nothing; limits do not bind, since nothing was typed.
    Raises StaleVersion, NotFound when it was deleted meanwhile or has no such field, Conflict when it is there again.
    """
    changes.absorb(session)
    current = assistants.find_record(session, str(state.id))
    if current is None:
        return _created(session, actor, state, version, source, field)
    if version is None:
        raise Conflict(
            N_("The id “%(id)s” is in use by another assistant now."),
            hint=N_("Compare again, then decide."),
            id=str(state.id),
        )
    if (current.version or 0) != version:
        raise StaleVersion(current=current.version or 0, requested=version)
    wanted = state if field is None else _with_field(current, state, field)
    if not set(changed_fields(current, wanted)) - {"updated_at"}:
        return current
    number = next_version(current.version, None if field else state.version)
    return _written(session, actor, current, wanted, number, source)


def _created(
    session: Session, actor: Actor, state: Record, version: int | None, source: str, field: str | None
) -> Record:
    if version is not None or field is not None:
        raise NotFound(
            N_("There is no assistant “%(id)s”."), hint=N_("It may have been deleted: look in the trash."), id=state.id
        )
    highest = select(func.max(Revision.version)).where(Revision.assistant_id == state.id)
    number = next_version(state.version, session.execute(highest).scalar())
    return _written(session, actor, None, state, number, source)


def _written(session: Session, actor: Actor, before: Record | None, state: Record, version: int, source: str) -> Record:
    after = msgspec.structs.replace(state, version=version, updated_at=clock.now_text())
    write_one(session.connection(), actor, Change(before, after), Act.ASSISTANT_BROUGHT_BACK, source=source)
    return after


def _with_field(current: Record, state: Record, field: str) -> Record:
    if field in SINGLE_FIELDS:
        value = getattr(state, field)
        return (
            current if is_same(getattr(current, field), value) else msgspec.structs.replace(current, **{field: value})
        )
    old, new = current.extra.get(field), state.extra.get(field)
    if old is None and new is None:
        raise NotFound(N_("This field cannot be brought back alone."))
    if is_same_raw(old, new):
        return current
    extra = {key: raw for key, raw in current.extra.items() if key != field}
    return msgspec.structs.replace(current, extra=extra | ({field: new} if new is not None else {}))
