"""The trash: what was deleted, for thirty days, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from webadmin import catalogue
from webadmin.catalogue import PutBack, TrashEntry
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import Conflict
from webadmin.security import current_actor
from webadmin.web.assistants.blueprint import bp, reading, way_back
from webadmin.web.htmx import page, redirect

_PAGE = 50


@bp.get("/trash")
def trash() -> ResponseReturnValue:
    """What was deleted, the last deleted first."""
    before = request.args.get("before", type=int)
    with translated_errors():
        session = reading()
        entries = catalogue.list_trash(session, before=before, most=_PAGE + 1)
        total = catalogue.count_trash(session)
    return page(
        "assistants/trash.html",
        entries=entries[:_PAGE],
        next_before=entries[_PAGE - 1].number if len(entries) > _PAGE else None,
        is_first=before is None,
        total=total,
        days=catalogue.KEPT_FOR.days,
        gone_at=_gone_at,
    )


@bp.post("/trash/put-back/<int(max=9223372036854775807):number>")
def put_back(number: int) -> ResponseReturnValue:
    """Bring one back; where its id is in use, ask what to do."""
    how = request.form.get("how", "")
    try:
        with transaction() as session:
            restored = catalogue.put_back(
                session, current_actor(), number, how=PutBack(how) if how in set(PutBack) else PutBack.REFUSE
            )
    except Conflict:
        return _in_use_page(number)
    url = url_for("assistants.edit", key=catalogue.encode_id(restored))
    return redirect(url, toast=gettext("It is back, as it was when it was deleted."))


@bp.post("/trash/undo")
def undo_delete() -> ResponseReturnValue:
    """Undo a deletion that a toast told about; the page stays the one that it was told on."""
    with transaction() as session:
        count, in_use = catalogue.put_back_many(session, current_actor(), _undone())
    if in_use:
        return _in_use_page(in_use[0])
    text = ngettext("%(num)d assistant is back.", "%(num)d assistants are back.", count)
    return redirect(way_back(), toast=text)


def _undone() -> Sequence[int]:
    """The numbers of one deletion: each, or the first and the last."""
    first, last = request.args.get("first", type=int), request.args.get("last", type=int)
    if first is None or last is None:
        return request.args.getlist("number", type=int)
    with translated_errors():
        return catalogue.trash_numbers(db.session(), first, last)


def _in_use_page(number: int) -> ResponseReturnValue:
    with translated_errors():
        session = db.session()
        entry = catalogue.get_trash(session, number)
        other = catalogue.get(session, entry.assistant_id)
    return page("assistants/put_back.html", status=409, entry=entry, other=other)


def _gone_at(entry: TrashEntry) -> datetime | None:
    """When an entry goes for good; None when its time cannot be read."""
    try:
        return datetime.fromisoformat(entry.deleted_at) + catalogue.KEPT_FOR
    except ValueError:
        return None
