"""The editor: new, edit, save, move to another status, duplicate, card preview."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from webadmin import catalogue, security
from webadmin.accounts import NotAllowed, Permission
from webadmin.catalogue import Record
from webadmin.db import transaction, translated_errors
from webadmin.errors import N_, Conflict, DomainError, Invalid, Message, NotFound, Problem, StaleVersion, Unavailable
from webadmin.http_errors import describe
from webadmin.security import current_actor
from webadmin.web import texts
from webadmin.web.assistant_forms import FIELDS, LABELS, Typed
from webadmin.web.assistants.blueprint import bp, reading
from webadmin.web.assistants.conflict import conflict_page, gone_page
from webadmin.web.filters import message, sentences
from webadmin.web.htmx import add_toast, page, redirect, wants_fragment
from webadmin.web.prompt_view import PromptView

_VERSIONS_SHOWN = 8


class Move(NamedTuple):
    """A button that moves an assistant to another status."""

    status: str
    label: str
    icon: str
    kind: str = ""


MOVES = {
    "draft": (
        Move("pending", N_("Submit for review"), "clipboard"),
        Move("published", N_("Publish"), "check"),
    ),
    "pending": (
        Move("published", N_("Publish"), "check"),
        Move("rejected", N_("Reject"), "x", "danger"),
        Move("draft", N_("Back to draft"), "pencil"),
    ),
    "published": (Move("draft", N_("Unpublish"), "world-off"),),
    "rejected": (
        Move("pending", N_("Submit for review"), "clipboard"),
        Move("draft", N_("Back to draft"), "pencil"),
    ),
}
_MOVED = {
    "pending": N_("Submitted for review."),
    "published": N_("Published."),
    "rejected": N_("Rejected."),
    "draft": N_("It is a draft now."),
}


@bp.get("/assistants/new")
def new() -> ResponseReturnValue:
    """An empty editor."""
    return _new_page(Typed(), catalogue.new_id())


@bp.post("/assistants/new")
def create() -> ResponseReturnValue:
    """Create a draft. The id comes with the form, so that a form sent twice makes one assistant."""
    typed, new_id = Typed.from_form(request.form), request.form.get("new_id", "")
    try:
        with transaction() as session:
            record = catalogue.create(session, current_actor(), typed.fields(), assistant_id=new_id or None)
    except (Invalid, Unavailable) as error:
        if isinstance(error, Unavailable) and wants_fragment():
            raise
        return _new_page(typed, new_id, error)
    except Conflict:
        return redirect(_edit_url(new_id), toast=gettext("This was saved already."), kind="info")
    return redirect(_edit_url(record.id), toast=gettext("Created as a draft."))


@bp.get("/assistants/edit/<path:key>")
def edit(key: str) -> ResponseReturnValue:
    """The editor of one assistant."""
    with translated_errors():
        session = reading()
        record = catalogue.get(session, catalogue.decode_id(key))
        return _edit_page(session, record)


@bp.post("/assistants/edit/<path:key>")
def update(key: str) -> ResponseReturnValue:
    """Save, and move to another status when a button says so; a version that is not current answers the conflict."""
    assistant_id = catalogue.decode_id(key)
    typed, before = Typed.from_form(request.form), _version()
    try:
        if request.form.get("all"):
            with translated_errors():
                return conflict_page(reading(), assistant_id, typed)
        with transaction() as session:
            record = _save(session, assistant_id, typed, before)
    except (Invalid, NotAllowed, Unavailable) as error:
        # A fragment's toast leaves the page as it is; a page must bring the text back.
        if not isinstance(error, Invalid) and wants_fragment():
            raise
        with translated_errors():
            session = reading()
            current = catalogue.get(session, assistant_id)
            return _edit_page(session, current, typed=_chosen(current, typed), error=error, version=before)
    except StaleVersion:
        with translated_errors():
            return conflict_page(reading(), assistant_id, typed)
    except NotFound:
        with translated_errors():
            return gone_page(reading(), assistant_id, typed)
    return _saved(record, before)


@bp.post("/assistants/duplicate/<path:key>")
def duplicate(key: str) -> ResponseReturnValue:
    """A new draft with the same texts, opened in the editor. Its id comes with the form: sent twice, it makes one."""
    assistant_id, copy_id = catalogue.decode_id(key), request.form.get("copy_id") or None
    try:
        with transaction() as session:
            original = catalogue.get(session, assistant_id)
            title = gettext("%(title)s (copy)", title=original.title)
            record = catalogue.duplicate(session, current_actor(), assistant_id, title=title, copy_id=copy_id)
    except Conflict:
        return redirect(_edit_url(copy_id), toast=gettext("This was saved already."), kind="info")
    return redirect(_edit_url(record.id), toast=gettext("This is the copy, a draft of its own."))


@bp.post("/assistants/preview")
@bp.post("/assistants/preview/<path:key>")
def preview(key: str | None = None) -> ResponseReturnValue:
    """What is typed, not saved: the prompt as the argument `show` names it; without it the card and the counts."""
    typed, shown = Typed.from_form(request.form), request.args.get("show")
    if key is None:
        return _new_page(typed, request.form.get("new_id", ""), shown=shown, preview=True)
    version = _version()
    with translated_errors():
        session = reading()
        record = catalogue.get(session, catalogue.decode_id(key))
        return _edit_page(session, record, typed=typed, version=version, shown=shown, preview=True)


@bp.get("/assistants/preview")
@bp.get("/assistants/preview/<path:key>")
def leave_preview(key: str | None = None) -> ResponseReturnValue:
    """The address of a preview, opened again: what was typed is not in it, so the editor opens."""
    return redirect(url_for("assistants.edit", key=key) if key else url_for("assistants.new"))


def _save(session: Session, assistant_id: str, typed: Typed, version: int) -> Record:
    catalogue.absorb(session)
    current = catalogue.get(session, assistant_id)
    base = _base(session, assistant_id) or current
    changed = {
        name: value for name, value in typed.fields(base).items() if request.form.get(f"choice-{name}") != "theirs"
    }
    record = catalogue.update(session, current_actor(), assistant_id, changed, version=version)
    note = _note(record)
    move = request.form.get("move") or record.status
    if move == "rejected" and move != record.status and not (note or record.review_note or "").strip():
        said = Message(N_("Say what should change; the author reads it."))
        raise Invalid(N_("A rejection needs a note."), problems=[Problem(said, field="review_note")])
    if move != record.status or note is not None:
        record = catalogue.set_status(
            session,
            current_actor(),
            assistant_id,
            move,
            version=record.version or 0,
            note=record.review_note if note is None else note,
        )
    return record


def _note(record: Record) -> str | None:
    """The note that was typed, None when the form has none or nobody changed it."""
    sent, old = request.form.get("review_note"), record.review_note or ""
    if sent is None:
        return None
    note = texts.multi_line(sent, old)
    return note if note != old else None


def _base(session: Session, assistant_id: str) -> Record | None:
    """The state that the person started from, where the conflict page sends its version along."""
    version = request.form.get("base_version", type=int)
    return catalogue.find_version(session, assistant_id, version) if version is not None else None


def _chosen(current: Record, typed: Typed) -> Typed:
    """What was typed, with the other side's values where the conflict page chose them."""
    theirs = Typed.from_record(current)
    chosen = {
        name: getattr(theirs if request.form.get(f"choice-{name}") == "theirs" else typed, name) for name in FIELDS
    }
    return Typed(**chosen)


