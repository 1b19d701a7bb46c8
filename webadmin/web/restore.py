"""Import and restore: a file is checked, its changes are shown, and only then applied. Each step is one address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flask
from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from werkzeug.exceptions import RequestEntityTooLarge

from webadmin import backups, config, jobs
from webadmin.backups import Action, Integrity, Layout, Mode
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Conflict, Invalid, NotFound, Problem
from webadmin.jobs import Job, State
from webadmin.security import current_actor
from webadmin.web import imports, uploads
from webadmin.web.assistant_forms import LABELS
from webadmin.web.filters import message, number, size, time_element
from webadmin.web.htmx import page, redirect
from webadmin.web.imports import Choice, Report
from webadmin.web.jobs import ending, view

bp = Blueprint("restore", __name__, url_prefix="/import")

# A small file is checked or applied within this time: the answer is then the next step, not a page that waits.
_PATIENCE_SECONDS = 0.8
_LISTED_MOST = 50
_UPLOAD, _CHECK, _REVIEW, _APPLY, _DONE = range(1, 6)
_STEPS = (N_("Upload"), N_("Check"), N_("Review changes"), N_("Apply"), N_("Done"))
_TABS = {
    "changed": (Action.UPDATE, N_("Changed")),
    "added": (Action.CREATE, N_("Added")),
    "only-here": (Action.ONLY_HERE, N_("Only here")),
}

_LAYOUTS = {
    Layout.OURS: N_("of this program"),
    Layout.METADATA: N_("with metadata (layout A)"),
    Layout.FLAT: N_("flat (layout B)"),
    Layout.ARRAY: N_("bare list of records"),
}
_INTEGRITY = {
    Integrity.RIGHT: N_("right"),
    Integrity.WRONG: N_("wrong"),
    Integrity.NONE: N_("none in the file"),
}

_TIMES = {
    "created_at": N_("Created"),
    "updated_at": N_("Edited"),
    "reviewed_at": N_("Reviewed"),
    "published_at": N_("Published"),
}
_FIELDS = LABELS | _TIMES

jobs.on_stopped(imports.KIND, imports.find_outcome)


@bp.get("")
def upload() -> ResponseReturnValue:
    """The first step: a file, or a listed backup."""
    with translated_errors():
        listed = [backup for backup in backups.list_backups(db.session()) if backup.has_file]
    return page("restore/upload.html", listed=listed[:_LISTED_MOST], error=None, **_head(_UPLOAD))


@bp.post("")
def receive() -> ResponseReturnValue:
    """Take a file in and check it."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return _refused_upload(gettext("Choose a file first."), 422)
    try:
        job = imports.receive_upload(current_actor(), uploads.stream_of(file), file.filename)
    except backups.TooLarge as error:
        return _refused_upload(message(error.message), 413)
    except Invalid as error:
        return _refused_upload(message(error.message), 422)
    return redirect(url_for(".show", id=jobs.wait(job.id, _PATIENCE_SECONDS).id))


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """The file was larger than the limit: say so on the form."""
    return _refused_upload(uploads.too_large_words(), 413)


@bp.post("/backup")
def from_backup() -> ResponseReturnValue:
    """Check a listed backup, to restore it."""
    job = imports.take_listed(current_actor(), request.form.get("name", ""))
    return redirect(url_for(".show", id=jobs.wait(job.id, _PATIENCE_SECONDS).id))


@bp.get("/<id>")
def show(id: str) -> ResponseReturnValue:
    """The step at which an import stands; the same address leads through all of them."""
    return _page(_job(id))


@bp.get("/<id>/confirm")
def confirm(id: str) -> ResponseReturnValue:
    """Ask before assistants are deleted."""
    job = _waiting(id)
    known, choice = imports.report(job), _choice(request.args)
    plan = known.plan.in_mode(choice.mode)
    if not plan.counts.deleted:
        return redirect(_address(job, choice))
    return page("restore/confirm.html", "restore/_confirm.html", **_confirmation(job, known, choice))


