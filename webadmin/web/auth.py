"""Signing in and out, and the first account."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from flask import Blueprint, Response, abort, make_response, request, url_for
from flask import session as browser_session
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_wtf.csrf import generate_csrf

from webadmin import accounts, audit, backups, catalogue, config, security, signing_in
from webadmin.backups import State, Wanted
from webadmin.db import db, translated_errors
from webadmin.errors import Conflict, Invalid, Unavailable
from webadmin.web.errors import read_fields, resend_page
from webadmin.web.filters import number
from webadmin.web.forms import CodeForm, SetupForm, SignInForm, show_problems
from webadmin.web.htmx import page, redirect, wants_fragment

# What is longer is no name of anybody, and need not be sent back.
_NAME_SHOWN = 256
_NEWEST_SHOWN = 3
bp = Blueprint("auth", __name__)


@bp.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign in with name and password, then go where the person was going."""
    target = security.safe_next(request.values.get("next"))
    if not security.has_accounts():
        return redirect(url_for("auth.setup"))
    if request.method != "POST":
        return redirect(target) if security.current_person() else _sign_in_page(SignInForm())
    form = SignInForm()
    user = None
    if form.validate_on_submit():
        try:
            user = signing_in.check_sign_in(form.username.data, form.password.data)
        except accounts.TooManyTries as error:
            return _sign_in_page(form, wait_seconds=error.wait_seconds, status=429)
    if user is None:
        return _sign_in_page(form, error=gettext("That user name and password do not match."), status=422)
    if user.totp_secret is not None:
        signing_in.await_code(user, is_kept=form.remember.data)
        carried = CodeForm(
            formdata=None,
            next=request.values.get("next"),
            resend_to=form.resend_to.data,
            resend_fields=form.resend_fields.data,
        )
        return _code_page(carried)
    return _let_in(user, form, is_kept=form.remember.data)


@bp.route("/sign-in/code", methods=["GET", "POST"])
def code() -> ResponseReturnValue:
    """The second step of signing in: a code of the app, or a recovery code."""
    pending = signing_in.who_awaits_code() if request.method == "POST" else None
    if pending is None:
        return redirect(url_for("auth.sign_in", next=security.safe_next(request.values.get("next"))))
    form, (user, is_kept) = CodeForm(), pending
    if not form.validate_on_submit():
        return _code_page(form, error=gettext("Fill in this field."), status=422)
    try:
        is_right = signing_in.check_code(user, form.code.data)
    except accounts.TooManyTries as error:
        return _code_page(form, wait_seconds=error.wait_seconds, status=429)
    if not is_right:
        text = gettext("That code is not right, or was used already. Wait for the next one.")
        return _code_page(form, error=text, status=422)
    return _let_in(user, form, is_kept=is_kept)


def _let_in(user: accounts.User, form: SignInForm | CodeForm, *, is_kept: bool) -> ResponseReturnValue:
    """Begin the session, and go on with what the person was doing."""
    signing_in.sign_in(user, is_kept=is_kept)
    if wants_fragment():
        # The page under the dialog stays; its script sends the lost request again with the new session's token.
        return make_response("", 204, {"HX-Trigger": json.dumps({"signed-in": {"csrf": generate_csrf()}})})
    fields = read_fields(form.resend_fields.data)
    if fields and form.resend_to.data:
        return resend_page(security.safe_next(form.resend_to.data), fields)
    return redirect(security.safe_next(request.values.get("next")))


def _code_page(
    form: CodeForm, *, error: str | None = None, wait_seconds: int | None = None, status: int = 200
) -> ResponseReturnValue:
    kept = {name: form[name].data for name in ("next", "resend_to", "resend_fields") if form[name].data}
    answer = page(
        "auth/code.html",
        "auth/_code_form.html",
        kept=kept,
        error=error,
        wait_seconds=wait_seconds,
        in_dialog=wants_fragment(),
        status=status,
    )
    return _wait(answer, wait_seconds)


