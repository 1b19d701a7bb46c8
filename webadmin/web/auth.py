"""Signing in and out, and the first account."""

from __future__ import annotations

import json

from flask import Blueprint, abort, make_response, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf.csrf import generate_csrf

from webadmin import accounts, security
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import Conflict, Invalid
from webadmin.web.errors import read_fields, resend_page
from webadmin.web.forms import SetupForm, SignInForm, show_problems
from webadmin.web.htmx import page, redirect, wants_fragment

bp = Blueprint("auth", __name__)


@bp.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign in with name and password, then go where the person was going."""
    target = security.safe_next(request.values.get("next"))
    if not security.has_accounts():
        return redirect(url_for("auth.setup"))
    if request.method == "GET" and security.current_person() is not None:
        return redirect(target)
    form = SignInForm(next=target)
    if not form.validate_on_submit():
        return page("auth/sign_in.html", "auth/_sign_in.html", form=form, status=422 if form.errors else 200)
    with translated_errors():
        user = accounts.authenticate(db.session(), form.name.data, form.password.data)
    if user is None:
        form.form_errors.append(gettext("That user name and password do not match."))
        return page("auth/sign_in.html", "auth/_sign_in.html", form=form, status=422)
    security.sign_in(user, is_kept=form.keep.data)
    fields = read_fields(form.resend_fields.data)
    if fields and form.resend_to.data:
        return resend_page(security.safe_next(form.resend_to.data), fields)
    if wants_fragment():
        # The page under the dialog stays; its script sends the lost request again with the new session's token.
        return make_response("", 204, {"HX-Trigger": json.dumps({"signed-in": {"csrf": generate_csrf()}})})
    return redirect(target)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this session; its cookie is worth nothing afterwards."""
    session.clear()
    return redirect(url_for("auth.sign_in"))


@bp.route("/setup", methods=["GET", "POST"])
def setup() -> ResponseReturnValue:
    """Make the first account with the code from the server's terminal; gone once there is one."""
    if security.has_accounts():
        abort(404)
    form = SetupForm()
    if form.validate_on_submit():
        try:
            with transaction() as db_session:
                user = accounts.create_first(
                    db_session, code=form.code.data, name=form.name.data, password=form.password.data
                )
        except Conflict:
            return redirect(url_for("auth.sign_in"))
        except Invalid as error:
            show_problems(form, error)
        else:
            accounts.forget_setup_code()
            security.sign_in(user, is_kept=False)
            return redirect("/")
    return page("auth/setup.html", form=form, status=422 if form.errors else 200)
