"""One's own account: password, appearance, language, keys, and where one is signed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import segno
from flask import Blueprint, request, url_for
from flask import session as browser_session
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from webadmin import accounts, audit, config, security, signing_in
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import Conflict, Invalid, Unavailable
from webadmin.security import current_actor
from webadmin.web.forms import PasswordForm, PreferencesForm, SecondFactorForm, show_problems
from webadmin.web.htmx import page, redirect

bp = Blueprint("profile", __name__, url_prefix="/profile")

# In the session until it is switched on: the key that the page shows.
_SECRET = "second_factor_secret"  # noqa: S105 (the key under which it is kept)

# How browsers name themselves, the more telling name first: each also claims to be those after it.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
            ("Linux", "Linux"))  # fmt: skip


@bp.get("")
def show() -> ResponseReturnValue:
    """The account of whoever looks."""
    return _show(PreferencesForm(formdata=None, obj=security.require_person()))


@bp.post("")
def save() -> ResponseReturnValue:
    """Keep language, theme and single keys with the account."""
    form = PreferencesForm()
    if not form.validate_on_submit():
        return _show(form, status=422)
    with transaction() as session:
        accounts.save_preferences(
            session,
            security.require_person().user_id,
            language=form.language.data or None,
            theme=form.theme.data or None,
            has_single_keys=form.has_single_keys.data,
        )
    return redirect(url_for("profile.show"), toast=gettext("Saved."))


@bp.get("/password")
def password() -> ResponseReturnValue:
    """The form for a new password of one's own."""
    return page("profile/password.html", form=PasswordForm(formdata=None))


@bp.post("/password")
def change_password() -> ResponseReturnValue:
    """Change one's own password; sessions on other devices end."""
    form = PasswordForm()
    status, wait_seconds = 422, None
    if form.validate_on_submit():
        try:
            with transaction() as session:
                user = accounts.change_password(
                    session, current_actor(), current=form.current.data, new=form.password.data
                )
        except Invalid as error:
            show_problems(form, error)
        except accounts.TooManyTries as error:
            status, wait_seconds = 429, error.wait_seconds
        else:
            signing_in.renew(user)
            text = gettext("Your password is changed. Other devices are signed out.")
            return redirect(url_for("profile.show"), toast=text)
    return page("profile/password.html", form=form, wait_seconds=wait_seconds, status=status)


@bp.get("/second-factor")
def second_factor() -> ResponseReturnValue:
    """How the second factor stands; while it is off, the key for an app."""
    return _second_factor_page(SecondFactorForm(formdata=None))


@bp.post("/second-factor")
def turn_on() -> ResponseReturnValue:
    """Switch the second factor on, and show the recovery codes, this once."""
    form = SecondFactorForm()

    def act(session: Session) -> ResponseReturnValue:
        user, codes = accounts.turn_on(
            session,
            security.require_person().user_id,
            secret=browser_session.get(_SECRET) or accounts.new_secret(),
            password=form.current.data,
            code=form.code.data or "",
        )
        return _renewed(user, codes)

    return _change_second_factor(form, act)


@bp.post("/second-factor/off")
def turn_off() -> ResponseReturnValue:
    """Switch it off."""
    form = SecondFactorForm()

    def act(session: Session) -> ResponseReturnValue:
        accounts.turn_off(session, security.require_person().user_id, password=form.current.data)
        return redirect(url_for("profile.show"), toast=gettext("The second factor is off."))

    return _change_second_factor(form, act)


@bp.post("/second-factor/codes")
def renew_codes() -> ResponseReturnValue:
    """Show other recovery codes, this once; those of before are worth nothing."""
    form = SecondFactorForm()

    def act(session: Session) -> ResponseReturnValue:
        codes = accounts.renew_codes(session, security.require_person().user_id, password=form.current.data)
        return page("profile/recovery_codes.html", codes=codes, status=201)

    return _change_second_factor(form, act)


def _renewed(user: accounts.User, codes: list[str]) -> ResponseReturnValue:
    browser_session.pop(_SECRET, None)
    signing_in.renew(user)
    return page("profile/recovery_codes.html", codes=codes, status=201)


def _change_second_factor(form: SecondFactorForm, act: Callable[[Session], ResponseReturnValue]) -> ResponseReturnValue:
    status, wait_seconds = 422, None
    if form.validate_on_submit():
        try:
            with transaction() as session:
                return act(session)
        except (Invalid, Conflict) as error:
            show_problems(form, error)
        except accounts.TooManyTries as error:
            status, wait_seconds = 429, error.wait_seconds
    return _second_factor_page(form, wait_seconds=wait_seconds, status=status)


def _second_factor_page(
    form: SecondFactorForm, *, wait_seconds: int | None = None, status: int = 200
) -> ResponseReturnValue:
    person = security.require_person()
    with translated_errors():
        user = accounts.get_person(db.session(), person.user_id)
        codes_left = accounts.codes_left(db.session(), person.user_id)
    secret = picture = None
    if user.totp_secret is None:
        secret = browser_session.setdefault(_SECRET, accounts.new_secret())
        code = segno.make(accounts.app_address(secret, person.name), error="m", micro=False)
        # Dark on light in each theme: not every app reads the reverse.
        picture = Markup(code.svg_inline(scale=4, border=4, dark="#000", light="#fff"))  # noqa: S704  # nosec B704  # Made of squares.
    return page(
        "profile/second_factor.html",
        form=form,
        is_required=accounts.is_required(user),
        secret=secret,
        picture=picture,
        codes_left=codes_left,
        wait_seconds=wait_seconds,
        status=status,
    )


@bp.post("/sessions/end")
def end_session() -> ResponseReturnValue:
    """Sign out on one device."""
    _note_ended()
    accounts.end_session(security.require_person().user_id, request.form.get("session", ""))
    return redirect(url_for("profile.show"), toast=gettext("That device is signed out."))


@bp.post("/sessions/end-others")
def end_others() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    _note_ended()
    accounts.end_sessions(security.require_person().user_id, but=security.session_id())
    return redirect(url_for("profile.show"), toast=gettext("Other devices are signed out."))


def _note_ended() -> None:
    person = security.require_person()
    thing = audit.Thing(audit.Kind.PERSON, person.user_id, person.name)
    audit.note(current_actor(), audit.Act.SESSIONS_ENDED, thing)


def _show(form: PreferencesForm, *, status: int = 200) -> ResponseReturnValue:
    try:
        listed = [_session(each) for each in accounts.list_sessions(security.require_person().user_id)]
    except Unavailable:
        listed = None
    return page("profile/show.html", form=form, sessions=listed, limits=config.current(), status=status)


def _session(found: accounts.SignedInAt) -> dict[str, Any]:
    """A session as the page shows it."""
    browser, system = (
        next((name for mark, name in known if mark in (found.agent or "")), None) for known in (_BROWSERS, _SYSTEMS)
    )
    return {
        "id": found.id,
        "is_this": found.id == security.session_id(),
        "name": " · ".join(filter(None, (browser, system))) or gettext("Unknown browser"),
        "address": found.address,
        "signed_in_at": datetime.fromtimestamp(found.signed_in_at, UTC),
        "seen_at": datetime.fromtimestamp(found.seen_at, UTC),
    }