def _wait(answer: Response, seconds: int | None) -> Response:
    if seconds:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _sign_in_page(
    form: SignInForm, *, error: str | None = None, wait_seconds: int | None = None, status: int = 200
) -> ResponseReturnValue:
    kept = {"resend_to": form.resend_to.data, "resend_fields": form.resend_fields.data}
    answer = page(
        "auth/sign_in.html",
        "auth/_sign_in_form.html",
        username=(form.username.data or "")[:_NAME_SHOWN],
        remember=form.remember.data,
        next=security.safe_next(request.values.get("next")),
        kept=kept if form.resend_fields.data else None,
        error=error,
        wait_seconds=wait_seconds,
        in_dialog=wants_fragment(),
        status=status,
    )
    return _wait(answer, wait_seconds)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this session; its cookie is worth nothing afterwards."""
    actor = security.current_actor()
    browser_session.clear()
    audit.note_done(actor, audit.Act.SIGN_OUT)
    return redirect(url_for("auth.sign_in"))


@bp.route("/setup", methods=["GET", "POST"])
def setup() -> ResponseReturnValue:
    """Make the first account with the code from the server's terminal; gone once there is one."""
    if security.has_accounts():
        abort(404)
    form, wait_seconds = SetupForm(), None
    if form.validate_on_submit():
        try:
            user = signing_in.check_setup(form.setup_code.data, form.username.data, form.password.data)
        except Conflict:
            return redirect(url_for("auth.sign_in"))
        except Invalid as error:
            show_problems(form, error)
        except accounts.TooManyTries as error:
            wait_seconds = error.wait_seconds
        else:
            accounts.forget_setup_code()
            signing_in.sign_in(user, is_kept=False)
            return redirect("/")
    errors = {name: messages[0] for name, messages in form.errors.items() if name}
    status = 429 if wait_seconds else (422 if form.errors else 200)
    answer = page(
        "auth/setup.html", values=form.data, errors=errors, wait_seconds=wait_seconds, found=_found(), status=status
    )
    return _wait(answer, wait_seconds)


def _found_backups() -> list[dict[str, Any]]:
    """What lies in the backup folder, for somebody who has lost everything else."""
    try:
        with translated_errors():
            history = backups.open_history(db.session())
            tally, newest = history.tally(), list(islice(history.walk(Wanted(has_file=True)), _NEWEST_SHOWN))
    except Unavailable:
        return []
    if not newest:
        return []
    good = tally.in_state(State.VERIFIED)
    title = ngettext(
        "%(count)s backup in the folder, %(good)s verified",
        "%(count)s backups in the folder, %(good)s verified",
        tally.files,
        count=number(tally.files),
        good=number(good),
    )
    names = gettext(", ").join(backup.name for backup in newest)
    line = gettext("The newest: %(names)s. After this step the page of backups restores any of them.", names=names)
    tone, name = ("ok", "shield-check") if good else ("warn", "shield-question")
    return [{"icon": name, "tone": tone, "title": title, "line": line}]


def _found() -> list[dict[str, Any]]:
    """What is on this machine, for the person who makes the first account."""
    settings = config.current()
    with translated_errors():
        n = catalogue.counts(db.session(), catalogue.Query())["all"]
    if n:
        title = settings.database_path.name
        line = ngettext(
            "%(num)d assistant · opens in place, nothing to convert",
            "%(num)d assistants · opens in place, nothing to convert",
            n,
        )
    else:
        title, line = gettext("No catalogue yet."), gettext("You can start empty, or import a file next.")
    rows = [{"icon": "database", "tone": "ok" if n else "", "title": title, "line": line}, *_found_backups()]
    if settings.auto_backup_enabled:
        line = gettext(
            "Every day at %(time)s · kept %(days)d days",
            time=f"{settings.auto_backup_time:%H:%M}",
            days=settings.backup_retention_days,
        )
        return [*rows, {"icon": "clock", "tone": "ok", "title": gettext("Automatic backups are on"), "line": line}]
    title = gettext("Automatic backups are off")
    return [*rows, {"icon": "clock", "tone": "warn", "title": title, "line": gettext("AUTO_BACKUP_ENABLED is false")}]
