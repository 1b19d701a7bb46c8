"""Import and restore: a file is checked, its changes are shown, and only then applied. Each step is one address."""

from __future__ import annotations

from itertools import islice
from typing import Any

import flask
from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import RequestEntityTooLarge

from webadmin import backups, config, jobs
from webadmin.backups import Backup, Plan, Wanted
from webadmin.catalogue import Query
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Conflict, Invalid, NotFound, Problem
from webadmin.jobs import Job, State
from webadmin.security import current_actor
from webadmin.web import import_reports, import_review, imports, uploads
from webadmin.web.filters import message
from webadmin.web.htmx import page, redirect, wants_fragment
from webadmin.web.imports import Choice, Report
from webadmin.web.jobs import ending, view
from webadmin.web.listing import Listing

bp = Blueprint("restore", __name__, url_prefix="/import")

# A small file is checked or applied within this time: the answer is then the next step, not a page that waits.
_PATIENCE_SECONDS = 0.8
_LISTED_MOST = 50
_UPLOAD, _CHECK, _REVIEW, _APPLY, _DONE = range(1, 6)
_STEPS = (N_("Upload"), N_("Check"), N_("Review changes"), N_("Apply"), N_("Done"))
jobs.on_stopped(imports.KIND, imports.find_outcome)


@bp.get("")
def upload() -> ResponseReturnValue:
    """The first step: a file, or a listed backup."""
    with translated_errors():
        listed = _newest_files()
    return page("restore/upload.html", listed=listed, error=None, **_head(_UPLOAD))


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
    """Check a listed backup, to restore it, or what can be read of a damaged one."""
    is_rest = "rest" in request.form
    job = imports.take_listed(current_actor(), request.form.get("name", ""), is_rest=is_rest)
    return redirect(url_for(".show", id=jobs.wait(job.id, _PATIENCE_SECONDS).id))


@bp.post("/undo")
def undo() -> ResponseReturnValue:
    """Compare what an import changed with the safety backup before it, to take it back."""
    job = imports.undo(current_actor(), request.form.get("name", ""))
    return redirect(url_for(".show", id=jobs.wait(job.id, _PATIENCE_SECONDS).id))


@bp.get("/<id>")
def show(id: str) -> ResponseReturnValue:
    """The step at which an import stands; the same address leads through all of them."""
    return _page(_job(id))


@bp.get("/<id>/records.csv")
def records(id: str) -> ResponseReturnValue:
    """What became of each record, as a file."""
    job = _job(id)
    if job.state is not State.DONE:
        raise NotFound(N_("This import has not been applied."))
    return import_reports.records(job)


@bp.get("/<id>/problems.csv")
def problems(id: str) -> ResponseReturnValue:
    """The errors and warnings of the check, as a file."""
    return import_reports.problems(_job(id))


@bp.get("/<id>/confirm")
def confirm(id: str) -> ResponseReturnValue:
    """Ask before assistants are deleted."""
    job = _waiting(id)
    known, choice = imports.report(job), import_review.choice_of(job, request.args)
    plan = _plan(job, known, choice)
    if not plan.counts.deleted:
        return redirect(import_review.address(job, choice))
    return page("restore/confirm.html", "restore/_confirm.html", **_confirmation(job, known, choice))


@bp.get("/<id>/changes/<int:number>")
def change(id: str, number: int) -> ResponseReturnValue:
    """What differs in one record, field by field; its fragment is the row of the list, opened or closed again."""
    job = _waiting(id)
    choice = import_review.choice_of(job, request.args)
    with imports.choices(job) as choices:
        listed = choices.find(number, choice.mode)
    here = import_review.args(choice) | {name: request.args.get(name, "") for name in ("tab", "page")}
    is_open = "closed" not in request.args
    return page(
        "restore/change.html",
        "restore/_change.html",
        job=view(job),
        source=job.params["source"],
        row=import_review.row(job, listed, choice, here),
        tab=here["tab"],
        undone=job.params.get("undone"),
        is_open=is_open,
        is_pressed=True,
        diffs=import_review.opened(job, listed) if is_open else [],
        back=import_review.address(job, choice, **here),
        **_head(_REVIEW),
    )


