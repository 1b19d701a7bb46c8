"""Deleting: a question with its numbers, then the trash, then Undo."""

from __future__ import annotations

from collections.abc import Sequence

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import catalogue
from webadmin.catalogue import Record
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import StaleVersion
from webadmin.security import current_actor
from webadmin.web.assistants.blueprint import bp, reading, way_back
from webadmin.web.htmx import page, redirect


@bp.get("/assistants/delete/<path:key>")
def confirm_delete(key: str) -> ResponseReturnValue:
    """Ask before one assistant goes to the trash."""
    with translated_errors():
        return _question(catalogue.get(reading(), catalogue.decode_id(key)))


@bp.post("/assistants/delete/<path:key>")
def delete(key: str) -> ResponseReturnValue:
    """Move one assistant to the trash; one that changed since the question was asked is asked about again."""
    assistant_id = catalogue.decode_id(key)
    try:
        with transaction() as session:
            version = request.form.get("version", type=int)
            record = catalogue.remove(session, current_actor(), assistant_id, version=version)
    except StaleVersion:
        with translated_errors():
            return _question(catalogue.get(reading(), assistant_id), has_changed=True)
    back = way_back()
    text = gettext("Deleted “%(title)s”.", title=record.title)
    return redirect(back, toast=text, undo_url=_undo_url([assistant_id], back))


def _question(record: Record, *, has_changed: bool = False) -> ResponseReturnValue:
    return page(
        "assistants/delete.html",
        "assistants/_delete.html",
        status=409 if has_changed else 200,
        record=record,
        has_changed=has_changed,
        back=way_back(),
        days=catalogue.KEPT_FOR.days,
    )


def _undo_url(ids: Sequence[str], back: str) -> str:
    with translated_errors():
        session = db.session()
        entries = [catalogue.newest_in_trash(session, each) for each in ids]
    return url_for("assistants.undo_delete", number=[entry.number for entry in entries if entry], back=back)