def _saved(record: Record, before: int) -> ResponseReturnValue:
    text = gettext("Saved as v%(version)s.", version=record.version)
    if record.version == before:
        text = gettext("Nothing was changed, so nothing was saved.")
    elif request.form.get("move"):
        text = gettext(_MOVED[record.status])
    if not wants_fragment():
        return redirect(_edit_url(record.id), toast=text)
    add_toast(text)
    with translated_errors():
        return page("assistants/edit.html", "assistants/_saved.html", **_editor(reading(), record))


def _new_page(
    typed: Typed, new_id: str, error: DomainError | None = None, *, shown: str | None = None, preview: bool = False
) -> ResponseReturnValue:
    return page(
        "assistants/new.html",
        _fragment(shown, preview=preview),
        status=_status(error),
        typed=typed,
        new_id=new_id,
        record=None,
        view=PromptView.of(typed.prompt, None, shown),
        limits=catalogue.current_limits(),
        tags=texts.split_tags(typed.tags),
        is_read_only=False,
        **_problems(error),
    )


def _edit_page(
    session: Session,
    record: Record,
    *,
    typed: Typed | None = None,
    error: DomainError | None = None,
    version: int | None = None,
    shown: str | None = None,
    preview: bool = False,
) -> ResponseReturnValue:
    return page(
        "assistants/edit.html",
        _fragment(shown, preview=preview),
        status=_status(error),
        **_editor(session, record, typed=typed, error=error, version=version, shown=shown),
    )


