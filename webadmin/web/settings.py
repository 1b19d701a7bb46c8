"""Settings: API tokens."""

from __future__ import annotations

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import accounts
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import Conflict, Invalid
from webadmin.security import current_actor
from webadmin.web.forms import TokenForm, show_problems
from webadmin.web.htmx import page, redirect

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("/tokens")
def tokens() -> ResponseReturnValue:
    """All tokens, and the form for another."""
    return _tokens_page(TokenForm(formdata=None))


@bp.post("/tokens")
def add_token() -> ResponseReturnValue:
    """Make a token and show its text, this once."""
    form = TokenForm()
    if form.validate_on_submit():
        try:
            with transaction() as session:
                token, text = accounts.issue_token(
                    session,
                    current_actor(),
                    form.name.data,
                    role=form.role.data,
                    expires_days=form.expires_days.data,
                )
        except (Invalid, Conflict) as error:
            show_problems(form, error)
        else:
            return page("settings/token_made.html", token=token, text=text, status=201)
    return _tokens_page(form, status=422)


@bp.route("/tokens/<int(max=9223372036854775807):token_id>/revoke", methods=["GET"])
def confirm_revoke(token_id: int) -> ResponseReturnValue:
    """Ask before a token is ended: programs that use it stop working."""
    with translated_errors():
        token = accounts.get_token(db.session(), token_id)
    return page("settings/token_revoke.html", "settings/_token_revoke.html", token=token)


@bp.post("/tokens/<int(max=9223372036854775807):token_id>/revoke")
def revoke_token(token_id: int) -> ResponseReturnValue:
    """End a token."""
    with transaction() as session:
        name = accounts.revoke_token(session, current_actor(), id=token_id).name
    return redirect(url_for("settings.tokens"), toast=gettext("Revoked the token “%(name)s”.", name=name))


def _tokens_page(form: TokenForm, *, status: int = 200) -> ResponseReturnValue:
    with translated_errors():
        listed = accounts.list_tokens(db.session())
    return page("settings/tokens.html", form=form, tokens=listed, is_expired=accounts.is_expired, status=status)
