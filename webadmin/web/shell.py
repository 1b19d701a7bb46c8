"""What every page shows around its content. It must not fail when the database is broken: error pages need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from flask import Flask, g, has_request_context, request, url_for
from flask_babel import get_locale, gettext

from webadmin import catalogue, config, safety, security
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Unavailable
from webadmin.safety import Color, State
from webadmin.web import prefs
from webadmin.web.filters import message
from webadmin.web.htmx import Toast, pending_toasts

_T = TypeVar("_T")
_TROUBLE = {State.DAMAGED, State.CANNOT_WRITE}
SAFETY_ICONS = {Color.OK: "shield-check", Color.WARN: "alert-triangle", Color.BAD: "alert-circle"}
_SECTIONS = {
    "api_docs": "settings",
    "restore": "import",
    "people": "settings",
    "recovery": "health",
    "auth": None,
    "prefs": None,
}


@dataclass(frozen=True, slots=True)
class ShellUser:
    """The signed-in person as the user menu shows them."""

    name: str
    role: str
    initials: str
    is_temporary: bool


@dataclass(frozen=True, slots=True)
class Pill:
    """The one sentence on whether the data is safe, on every page; it asks for itself again each minute."""

    color: str
    icon: str
    title: str
    line: str
    url: str
    poll_url: str


class Shell:
    """Reached by templates as `shell`; each part is read when a template first asks for it."""

    @property
    def site_name(self) -> str:
        """The name of this installation; the built-in one in the language of the page."""
        name = str(config.current().site_name)
        return gettext(name) if name == N_("Assistant Admin") else name

    @cached_property
    def user(self) -> ShellUser | None:
        """Who is signed in."""
        person = security.current_person()
        if person is None:
            return None
        return ShellUser(person.name, person.role, _initials(person.name), person.is_temporary)

    def is_open(self, url: str | None, method: str = "GET") -> bool:
        """Whether this person's role may follow a link, or send a form there."""
        return not url or security.is_open(url, method)

    @cached_property
    def counts(self) -> Any:
        """Counts of the navigation; None when the database cannot be read."""
        counts = _or_none(lambda: catalogue.counts(db.session(), catalogue.Query()))
        return {"total": counts["all"]} if counts else None

    @cached_property
    def pill(self) -> Pill | None:
        """Whether the data is safe; for people who are signed in."""
        if self.user is None:
            return None
        found = safety.current()
        return Pill(
            color=str(found.color),
            icon=SAFETY_ICONS[found.color],
            title=message(found.title),
            line=message(found.line),
            url=url_for("health.show" if found.state in _TROUBLE else "backups.history"),
            poll_url=url_for("health.pill"),
        )

    @cached_property
    def theme(self) -> str:
        """System, light or dark."""
        person = security.current_person()
        return (person.theme if person else None) or prefs.theme()

    @property
    def has_single_keys(self) -> bool:
        """Whether keys without Ctrl do something; people may switch them off (WCAG 2.1.4)."""
        person = security.current_person()
        return person is None or person.has_single_keys

    @property
    def language(self) -> str:
        """The language of this page: en or zh."""
        return "zh" if str(get_locale() or "en").startswith("zh") else "en"

    @property
    def active(self) -> str | None:
        """The navigation entry of this page."""
        section = request.blueprint if has_request_context() else None
        if request.endpoint == "assistants.trash":
            return "trash"
        return _SECTIONS.get(section, section) if section else None

    @cached_property
    def toasts(self) -> list[Toast]:
        """Notes to show with this page."""
        return pending_toasts()


def init_app(app: Flask) -> None:
    """Give templates `shell`."""
    app.context_processor(_context)


def _context() -> dict[str, Any]:
    if "shell" not in g:
        g.shell = Shell()
    return {"shell": g.shell}


def _or_none(read: Callable[[], _T]) -> _T | None:
    try:
        with translated_errors():
            return read()
    except Unavailable:
        return None


def _initials(name: str) -> str:
    words = name.replace(".", " ").replace("_", " ").replace("-", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or name[:1]
