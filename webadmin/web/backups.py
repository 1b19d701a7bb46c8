"""Backups: the list, one of them, making, uploading, verifying, deleting and bringing back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import flask
from flask import Blueprint, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import RequestEntityTooLarge

from webadmin import audit, backups, config, jobs, safety
from webadmin.backups import Backup, History, Kind, State, Tally
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Invalid, Message
from webadmin.jobs import Job, Progress
from webadmin.safety import MANUAL_BACKUP
from webadmin.security import current_actor
from webadmin.web import backup_cards, imports, timeline, uploads
from webadmin.web.filters import message, moment, number, sentences
from webadmin.web.htmx import add_toast, page, redirect
from webadmin.web.jobs import VERIFY, ending, view

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
bp = Blueprint("backups", __name__, url_prefix="/backups")

PAGE_SIZE = 25
# A small catalogue is backed up within this time: the answer is then the result, not a page that waits for it.
_PATIENCE_SECONDS = 0.8
_KINDS: dict[str, tuple[str, frozenset[Kind]]] = {
    "": (N_("All"), frozenset(Kind)),
    "automatic": (N_("Automatic"), frozenset({Kind.SCHEDULED})),
    "manual": (N_("Manual"), frozenset({Kind.MANUAL})),
    "safety": (N_("Safety"), frozenset({Kind.SAFETY})),
    "uploaded": (N_("Uploaded"), frozenset({Kind.UPLOADED, Kind.FOUND})),
}


@dataclass(frozen=True, slots=True)
class Pager:
    """The foot of the list: what is shown, and the addresses of the pages beside it."""

    text: str
    previous: str | None
    next: str | None


@bp.get("")
def history() -> ResponseReturnValue:
    """All backups, newest first, with schedule and retention beside them."""
    backups.sync()
    with translated_errors():
        found = backups.open_history(db.session())
        kind = request.args.get("kind", "")
        kind = kind if kind in _KINDS else ""
        entries, pager = _shown(found, kind)
        bars, axis = timeline.draw(found)
        tally = found.tally()
        return page(
            "backups/history.html",
            "backups/_history.html",
            entries=entries,
            pager=pager,
            tabs=[_tab(name, kind, tally) for name in _KINDS],
            bars=bars,
            axis=axis,
            has_any=bool(tally),
            running=_running(),
            **backup_cards.beside(found),
        )


@bp.post("")
def create() -> ResponseReturnValue:
    """Make a backup now."""
    target = url_for(".history")
    try:
        return _started(safety.start_backup(current_actor()), target)
    except backups.Busy as error:
        return redirect(target, toast=message(error.message), kind="warn")


@bp.get("/running")
def running() -> ResponseReturnValue:
    """The task that works on the backups, for the list to ask each second; the list itself once it has ended."""
    found = _running()
    job_id = request.args.get("job")
    if found is None and job_id:
        _tell_end(jobs.get(job_id))
    return page("backups/_running.html", "backups/_running.html", running=found, has_ended=found is None)


@bp.get("/upload")
def upload() -> ResponseReturnValue:
    """The form for a file that is to be kept."""
    return _upload_form()


@bp.post("/upload")
def receive() -> ResponseReturnValue:
    """Keep a file among the backups without restoring it, after the proof that it can be read."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return _upload_form(gettext("Choose a file first."), 422)
    try:
        kept = uploads.keep(current_actor(), file, file.filename)
    except backups.TooLarge as error:
        return _upload_form(message(error.message), 413)
    except Invalid as error:
        return _upload_form(message(error.message), 422)
    return redirect(url_for(".show", name=kept.name), toast=gettext("The file is kept as %(name)s.", name=kept.name))


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """The file was larger than the limit: say so on the form."""
    return _upload_form(uploads.too_large_words(), 413)


def _upload_form(error: str | None = None, status: int = 200) -> flask.Response:
    limit = config.current().max_upload_size
    return page("backups/upload.html", "backups/_upload_form.html", status=status, error=error, limit=limit)


@bp.get("/<name>")
def show(name: str) -> ResponseReturnValue:
    """One backup: what proves it, what it holds; its fragment is the menu of its row in the list."""
    with translated_errors():
        found = backups.open_history(db.session())
        backup = found.get(name)
        about = backup_cards.about(backup, found)
    return page(
        "backups/show.html",
        "backups/_menu.html",
        backup=backup,
        can_undo=imports.can_undo(name),
        no_undo=imports.why_no_undo(name),
        **about,
    )


