"""Who is told when something goes wrong: the form, tests, and the log of what was told."""

from __future__ import annotations

import flask
from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import audit, config, notifications, saved_settings
from webadmin.config import Config
from webadmin.errors import N_, Invalid, Message, NotFound, Problem
from webadmin.notifications import Destination, Entry, Outcome
from webadmin.security import current_actor
from webadmin.web.filters import message
from webadmin.web.htmx import page, redirect
from webadmin.web.setting_forms import Section, save, section, sent

bp = Blueprint("notification_settings", __name__, url_prefix="/settings/notifications")

_WEBHOOK = ("WEBHOOK_URL", "WEBHOOK_SECRET")
_MAIL = ("MAIL_TO", "MAIL_FROM", "SMTP_HOST", "SMTP_PORT", "SMTP_TLS", "SMTP_USER", "SMTP_PASSWORD")
_NAMES = (*_WEBHOOK, *_MAIL, "HEARTBEAT_URL")
_ADDRESS = N_("An address that begins with https:// or http://, without user name and password.")
_WRONG = {
    "WEBHOOK_URL": _ADDRESS,
    "WEBHOOK_SECRET": N_("At least 16 characters."),
    "MAIL_TO": N_("E-mail addresses, separated by commas."),
    "MAIL_FROM": N_("An e-mail address."),
    "SMTP_HOST": N_("The name or address of a machine."),
    "SMTP_PORT": N_("A whole number from 1 to 65,535."),
    "SMTP_TLS": N_("One of those offered."),
    "HEARTBEAT_URL": _ADDRESS,
}
DESTINATIONS = {
    Destination.WEBHOOK: N_("Webhook"),
    Destination.MAIL: N_("Mail"),
    Destination.HEARTBEAT: N_("Heartbeat"),
}


@bp.get("")
def show() -> ResponseReturnValue:
    """The destinations, and the log."""
    return _page(section(_NAMES, _WRONG))


@bp.post("")
def save_destinations() -> ResponseReturnValue:
    """Save the destinations."""
    typed = sent(_NAMES)
    try:
        _check(saved_settings.check(typed, config.current()), typed)
        save(typed)
    except Invalid as error:
        return _page(section(_NAMES, _WRONG, typed, error), status=422)
    return redirect(url_for(".show"), toast=gettext("The destinations are saved."))


@bp.post("/test/<destination>")
def send_test(destination: str) -> ResponseReturnValue:
    """Send a test to what is saved, and say how that went."""
    if destination not in DESTINATIONS:
        raise NotFound(N_("There is no such destination."))
    audit.note(current_actor(), audit.Act.NOTIFICATION_SENT, destination=destination, is_test=True)
    return _told(notifications.send_test(Destination(destination)))


@bp.post("/again/<notification_id>")
def send_again(notification_id: str) -> ResponseReturnValue:
    """Send one of the log again, and say how that went."""
    audit.note(current_actor(), audit.Act.NOTIFICATION_SENT, notification=notification_id)
    return _told(notifications.send_again(notification_id))


def _check(values: Config, typed: dict[str, str]) -> None:
    """What is fine each for itself, and still does not go together. Raises Invalid."""
    problems = []
    if values.webhook_url and not values.webhook_secret:
        problems.append(("WEBHOOK_SECRET", N_("A webhook needs a secret: what it is told is signed.")))
    if values.smtp_host:
        problems += [
            (name, N_("Mail needs it."))
            for name, value in (("MAIL_TO", values.mail_to), ("MAIL_FROM", values.mail_from))
            if not value
        ]
    is_kept = values.smtp_password and "SMTP_PASSWORD" not in typed and not values.is_locked("SMTP_PASSWORD")
    if is_kept and values.smtp_host not in (None, config.current().smtp_host):
        # Else whoever can open this page could have the password sent to a server of theirs.
        problems.append(("SMTP_PASSWORD", N_("Type the password again: this is another server.")))
    if problems:
        raise Invalid(
            N_("Some fields need another look. Nothing was saved."),
            problems=[Problem(Message(sentence), field=name) for name, sentence in problems],
        )


def _told(entry: Entry) -> flask.Response:
    outcome = message(entry.answer) if entry.answer else gettext("It is on its way.")
    is_bad = entry.is_failing
    text = gettext("It did not arrive. %(why)s", why=outcome) if is_bad else gettext("It arrived. %(how)s", how=outcome)
    return redirect(url_for(".show"), toast=text, kind="bad" if is_bad else "ok")


def _page(form: Section, *, status: int = 200) -> flask.Response:
    return page(
        "settings/notifications.html",
        status=status,
        form=form,
        set_up=notifications.set_up(config.current()),
        names=DESTINATIONS,
        standings={each.destination: each for each in notifications.standings()},
        entries=notifications.newest(),
        outcomes=Outcome,
        kept_days=notifications.KEPT_DAYS,
        allows_private=config.current().notify_allow_private,
    )