@bp.post("/<id>/apply")
def apply(id: str) -> ResponseReturnValue:
    """Apply what was shown, after a safety backup."""
    job = _waiting(id)
    known, choice = imports.report(job), _choice(request.form)
    plan = known.plan.in_mode(choice.mode)
    if plan.counts.deleted and request.form.get("confirmed") != str(plan.counts.deleted):
        return page(
            "restore/confirm.html",
            "restore/_confirm.html",
            status=422,
            **_confirmation(job, known, choice, is_missed=True),
        )
    imports.apply(
        current_actor(),
        job,
        choice,
        fingerprint=request.form.get("fingerprint", ""),
        confirm_delete_all=bool(plan.counts.deleted) and not known.good_count,
    )
    job = jobs.wait(id, _PATIENCE_SECONDS)
    if job.state is State.WAITING:
        return _page(job, choice, status=503 if imports.failure(job) else 409)
    return redirect(_address(job, choice))


def _page(job: Job, choice: Choice | None = None, *, status: int = 200) -> flask.Response:
    chosen = choice or _choice(request.args)
    step, body, context = _step(job, chosen)
    address = _address(job, chosen, **request.args.to_dict()) if request.method == "GET" else _address(job, chosen)
    return page(
        "restore/show.html",
        "restore/_step.html",
        status=status,
        source=job.params["source"],
        job=view(job),
        body=body,
        address=address,
        **_head(step),
        **context,
    )


def _step(job: Job, choice: Choice) -> tuple[int, str, dict[str, Any]]:
    """Where an import stands: number of the step, its template, what that shows."""
    was_applied = job.params["step"] == "apply"
    if job.state is State.RUNNING:
        return (_APPLY if was_applied else _CHECK), "restore/_running.html", {}
    if job.state is State.DONE:
        return (
            _DONE,
            "restore/_result.html",
            {"result": job.result or {}, "ended_at": job.updated_at, "problems": _skipped(job)},
        )
    if job.state is not State.WAITING:
        problems = [] if was_applied else imports.refusals(job)
        return (_APPLY if was_applied else _CHECK), "restore/_ended.html", {"end": ending(job), "problems": problems}
    known = imports.report(job)
    if _needs_decision(known, choice):
        return _CHECK, "restore/_check.html", {"report": known, "choice": choice, "facts": _facts(known)}
    return _REVIEW, "restore/_review.html", _review(job, known, choice)


def _skipped(job: Job) -> list[Problem]:
    """The bad records that were left out."""
    return imports.report(job).problems if job.params["choice"]["skip_bad"] else []


def _needs_decision(known: Report, choice: Choice) -> bool:
    return (known.is_altered and not choice.accept_altered) or (known.problem_count > 0 and not choice.skip_bad)


def _review(job: Job, known: Report, choice: Choice) -> dict[str, Any]:
    plan = known.plan.in_mode(choice.mode)
    counts = known.plan.counts
    totals = {"changed": counts.updated, "added": counts.created, "only-here": counts.only_here}
    tab = request.args.get("tab", "")
    tab = tab if tab in _TABS else next((name for name, total in totals.items() if total), "changed")
    number_of_page = request.args.get("page", "0")
    at = int(number_of_page) if number_of_page.isascii() and number_of_page.isdigit() and len(number_of_page) < 9 else 0
    shown = imports.changes(job, known, _TABS[tab][0], at)
    first, last = at * imports.PAGE_SIZE + 1, at * imports.PAGE_SIZE + len(shown)
    return {
        "report": known,
        "choice": choice,
        "facts": _facts(known),
        "line": _summary(known),
        "plan": plan,
        "counts": counts,
        "modes": [(mode, _address(job, _in_mode(choice, mode), tab=tab)) for mode in Mode],
        "tab": tab,
        "tabs": [
            {
                "label": gettext(label),
                "href": _address(job, choice, tab=name),
                "count": totals[name],
                "current": name == tab,
            }
            for name, (_, label) in _TABS.items()
        ],
        "changes": [(change, _field_names(change.fields)) for change in shown],
        "shown": gettext(
            "%(first)s–%(last)s of %(total)s", first=number(first), last=number(last), total=number(totals[tab])
        ),
        "previous": _address(job, choice, tab=tab, page=at - 1) if at else None,
        "next": _address(job, choice, tab=tab, page=at + 1) if last < totals[tab] else None,
        "confirm_address": url_for(".confirm", id=job.id, **_args(choice)),
        "is_changed": bool((job.result or {}).get("is_changed")),
        "failure": [message(said) for said in imports.failure(job)],
        "fields": _fields(plan.fingerprint, choice),
    }


