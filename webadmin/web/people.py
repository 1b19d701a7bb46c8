"""Settings: who may sign in. Everything here is for administrators; the domain checks it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import accounts
from webadmin.accounts import Permission
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import N_, Conflict, Invalid, Unavailable
from webadmin.security import current_actor
from webadmin.web.forms import PersonForm, show_problems
from webadmin.web.htmx import page, redirect

bp = Blueprint("people", __name__, url_prefix="/settings/people")
# What each permission covers, in the words of docs/people.md.
COVERS = {
    Permission.READ: N_("see assistants, their history, the trash, the list of backups, whether the data is safe"),
    Permission.WRITE: N_(
        "create, change, submit and delete what is not published; put back from the trash or the history"
    ),
    Permission.EXPORT: N_("download assistants, the catalogue, a stored backup"),
    Permission.BACK_UP: N_("back up now, verify, compare"),
    Permission.PUBLISH: N_("publish, reject, unpublish; change or delete what is published; write the review note"),
    Permission.IMPORT: N_("import a file, restore a backup, undo either"),
    Permission.MANAGE_BACKUPS: N_("pin, note, upload, delete backups, bring them back from the bin"),
    Permission.ADMINISTER: N_("people, tokens, settings, notifications, diagnostics, recovery, activity"),
}
_PERSON = "/<int(max=9223372036854775807):user_id>"


@bp.get("")
def list() -> ResponseReturnValue:  # noqa: A001  (the route is named by its verb)
    """Everybody, and the form for one more."""
    return _list_page(PersonForm(formdata=None))


@bp.post("")
def add() -> ResponseReturnValue:
    """Add a person, and show the password for their first sign-in, this once."""
    form = PersonForm()
    if form.validate_on_submit():
        try:
            with transaction() as session:
                user, password = accounts.invite(session, current_actor(), form.name.data, role=form.role.data)
        except (Invalid, Conflict) as error:
            show_problems(form, error)
        else:
            return page("settings/password_made.html", person=user, password=password, is_new=True, status=201)
    return _list_page(form, status=422)


@bp.get(_PERSON)
def show(user_id: int) -> ResponseReturnValue:
    """One person, and what can be done about them."""
    return _person_page(user_id)


@bp.post(_PERSON)
def change(user_id: int) -> ResponseReturnValue:
    """Give a person another name or role."""
    form = PersonForm(role=_person(user_id).role)
    if form.validate_on_submit():
        try:
            with transaction() as session:
                accounts.change_person(session, current_actor(), user_id, name=form.name.data, role=form.role.data)
        except (Invalid, Conflict) as error:
            show_problems(form, error)
        else:
            return redirect(url_for("people.show", user_id=user_id), toast=gettext("Saved."))
    return _person_page(user_id, form, status=422)


@bp.get(f"{_PERSON}/deactivate")
def confirm_deactivate(user_id: int) -> ResponseReturnValue:
    """Ask before somebody is kept out."""
    return _ask("settings/_person_deactivate.html", user_id)


@bp.post(f"{_PERSON}/deactivate")
def deactivate(user_id: int) -> ResponseReturnValue:
    """Keep a person out."""
    with transaction() as session:
        name = accounts.deactivate(session, current_actor(), user_id).name
    return redirect(url_for("people.list"), toast=gettext("%(name)s cannot sign in any more.", name=name))


@bp.post(f"{_PERSON}/activate")
def activate(user_id: int) -> ResponseReturnValue:
    """Let a person in again."""
    with transaction() as session:
        name = accounts.activate(session, current_actor(), user_id).name
    return redirect(url_for("people.show", user_id=user_id), toast=gettext("%(name)s can sign in again.", name=name))


@bp.get(f"{_PERSON}/reset-password")
def confirm_reset(user_id: int) -> ResponseReturnValue:
    """Ask before a password is replaced."""
    return _ask("settings/_person_reset.html", user_id)


@bp.post(f"{_PERSON}/reset-password")
def reset(user_id: int) -> ResponseReturnValue:
    """Give a person a password for one sign-in, and show it, this once."""
    with transaction() as session:
        user, password = accounts.reset_password(session, current_actor(), user_id)
    return page("settings/password_made.html", person=user, password=password, is_new=False)


@bp.get(f"{_PERSON}/reset-second-factor")
def confirm_reset_second_factor(user_id: int) -> ResponseReturnValue:
    """Ask before somebody can sign in without a code."""
    return _ask("settings/_person_second_factor.html", user_id)


@bp.post(f"{_PERSON}/reset-second-factor")
def reset_second_factor(user_id: int) -> ResponseReturnValue:
    """Let a person sign in without the app that they lost."""
    with transaction() as session:
        name = accounts.reset_second_factor(session, current_actor(), user_id).name
    text = gettext("%(name)s signs in without a second factor now.", name=name)
    return redirect(url_for("people.show", user_id=user_id), toast=text)


@bp.post(f"{_PERSON}/sign-out")
def sign_out(user_id: int) -> ResponseReturnValue:
    """End every session of a person."""
    with transaction() as session:
        name = accounts.sign_out(session, current_actor(), user_id).name
    return redirect(
        url_for("people.show", user_id=user_id), toast=gettext("%(name)s is signed out everywhere.", name=name)
    )


def _list_page(form: PersonForm, *, status: int = 200) -> ResponseReturnValue:
    with translated_errors():
        listed = accounts.list_users(db.session())
    return page(
        "settings/people.html", form=form, people=listed, covers=COVERS, allowed=accounts.ALLOWED, status=status
    )


def _person_page(user_id: int, form: PersonForm | None = None, *, status: int = 200) -> ResponseReturnValue:
    person = _person(user_id)
    form = form or PersonForm(formdata=None, name=person.name, role=person.role)
    try:
        session_count = len(accounts.list_sessions(person.id))
    except Unavailable:
        session_count = None
    return page("settings/person.html", form=form, person=person, session_count=session_count, status=status)


def _ask(question: str, user_id: int) -> ResponseReturnValue:
    return page("settings/person_question.html", question, question=question, person=_person(user_id))


def _person(user_id: int) -> Any:
    with translated_errors():
        return accounts.get_person(db.session(), user_id)
