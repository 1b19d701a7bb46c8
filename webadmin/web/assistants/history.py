"""The states of one assistant on one line of time: its revisions and what the kept backups hold; any comes back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from webadmin import backups, catalogue, clock, security
from webadmin.accounts import Actor, Permission
from webadmin.backups import Kept
from webadmin.catalogue import PastState, Record
from webadmin.db import transaction, translated_errors
from webadmin.errors import N_, Conflict, NotFound
from webadmin.security import current_actor
from webadmin.web import field_diffs
from webadmin.web.assistants.blueprint import bp, reading
from webadmin.web.filters import message, sentences
from webadmin.web.htmx import page, redirect

_PAGE = 50
# Looking through the backups goes on at the next visit; what was read stays known.
_PATIENCE_SECONDS = 1.0

_FROM_BACKUP = "backup "
_SOURCES = {
    "edit": N_("Edit"),
    "found": N_("Found at the first opening"),
    "import": N_("Imported"),
    "duplicate": N_("Duplicated"),
    "trash": N_("Put back from the trash"),
    "other program": N_("Another program"),
    "api": N_("API"),
    "history": N_("Put back from the history"),
    "undo": N_("Undone"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One state on the line: of a revision (`state`), or of a backup alone (`kept`). `token` names it in addresses."""

    token: str
    name: str
    at: str
    state: PastState | None
    copies: Sequence[Kept]
    added: int = 0
    removed: int = 0

    @property
    def fields(self) -> str:
        """What was changed, in words."""
        is_told = self.state is not None and not self.state.is_deletion
        return field_diffs.names(self.state.fields, self.added, self.removed) if self.state and is_told else ""

    @property
    def source(self) -> str:
        """By which way it came to be."""
        return source_words(self.state.source) if self.state else gettext("Only in a backup")


@dataclass(frozen=True, slots=True)
class _Page:
    """Which part of the line is shown: whether it begins it, and the state that follows, if one does."""

    is_first: bool
    beyond: Sequence[PastState]


bp.add_app_template_global(field_diffs.views, "diff_views")


@bp.app_template_global("source_words")
def source_words(source: str) -> str:
    """The source of a revision in words."""
    if source.startswith(_FROM_BACKUP):
        return gettext("Restored from a backup")
    return gettext(_SOURCES[source]) if source in _SOURCES else source


@bp.get("/assistants/history/<path:key>")
def history(key: str) -> ResponseReturnValue:
    """Every state that is known of an assistant; two of them are compared when the address names them."""
    assistant_id, before = catalogue.decode_id(key), request.args.get("before", type=int)
    with translated_errors():
        session = reading()
        record = catalogue.find_record(session, assistant_id)
        states = catalogue.list_states(session, assistant_id, before=before, most=_PAGE + 1)
        kept, left = backups.states_in_backups(assistant_id, patience_seconds=_PATIENCE_SECONDS)
        shown = _Page(before is None, states[_PAGE:])
        points = _points(session, assistant_id, states[:_PAGE], kept, shown)
        if not points:
            raise NotFound(N_("There is no assistant “%(id)s”."), id=assistant_id)
        pair = _pair(session, assistant_id, record)
    newest = record or next((each.record for each in states), None) or pair.get("old")
    return page(
        "assistants/history.html",
        "assistants/_history.html",
        key=key,
        assistant_id=assistant_id,
        record=record,
        title=newest.title if newest else assistant_id,
        points=points,
        left=left,
        version=record.version or 0 if record else "",
        is_first=shown.is_first,
        may_change=catalogue.may_change(current_actor(), record) if record else security.may(Permission.WRITE),
        next_before=states[_PAGE - 1].number if len(states) > _PAGE else None,
        **pair,
    )


@bp.post("/assistants/history/<path:key>")
def return_state(key: str) -> ResponseReturnValue:
    """Make an earlier state the current one, as a new version: the whole, or one field of it."""
    assistant_id, token = catalogue.decode_id(key), request.form.get("state", "")
    here = url_for(".history", key=key)
    try:
        with transaction() as session:
            record, undo = brought_back(
                session,
                current_actor(),
                _state(session, assistant_id, token),
                version=request.form.get("version", type=int),
                field=request.form.get("field"),
                source=f"{_FROM_BACKUP}{token}" if backups.is_name(token) else "history",
                back=here,
            )
    except Conflict as error:
        text = sentences([message(error.message), gettext("Nothing was changed; this is how it is now.")])
        return redirect(here, toast=text, kind="warn")
    text = gettext("“%(title)s” is back as v%(version)s.", title=record.title, version=record.version)
    if undo is None:
        text = gettext("Nothing was to change: it is the same already.")
    return redirect(here, toast=text, undo_url=undo)