def _field_names(fields: Sequence[str]) -> str:
    """What differs, in words; the time of the edit goes without saying when there is more."""
    told = [name for name in fields if name not in _TIMES] or list(fields)
    return gettext(", ").join(gettext(_FIELDS[name]) if name in _FIELDS else name for name in told)


def _confirmation(job: Job, known: Report, choice: Choice, *, is_missed: bool = False) -> dict[str, Any]:
    plan = known.plan.in_mode(choice.mode)
    return {
        "job": view(job),
        "source": job.params["source"],
        "plan": plan,
        "is_empty": not known.good_count,
        "is_missed": is_missed,
        "fields": _fields(plan.fingerprint, choice),
        "back": _address(job, choice),
        **_head(_REVIEW),
    }


def _summary(known: Report) -> str:
    """What the check found, in a sentence."""
    count = known.document.count
    templates = {
        Integrity.RIGHT: ngettext(
            "Nothing has been written yet. The file holds %(count)s record, and its checksum is right.",
            "Nothing has been written yet. The file holds %(count)s records, and its checksum is right.",
            count,
            count=number(count),
        ),
        Integrity.WRONG: ngettext(
            "Nothing has been written yet. The file holds %(count)s record, and its checksum is wrong.",
            "Nothing has been written yet. The file holds %(count)s records, and its checksum is wrong.",
            count,
            count=number(count),
        ),
        Integrity.NONE: ngettext(
            "Nothing has been written yet. The file holds %(count)s record and no checksum.",
            "Nothing has been written yet. The file holds %(count)s records and no checksum.",
            count,
            count=number(count),
        ),
    }
    return templates[known.document.integrity]


def _facts(known: Report) -> list[tuple[str, Any]]:
    """The check report as names and values."""
    return [
        (gettext("Format"), gettext(_LAYOUTS[known.document.layout])),
        (gettext("Checksum"), gettext(_INTEGRITY[known.document.integrity])),
        (
            gettext("Records"),
            gettext("%(good)s of %(all)s", good=number(known.good_count), all=number(known.document.count)),
        ),
        (
            gettext("Made"),
            time_element(known.document.timestamp, "clock") if known.document.timestamp else gettext("not stated"),
        ),
        (gettext("Size"), size(known.document.size_bytes)),
    ]


def _head(step: int) -> dict[str, Any]:
    return {
        "steps": [
            {"label": gettext(label), "href": url_for(".upload") if n == 0 else None} for n, label in enumerate(_STEPS)
        ],
        "step": step,
        "limit": config.current().max_upload_size,
    }


def _refused_upload(sentence: str, status: int) -> flask.Response:
    with translated_errors():
        listed = [backup for backup in backups.list_backups(db.session()) if backup.has_file]
    return page(
        "restore/upload.html",
        "restore/_upload_form.html",
        status=status,
        listed=listed[:_LISTED_MOST],
        error=sentence,
        **_head(_UPLOAD),
    )


def _job(id: str) -> Job:
    job = jobs.get(id)
    if job.kind != imports.KIND:
        raise NotFound(N_("There is no such import."))
    return job


def _waiting(id: str) -> Job:
    job = _job(id)
    if job.state is not State.WAITING:
        raise Conflict(N_("This import is not waiting for a decision any more."), hint=N_("Load its page again."))
    return job


def _choice(args: Any) -> Choice:
    mode = args.get("mode", "")
    return Choice(
        mode=Mode(mode) if mode in set(Mode) else Mode.MERGE,
        skip_bad=args.get("errors") == "skip",
        accept_altered=args.get("altered") == "accept",
    )


def _in_mode(choice: Choice, mode: Mode) -> Choice:
    return Choice(mode, choice.skip_bad, choice.accept_altered)


def _args(choice: Choice) -> dict[str, Any]:
    """A choice as names and values of an address or a form; what is the default is left out."""
    found: dict[str, Any] = {"mode": str(choice.mode)} if choice.mode is not Mode.MERGE else {}
    found |= {"errors": "skip"} if choice.skip_bad else {}
    return found | ({"altered": "accept"} if choice.accept_altered else {})


def _fields(fingerprint: str, choice: Choice) -> dict[str, Any]:
    return _args(choice) | {"fingerprint": fingerprint}


def _address(job: Job, choice: Choice, **more: Any) -> str:
    known = {name: value for name, value in more.items() if name in ("tab", "page")}
    return url_for(".show", id=job.id, **_args(choice) | known)
