"""Taking assistants out: one or some as a JSON file, or a prompt as plain text."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response, request
from flask.typing import ResponseReturnValue

from webadmin import audit, catalogue, security
from webadmin.catalogue import Record
from webadmin.db import db, translated_errors
from webadmin.web.assistants.blueprint import bp
from webadmin.web.assistants.bulk import chosen, nothing_selected


@bp.get("/assistants/prompt/<path:key>")
def prompt(key: str) -> ResponseReturnValue:
    """The system prompt as plain text, for the copy buttons and for people without scripts."""
    with translated_errors():
        record = catalogue.get(db.session(), catalogue.decode_id(key))
    return Response(record.prompt, mimetype="text/plain")


@bp.get("/assistants/export/<path:key>")
def export_one(key: str) -> ResponseReturnValue:
    """One assistant as a JSON file that the import takes."""
    with translated_errors():
        record = catalogue.get(db.session(), catalogue.decode_id(key))
    if request.method != "HEAD":
        thing = audit.Thing(audit.Kind.ASSISTANT, record.id, record.title)
        audit.note_done(security.current_actor(), audit.Act.EXPORTED, thing)
    return _document([record], f"assistant_{catalogue.encode_id(str(record.id)).lstrip('~')[:80]}.json")


@bp.post("/assistants/export")
def export_selected() -> ResponseReturnValue:
    """The chosen assistants as a JSON file that the import takes; those deleted meanwhile are left out."""
    with translated_errors():
        records = catalogue.iter_chosen(db.session(), chosen())
        first = next(records, None)
        if first is None:
            return nothing_selected()
        found = [first, *records]
        audit.note_done(security.current_actor(), audit.Act.EXPORTED, what="selected", count=len(found))
        return _document(found, "assistants_selected.json")


def _document(records: Iterable[Record], filename: str) -> Response:
    """A bare array of canonical records: the shortest document that every reader of backups accepts."""
    body = b"[\n" + b",\n".join(catalogue.encode(record) for record in records) + b"\n]\n"
    response = Response(body, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