@bp.post("/assistants/undo/<path:key>")
def undo_return(key: str) -> ResponseReturnValue:
    """Undo what a toast told about: the state before becomes the current one again, or the assistant goes again."""
    assistant_id = catalogue.decode_id(key)
    version, before = request.args.get("version", 0, type=int), request.args.get("state", type=int)
    target = security.safe_next(request.args.get("back"))
    try:
        with transaction() as session:
            if before is None:
                catalogue.remove(session, current_actor(), assistant_id, version=version)
            else:
                state = catalogue.get_state(session, assistant_id, before).record
                catalogue.bring_back(session, current_actor(), state, version=version, source="undo")
    except (Conflict, NotFound) as error:
        text = sentences([message(error.message), gettext("Nothing was changed; this is how it is now.")])
        return redirect(target, toast=text, kind="warn")
    return redirect(target, toast=gettext("Undone: it is as it was before."))


def brought_back(
    session: Session,
    actor: Actor,
    state: Record,
    *,
    version: int | None,
    field: str | None,
    source: str,
    back: str,
) -> tuple[Record, str | None]:
    """Bring a state back and return the record with the address that undoes it, None when nothing was to change.

    Raises what `catalogue.bring_back` raises.
    """
    catalogue.absorb(session)
    before = catalogue.list_states(session, str(state.id), most=1) if version is not None else []
    record = catalogue.bring_back(session, actor, state, version=version, field=field, source=source)
    if record.version == version:
        return record, None
    undo = url_for(
        "assistants.undo_return",
        key=catalogue.encode_id(str(record.id)),
        version=record.version,
        state=before[0].number if before else None,
        back=back,
    )
    return record, undo


def _points(
    session: Session, assistant_id: str, states: Sequence[PastState], kept: Sequence[Kept], page: _Page
) -> list[Point]:
    """The line, newest first. A backup stands beside the revision that it holds, or alone where none says the same."""
    copies: dict[str, list[Kept]] = defaultdict(list)
    for each in kept:
        if each.mark is not None:
            copies[each.mark].append(each)
    found = []
    for state, older in zip_longest(states, [*states[1:], *page.beyond]):
        if state is not None:
            of_state = [] if state.is_deletion else copies.pop(backups.mark_of(state.record), [])
            found.append(_of_revision(state, older, of_state))
    newest = "" if page.is_first or not states else states[0].created_at
    oldest = states[-1].created_at if page.beyond else ""
    for mark, alone in copies.items():
        point = _of_backup(alone)
        if (
            oldest <= point.at
            and (not newest or point.at < newest)
            and not _is_known(session, assistant_id, mark, alone)
        ):
            found.append(point)
    return sorted(found, key=lambda point: point.at, reverse=True)


def _is_known(session: Session, assistant_id: str, mark: str, copies: Sequence[Kept]) -> bool:
    """Whether a revision on another page is what these backups hold."""
    version = copies[0].version
    found = catalogue.find_version(session, assistant_id, version) if version is not None else None
    return found is not None and backups.mark_of(found) == mark


def _of_revision(state: PastState, older: PastState | None, copies: Sequence[Kept]) -> Point:
    added = removed = 0
    if older and not state.is_deletion and "prompt" in state.fields:
        added, removed = catalogue.changed_lines(older.record.prompt, state.record.prompt)
    name = gettext("v%(version)s", version=state.record.version or 0)
    return Point(str(state.number), name, state.created_at, state, copies, added, removed)


def _of_backup(copies: Sequence[Kept]) -> Point:
    oldest = copies[-1]
    at = clock.to_text(oldest.backup.made_at) if oldest.backup.made_at else ""
    return Point(oldest.backup.name, gettext("v%(version)s", version=oldest.version or 0), at, None, copies)


def _pair(session: Session, assistant_id: str, record: Record | None) -> dict[str, Any]:
    """The two states that the address names, field by field; without `to` it is the current one."""
    first, second = request.args.get("from"), request.args.get("to")
    if not first:
        return {"diffs": None, "first": None, "second": second}
    old = _state(session, assistant_id, first)
    new = _state(session, assistant_id, second) if second else record
    if new is None:
        raise NotFound(N_("It was deleted: choose the second state too."))
    return {
        "diffs": field_diffs.between(old, new),
        "old": old,
        "names": (_name(first, old), _name(second, new) if second else gettext("now")),
        "first": first,
        "second": second,
    }


def _state(session: Session, assistant_id: str, token: str) -> Record:
    """What a token stands for: the number of a revision, or the name of a backup. Raises NotFound."""
    if not backups.is_name(token):
        numbered = int(token) if token.isascii() and token.isdigit() and len(token) < 19 else -1
        return catalogue.get_state(session, assistant_id, numbered).record
    found = backups.find_in_backup(token, assistant_id)
    if found is None:
        raise NotFound(N_("This backup does not hold the assistant."))
    return found


def _name(token: str, record: Record) -> str:
    version = gettext("v%(version)s", version=record.version or 0)
    if not backups.is_name(token):
        return version
    return gettext("%(version)s in the backup %(name)s", version=version, name=token)
