"""Publishing and unpublishing several at once: those that can move do, and the others are counted."""

from __future__ import annotations

from collections import Counter

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from webadmin import catalogue
from webadmin.db import transaction
from webadmin.security import current_actor
from webadmin.web.assistants.blueprint import bp, way_back
from webadmin.web.filters import sentences
from webadmin.web.htmx import redirect


@bp.post("/assistants/publish", defaults={"status": "published"}, endpoint="publish_selected")
@bp.post("/assistants/unpublish", defaults={"status": "draft"}, endpoint="unpublish_selected")
def move_selected(status: str) -> ResponseReturnValue:
    """Move the selected ones, in one transaction; what changed since the list was read is left out."""
    seen_at = request.form.get("seen_at", "")
    found: Counter[str] = Counter()
    with transaction() as session:
        catalogue.absorb(session)
        for assistant_id in dict.fromkeys(request.form.getlist("id")):
            found[_move(session, assistant_id, status, seen_at)] += 1
    said = sentences(_outcomes(found, status)) or gettext("Nothing was selected.")
    return redirect(way_back(), toast=said, kind="ok" if found["moved"] else "info")


def _move(session: Session, assistant_id: str, status: str, seen_at: str) -> str:
    """Move one, and say what became of it: moved, gone, changed, or the status that it stays in."""
    record = catalogue.find_record(session, assistant_id)
    if record is None:
        return "gone"
    last = catalogue.list_revisions(session, assistant_id, most=1)
    if seen_at and last and last[0].created_at > seen_at:
        return "changed"
    # From pending and rejected there is a way to draft too, but only what is published can be unpublished.
    if status not in catalogue.MOVES.get(record.status, ()) or (status == "draft" and record.status != "published"):
        return record.status
    catalogue.set_status(session, current_actor(), assistant_id, status, version=record.version or 0)
    return "moved"


def _outcomes(found: Counter[str], status: str) -> list[str]:
    moved, changed, gone = found["moved"], found["changed"], found["gone"]
    stayed = found.total() - moved - changed - gone
    if status == "published":
        already, rejected = found["published"], stayed - found["published"]
        counted = [
            (moved, ngettext("%(num)d published.", "%(num)d published.", moved)),
            (already, ngettext("%(num)d was published already.", "%(num)d were published already.", already)),
            (
                rejected,
                ngettext(
                    "%(num)d is rejected: submit it for review first.",
                    "%(num)d are rejected: submit them for review first.",
                    rejected,
                ),
            ),
        ]
    else:
        counted = [
            (moved, ngettext("%(num)d unpublished.", "%(num)d unpublished.", moved)),
            (stayed, ngettext("%(num)d was not published.", "%(num)d were not published.", stayed)),
        ]
    counted += [
        (
            changed,
            ngettext(
                "%(num)d was changed meanwhile and left out.", "%(num)d were changed meanwhile and left out.", changed
            ),
        ),
        (gone, ngettext("%(num)d was deleted meanwhile.", "%(num)d were deleted meanwhile.", gone)),
    ]
    return [text for count, text in counted if count]