def _fragment(shown: str | None, *, preview: bool) -> str:
    if not preview:
        return "assistants/_form.html"
    return "assistants/_prompt.html" if shown else "assistants/_live.html"


def _editor(
    session: Session,
    record: Record,
    *,
    typed: Typed | None = None,
    error: DomainError | None = None,
    version: int | None = None,
    shown: str | None = None,
) -> dict[str, Any]:
    actor = current_actor()
    may_change = catalogue.may_change(actor, record)
    typed = typed or Typed.from_record(record)
    note = record.review_note or ""
    current = record.version or 0
    version = current if version is None else version
    # Somebody else may have saved since: what they changed is no change of this text.
    begun = record if version == current else catalogue.find_version(session, str(record.id), version)
    return {
        "record": record,
        "version": version,
        "view": PromptView.of(typed.prompt, begun or record, shown),
        "typed": typed,
        "tags": texts.split_tags(typed.tags),
        "note": request.form.get("review_note", note),
        "limits": catalogue.current_limits(),
        "moves": [move for move in MOVES.get(record.status, ()) if catalogue.may_move(actor, record, move.status)],
        "may_change": may_change,
        "is_read_only": not may_change,
        "may_review": security.may(Permission.PUBLISH),
        "revisions": catalogue.list_revisions(session, str(record.id), most=_VERSIONS_SHOWN),
        "others": _other_fields(record),
        "labels": LABELS,
        **_problems(error),
    }


def _problems(error: DomainError | None) -> dict[str, Any]:
    """What went wrong: for the summary, and by field."""
    problems = error.problems if isinstance(error, Invalid) else []
    errors: dict[str, list[str]] = {}
    for problem in problems:
        errors.setdefault(problem.field or "", []).append(message(problem.message))
    summary = [(field or None, _sentence(field, text)) for field, found in errors.items() for text in found]
    if error and not summary:
        summary = [(None, sentences(message(part) for part in (error.message, error.hint) if part))]
    return {"errors": errors, "summary": summary}


def _status(error: DomainError | None) -> int:
    return describe(error).page_status if error else 200


def _sentence(field: str, text: str) -> str:
    return gettext("%(field)s: %(problem)s", field=gettext(LABELS[field]), problem=text) if field in LABELS else text


def _other_fields(record: Record) -> list[tuple[str, str]]:
    """What a record holds beside the fields of the editor: shown, never changed."""
    found = [("id", str(record.id)), ("createdAt", record.created_at)]
    if isinstance(record.tags, str):
        found.append(("tags", record.tags))
    found += [
        (name, str(value))
        for name, value in (
            ("category", record.category),
            ("usageCount", record.usage_count),
            ("rating", record.rating),
        )
        if value is not None
    ]
    return found + [(name, raw.decode()) for name, raw in sorted(record.extra.items())]


def _version() -> int:
    """The version that the form was based on; one that does not say is refused."""
    version = request.form.get("version", type=int)
    if version is None:
        abort(400)
    return version


def _edit_url(assistant_id: str | None) -> str:
    return url_for("assistants.edit", key=catalogue.encode_id(str(assistant_id)))
