"""Settings: API tokens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import accounts
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import Conflict, Invalid
from webadmin.security import current_actor
from webadmin.web.forms import RotateForm, TokenForm, show_problems, term
from webadmin.web.htmx import page, redirect

bp = Blueprint("settings", __name__, url_prefix="/settings")
_ONE = "/tokens/<int(max=9223372036854775807):token_id>"


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
                    purposes=form.purposes.data,
                    expires_days=form.days,
                )
        except (Invalid, Conflict) as error:
            show_problems(form, error)
        else:
            return _made_page(token, text)
    return _tokens_page(form, status=422)


@bp.get(f"{_ONE}/rotate")
def confirm_rotate(token_id: int) -> ResponseReturnValue:
    """Ask for how long the new text is good, and that of before."""
    days, _ = term(accounts.term_days(_token(token_id)))
    return _rotate_page(RotateForm(formdata=None, expires_days=days), token_id)


@bp.post(f"{_ONE}/rotate")
def rotate_token(token_id: int) -> ResponseReturnValue:
    """Give a token another text and show it, this once."""
    form = RotateForm()
    try:
        with transaction() as session:
            token, text = accounts.rotate_token(
                session, current_actor(), token_id, expires_days=form.days, keep_hours=form.hours
            )
    except (Invalid, Conflict) as error:
        show_problems(form, error)
        return _rotate_page(form, token_id, status=422)
    return _made_page(token, text)


@bp.get(f"{_ONE}/end-old")
def confirm_end_old(token_id: int) -> ResponseReturnValue:
    """Ask before the text of before a rotation is ended."""
    return _ask("settings/_token_end_old.html", token_id)


@bp.post(f"{_ONE}/end-old")
def end_old(token_id: int) -> ResponseReturnValue:
    """End the text of before a rotation."""
    with transaction() as session:
        name = accounts.end_old_text(session, current_actor(), token_id).name
    return redirect(url_for("settings.tokens"), toast=gettext("The earlier text of “%(name)s” is ended.", name=name))


@bp.get(f"{_ONE}/revoke")
def confirm_revoke(token_id: int) -> ResponseReturnValue:
    """Ask before a token is ended: programs that use it stop working."""
    return _ask("settings/_token_revoke.html", token_id)


@bp.post(f"{_ONE}/revoke")
def revoke_token(token_id: int) -> ResponseReturnValue:
    """End a token."""
    with transaction() as session:
        name = accounts.revoke_token(session, current_actor(), id=token_id).name
    return redirect(url_for("settings.tokens"), toast=gettext("Revoked the token “%(name)s”.", name=name))


def _tokens_page(form: TokenForm, *, status: int = 200) -> ResponseReturnValue:
    with translated_errors():
        listed = accounts.list_tokens(db.session())
    return page(
        "settings/tokens.html",
        form=form,
        tokens=listed,
        is_expired=accounts.is_expired,
        has_old_text=accounts.has_old_text,
        status=status,
    )


def _made_page(token: accounts.Token, text: str) -> ResponseReturnValue:
    return page(
        "settings/token_made.html", token=token, text=text, has_old_text=accounts.has_old_text(token), status=201
    )


def _rotate_page(form: RotateForm, token_id: int, *, status: int = 200) -> ResponseReturnValue:
    token = _token(token_id)
    present = term(accounts.term_days(token))
    if present not in form.expires_days.choices:
        form.expires_days.choices = [present, *form.expires_days.choices]
    return _ask("settings/_token_rotate.html", token_id, form=form, status=status)


def _ask(question: str, token_id: int, **context: Any) -> ResponseReturnValue:
    return page("settings/token_question.html", question, question=question, token=_token(token_id), **context)


def _token(token_id: int) -> accounts.Token:
    with translated_errors():
        return accounts.get_token(db.session(), token_id)