@bp.get("/<name>/download")
def download(name: str) -> ResponseReturnValue:
    """The file as it lies in the folder, byte for byte."""
    file = backups.open_backup(name)
    if request.method != "HEAD":
        audit.note_done(current_actor(), audit.Act.BACKUP_DOWNLOADED, audit.Thing(audit.Kind.BACKUP, name))
    size_bytes = file.seek(0, 2)
    file.seek(0)
    # Somebody may have given the file a name with a line end, which no header can hold.
    saved_as = _CONTROL.sub("_", name)
    answer = send_file(
        file, mimetype="application/json", as_attachment=True, download_name=saved_as, conditional=False, etag=False
    )
    answer.content_length = size_bytes
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/<name>/verify")
def verify(name: str) -> ResponseReturnValue:
    """Read the file whole, rebuild its records, and note what that proved."""
    actor = current_actor()

    def work(progress: Progress) -> dict[str, Any]:
        found = backups.verify(name, actor=actor, progress=progress)
        return {"name": name, "state": found.state}

    with translated_errors():
        backups.get(db.session(), name)
    job = jobs.start(VERIFY, actor, work, title=Message(N_("Verifying %(name)s"), {"name": name}))
    return _started(job, url_for(".show", name=name), waits_at=url_for("jobs.show", id=job.id))


@bp.get("/<name>/delete")
def confirm_delete(name: str) -> ResponseReturnValue:
    """Ask before a backup goes to the bin, or say why it must stay."""
    with translated_errors():
        return _question(name)


@bp.post("/<name>/delete")
def delete(name: str) -> ResponseReturnValue:
    """Move a backup to the bin."""
    try:
        backups.delete(current_actor(), name)
    except backups.LastGoodBackup:
        with translated_errors():
            return _question(name, status=409)
    text = gettext("The backup is in the bin for %(days)s days.", days=backups.BIN_DAYS)
    return redirect(url_for(".history"), toast=text, undo_url=url_for(".unbin", name=name))


@bp.get("/bin", endpoint="bin")
def show_bin() -> ResponseReturnValue:
    """What lies in the bin."""
    return page("backups/bin.html", entries=backups.list_bin(), bin_days=backups.BIN_DAYS)


@bp.post("/bin/<name>/bring-back")
def unbin(name: str) -> ResponseReturnValue:
    """Bring a backup back from the bin."""
    backups.unbin(current_actor(), name)
    return redirect(url_for(".history"), toast=gettext("%(name)s is back.", name=name))


def _question(name: str, *, status: int = 200) -> flask.Response:
    found = backups.open_history(db.session())
    backup, tally = found.get(name), found.tally()
    return page(
        "backups/delete.html",
        "backups/_delete.html",
        status=status,
        backup=backup,
        when=moment(backup.made_at) if backup.made_at else backup.name,
        others=tally.files - backup.has_file,
        is_only_good=backup.is_verified and tally.in_state(State.VERIFIED) == 1,
        bin_days=backups.BIN_DAYS,
    )


def _shown(found: History, kind: str) -> tuple[list[Backup], Pager]:
    """One page of the list: after the backup that `after` names, so that new ones on top move nothing."""
    shown = found.page(_KINDS[kind][1], request.args.get("after"), PAGE_SIZE)
    text = gettext(
        "%(first)s–%(last)s of %(total)s",
        first=number(shown.first),
        last=number(max(0, shown.first - 1) + len(shown.entries)),
        total=number(shown.total),
    )
    previous = None if shown.newer is None else _address(kind, shown.newer or None)
    return shown.entries, Pager(text, previous, _address(kind, shown.older) if shown.older else None)


def _address(kind: str, after: str | None = None) -> str:
    return url_for(".history", kind=kind or None, after=after)


def _tab(name: str, current: str, tally: Tally) -> dict[str, Any]:
    label, kinds = _KINDS[name]
    count = tally.of_kinds(kinds)
    return {"label": gettext(label), "href": _address(name), "count": count, "current": name == current}


def _running() -> Any:
    found = next((job for job in jobs.running() if job.kind in (MANUAL_BACKUP, VERIFY, jobs.VERIFY_ALL)), None)
    return view(found) if found else None


def _started(job: Job, target: str, *, waits_at: str | None = None) -> flask.Response:
    job = jobs.wait(job.id, _PATIENCE_SECONDS)
    if not job.is_finished:
        return redirect(waits_at or target)
    _tell_end(job)
    return redirect(target)


def _tell_end(job: Job) -> None:
    if job.is_finished:
        end = ending(job)
        add_toast(sentences([end.text, end.hint]), kind=end.tone)