@bp.post("/<id>/choices")
def choose(id: str) -> ResponseReturnValue:
    """Note what was chosen on one page of the review; its fragment is the foot of the page."""
    job = _waiting(id)
    known, choice = imports.report(job), import_review.choice_of(job, request.form)
    if request.form.get("content") != known.plan.content:
        return redirect(import_review.address(job, choice)) if wants_fragment() else _page(job, choice, status=409)
    import_review.save(job, choice)
    if wants_fragment():
        return page(
            "restore/show.html",
            "restore/_bar.html",
            job=view(job),
            **import_review.bar(job, choice, _plan(job, known, choice)),
        )
    return redirect(import_review.address(job, choice, **request.form.to_dict()))


@bp.post("/<id>/apply")
def apply(id: str) -> ResponseReturnValue:
    """Apply what was shown, after a safety backup."""
    job = _waiting(id)
    known, choice = imports.report(job), import_review.choice_of(job, request.form)
    plan = _plan(job, known, choice)
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
        confirm_delete_all=bool(plan.counts.deleted),
    )
    job = jobs.wait(id, _PATIENCE_SECONDS)
    if job.state is State.WAITING:
        return _page(job, choice, status=503 if imports.failure(job) else 409)
    return redirect(import_review.address(job, choice))


def _page(job: Job, choice: Choice | None = None, *, status: int = 200) -> flask.Response:
    chosen = choice or import_review.choice_of(job, request.args)
    step, body, context = _step(job, chosen)
    more = request.args.to_dict() if request.method == "GET" else {}
    return page(
        "restore/show.html",
        "restore/_step.html",
        status=status,
        source=job.params["source"],
        job=view(job),
        body=body,
        address=import_review.address(job, chosen, **more),
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
            _result(job),
        )
    if job.state is not State.WAITING:
        problems = [] if was_applied else imports.refusals(job)
        return (_APPLY if was_applied else _CHECK), "restore/_ended.html", {"end": ending(job), "problems": problems}
    known = imports.report(job)
    if _needs_decision(known, choice):
        return _CHECK, "restore/_check.html", {"choice": choice, **import_review.found_in(known)}
    return _REVIEW, "restore/_review.html", import_review.review(job, known, choice)


def _result(job: Job) -> dict[str, Any]:
    result = job.result or {}
    return {
        "result": result,
        "ended_at": job.updated_at,
        "problems": _skipped(job),
        "can_undo": imports.can_undo(result.get("safety_backup")),
        "no_undo": imports.why_no_undo(result.get("safety_backup")),
        "changed_href": Listing(Query(written=imports.revisions_of(job))).href(),
        "undone": job.params.get("undone"),
    }


def _skipped(job: Job) -> list[Problem]:
    """The bad records that were left out."""
    return imports.report(job).problems if job.params["choice"]["skip_bad"] else []


def _needs_decision(known: Report, choice: Choice) -> bool:
    return (known.alteration is not None and not choice.accept_altered) or (
        known.problem_count > 0 and not choice.skip_bad
    )


def _plan(job: Job, known: Report, choice: Choice) -> Plan:
    with imports.choices(job) as choices:
        return import_review.plan_of(known, choice, choices)


def _confirmation(job: Job, known: Report, choice: Choice, *, is_missed: bool = False) -> dict[str, Any]:
    plan = _plan(job, known, choice)
    return {
        "job": view(job),
        "source": job.params["source"],
        "plan": plan,
        "is_empty": not known.good_count and not import_review.is_undo(job),
        "undone": job.params.get("undone"),
        "is_missed": is_missed,
        "fields": import_review.fields(plan, choice),
        "back": import_review.address(job, choice),
        **_head(_REVIEW),
    }


def _head(step: int) -> dict[str, Any]:
    return {
        "steps": [
            {"label": gettext(label), "href": url_for(".upload") if n == 0 else None} for n, label in enumerate(_STEPS)
        ],
        "step": step,
        "limit": config.current().max_upload_size,
    }


def _newest_files() -> list[Backup]:
    return list(islice(backups.open_history(db.session()).walk(Wanted(has_file=True)), _LISTED_MOST))


def _refused_upload(sentence: str, status: int) -> flask.Response:
    with translated_errors():
        listed = _newest_files()
    return page(
        "restore/upload.html",
        "restore/_upload_form.html",
        status=status,
        listed=listed,
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
