"""What people do to stored backups beside restoring them: pin, note, verify all."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import flask
from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import backups, jobs
from webadmin.backups import Backup
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import N_, Conflict, Invalid, Message
from webadmin.jobs import Progress
from webadmin.security import current_actor
from webadmin.web.filters import message, moment
from webadmin.web.htmx import page, redirect

bp = Blueprint("backup_marks", __name__, url_prefix="/backups")


@bp.get("/<name>/pin")
def ask_pin(name: str) -> ResponseReturnValue:
    """Ask why a backup is to be kept; saying nothing is an answer too."""
    backup = _get(name)
    return _question(backup, _shown(backup), is_pin=True)


@bp.post("/<name>/pin")
def pin(name: str) -> ResponseReturnValue:
    """Keep a backup from retention until it is unpinned, with a note."""
    return _written(name, is_pin=True)


@bp.post("/<name>/unpin")
def unpin(name: str) -> ResponseReturnValue:
    """Leave a backup to retention again; its note stays."""
    backups.sync()
    with transaction() as session:
        backups.pin(session, current_actor(), name, is_pinned=False)
    return redirect(url_for("backups.show", name=name), toast=gettext("Unpinned. Retention decides about it again."))


@bp.get("/<name>/note")
def ask_note(name: str) -> ResponseReturnValue:
    """The form of the note alone."""
    backup = _get(name)
    return _question(backup, _shown(backup), is_pin=False)


@bp.post("/<name>/note")
def note(name: str) -> ResponseReturnValue:
    """Write what people say about a backup."""
    return _written(name, is_pin=False)


@bp.post("/verify")
def verify_all() -> ResponseReturnValue:
    """Prove every stored file again, as one task; a second press leads to the first one."""
    running = next((job for job in jobs.running() if job.kind == jobs.VERIFY_ALL), None)
    actor = current_actor()

    def work(progress: Progress) -> dict[str, Any]:
        return {state.value: count for state, count in backups.verify_all(actor=actor, progress=progress).items()}

    job = running or jobs.start(jobs.VERIFY_ALL, actor, work, title=Message(N_("Verifying all backups")))
    return redirect(url_for("jobs.show", id=job.id))


def _written(name: str, *, is_pin: bool) -> flask.Response:
    backup, text = _get(name), request.form.get("note", "")
    try:
        with transaction() as session:
            # What the program itself noted is shown in the reader's language: that alone is no change.
            if text != _shown(backups.get(session, name)):
                backups.change_note(session, current_actor(), name, text, shown=request.form.get("shown", ""))
            if is_pin:
                backups.pin(session, current_actor(), name, is_pinned=True)
    except Invalid as error:
        return _question(backup, text, is_pin=is_pin, error=message(error.message), status=422)
    except Conflict:
        backup = _get(name)
        return _question(backup, text, is_pin=is_pin, error=_meanwhile(_shown(backup)), status=409)
    toast = gettext("Pinned: it stays until you unpin it.") if is_pin else gettext("The note is saved.")
    return redirect(url_for("backups.show", name=name), toast=toast)


def _question(
    backup: Backup, text: str, *, is_pin: bool, error: str | None = None, status: int = 200
) -> flask.Response:
    return page(
        "backups/mark.html",
        "backups/_mark.html",
        status=status,
        backup=backup,
        when=moment(backup.made_at) if backup.made_at else backup.name,
        note=text,
        # A note that was refused for its length still stands against the one that its writer saw.
        shown=request.form.get("shown", "") if status == HTTPStatus.UNPROCESSABLE_ENTITY else backup.note or "",
        is_pin=is_pin,
        error=error,
        limit=backups.NOTE_MAX,
    )


def _meanwhile(note: str) -> str:
    if not note:
        return gettext("Somebody took the note away meanwhile. Send yours again to write it.")
    return gettext("Somebody changed the note meanwhile to “%(note)s”. Send yours again to replace it.", note=note)


def _shown(backup: Backup) -> str:
    return gettext(backup.note) if backup.note else ""


def _get(name: str) -> Backup:
    backups.sync()
    with translated_errors():
        return backups.get(db.session(), name)
