"""Theme and language of this browser: two cookies, set by a form that works signed out too."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from webadmin import accounts, security
from webadmin.db import transaction
from webadmin.sessions import read_cookie, set_cookie
from webadmin.web.htmx import redirect

THEMES = ("system", "light", "dark")
LANGUAGES = ("en", "zh")
_YEAR_SECONDS = 365 * 86400
bp = Blueprint("prefs", __name__)


@bp.post("/preferences")
def set() -> ResponseReturnValue:  # noqa: A001  (the route is named by its verb)
    """Keep the chosen theme or language and go back to the page where it was chosen."""
    person = security.current_person()
    if person is not None and (person.language or person.theme):
        _keep_with_account(person)
    response = redirect(security.safe_next(request.form.get("next")))
    for name, known in (("theme", THEMES), ("language", LANGUAGES)):
        value = request.form.get(name)
        if value is not None and value in known:
            set_cookie(response, name, value, max_age=_YEAR_SECONDS)
    return response


def _keep_with_account(person: security.SignedIn) -> None:
    """What somebody has chosen for their account counts before the cookie, so it must change too."""
    language, theme = request.form.get("language"), request.form.get("theme")
    with transaction() as session:
        accounts.save_preferences(
            session,
            person.user_id,
            language=language if person.language and language in LANGUAGES else person.language,
            theme=theme if person.theme and theme in THEMES else person.theme,
            has_single_keys=person.has_single_keys,
        )


def theme() -> str:
    """The chosen theme: system, light or dark."""
    value = read_cookie("theme")
    return value if value in THEMES else "system"


def language() -> str | None:
    """The language chosen in this browser, None when none was."""
    value = read_cookie("language")
    return value if value in LANGUAGES else None
