"""The forms of sign-in, setup and settings."""

from __future__ import annotations

from flask_babel import gettext, lazy_gettext, ngettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import StopValidation

from webadmin.errors import DomainError, Invalid
from webadmin.web.filters import ROLES


def _filled(_form: FlaskForm, field: Field) -> None:
    """Only what is missing is judged here; every rule on what was typed lives in the domain."""
    if not field.data:
        raise StopValidation(gettext("Fill in this field."))


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Sign-in; `resend_*` carry a form whose session had ended, so that nothing typed is lost."""

    username = StringField(lazy_gettext("User name"), [_filled])
    password = PasswordField(lazy_gettext("Password"), [_filled])
    remember = BooleanField(lazy_gettext("Keep me signed in on this device"))
    next = HiddenField()
    resend_to = HiddenField()
    resend_fields = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The second step of signing in; the hidden fields are those of the first."""

    code = StringField(lazy_gettext("One-time code"), [_filled])
    next = HiddenField()
    resend_to = HiddenField()
    resend_fields = HiddenField()


class SetupForm(FlaskForm):  # type: ignore[misc]
    """The first account."""

    setup_code = StringField(lazy_gettext("Setup code"), [_filled])
    username = StringField(lazy_gettext("User name"), [_filled])
    password = PasswordField(lazy_gettext("Password"), [_filled])


def _role_choices() -> list[tuple[str, str]]:
    return [(role, gettext(text)) for role, text in ROLES.items()]


NO_END = "never"


def term(days: int | None) -> tuple[str, str]:
    """How long a token is valid, as a choice of the form: value and words."""
    return (NO_END, gettext("No end")) if days is None else (str(days), ngettext("%(num)d day", "%(num)d days", days))


def _term_choices() -> list[tuple[str, str]]:
    return [term(days) for days in (30, 90, 365, None)]


def _keep_choices() -> list[tuple[str, str]]:
    return [
        ("0", gettext("Ends at once")),
        ("1", gettext("Goes on for 1 hour")),
        ("24", gettext("Goes on for 24 hours")),
        ("168", gettext("Goes on for 7 days")),
    ]


def _number(text: str | None) -> int:
    """What no browser sends becomes a number that the domain refuses."""
    return int(text) if text and text.isdecimal() and len(text) < 6 else -1


def _term_field(id: str) -> SelectField:
    """For how long; whoever chooses no end does so knowingly."""
    return SelectField(lazy_gettext("Valid for"), choices=_term_choices, default="90", validate_choice=False, id=id)


class _TermForm(FlaskForm):  # type: ignore[misc]
    expires_days = _term_field("expires_days")

    @property
    def days(self) -> int | None:
        """What was chosen; None is no end."""
        return None if self.expires_days.data == NO_END else _number(self.expires_days.data)


class TokenForm(_TermForm):
    """A new API token; role and purpose are what programs need most, whoever gives more does so knowingly."""

    name = StringField(lazy_gettext("Name"), [_filled])
    role = SelectField(lazy_gettext("Role"), choices=_role_choices, default="viewer", validate_choice=False)
    purposes = SelectMultipleField(lazy_gettext("Made for"), default=["read"], validate_choice=False)


class RotateForm(_TermForm):
    """Another text for a token, and how long the earlier one goes on; opened over the page with the form above."""

    expires_days = _term_field("rotated_days")
    keep_hours = SelectField(lazy_gettext("Earlier text"), choices=_keep_choices, default="24", validate_choice=False)

    @property
    def hours(self) -> int:
        """For how many hours the earlier text goes on."""
        return _number(self.keep_hours.data)


class PersonForm(FlaskForm):  # type: ignore[misc]
    """A new person, or one whose name or role changes."""

    name = StringField(lazy_gettext("User name"), [_filled])
    role = SelectField(lazy_gettext("Role"), choices=_role_choices, default="editor", validate_choice=False)


class PreferencesForm(FlaskForm):  # type: ignore[misc]
    """How pages look and behave for one person; an empty choice leaves it to the browser."""

    language = SelectField(lazy_gettext("Language"), choices=["", "en", "zh"])
    theme = SelectField(lazy_gettext("Theme"), choices=["", "system", "light", "dark"])
    has_single_keys = BooleanField(lazy_gettext("Single keys"))


class SecondFactorForm(FlaskForm):  # type: ignore[misc]
    """The second factor is switched on with a code of the app, and off or renewed without."""

    current = PasswordField(lazy_gettext("Current password"), [_filled])
    code = StringField(lazy_gettext("One-time code"))


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password for oneself."""

    current = PasswordField(lazy_gettext("Current password"), [_filled])
    password = PasswordField(lazy_gettext("New password"), [_filled])


# The domain's words for what password managers and people know by another name.
_FIELDS = {"name": {"name", "username"}, "code": {"setup_code", "code"}}


def show_problems(form: FlaskForm, error: DomainError) -> None:
    """Put what the domain found wrong beside the form's fields; what belongs to none stands above them."""
    problems = error.problems if isinstance(error, Invalid) else []
    for problem in problems:
        text = gettext(problem.message.template, **problem.message.params)
        name = _FIELDS.get(problem.field or "", {problem.field}) & set(form._fields)
        if name:
            field = form[name.pop()]
            field.errors = [*field.errors, text]
        else:
            form.form_errors.append(text)
    if not problems:
        form.form_errors.append(gettext(error.message.template, **error.message.params))
