"""What the sections of the settings share: a form for some variables, locked where fixed elsewhere, and saving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import current_app, request
from flask_babel import gettext

from webadmin import config, notifications, safety, saved_settings
from webadmin.config import SETTINGS, Config
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import Invalid, Problem
from webadmin.parsers import DAYS
from webadmin.saved_settings import SavedSetting
from webadmin.security import current_actor
from webadmin.web.filters import message

FORGET = ".forget"
"""Behind the variable of a secret: the box that is ticked to remove it."""

# An empty field is a mistake where there has to be a value; to the domain it would mean the default.
_NOTHING = "?"
_DEFAULTS = {setting.name: setting.default or "" for setting in SETTINGS}
_SECRETS = frozenset(setting.name for setting in SETTINGS if setting.secret)


@dataclass(slots=True)
class Section:
    """A form: what is in its fields, which are fixed elsewhere, what is wrong, who changed one last.

    A secret is never in its field; `kept` says of those that have a value what may be shown of it.
    """

    texts: dict[str, str]
    locked: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    last: SavedSetting | None = None
    kept: dict[str, str] = field(default_factory=dict)


def section(
    names: Sequence[str], wrong: Mapping[str, str], typed: dict[str, str] | None = None, error: Invalid | None = None
) -> Section:
    """The form for these variables; `wrong` has the sentence for each value that is not taken."""
    values = config.current()
    with translated_errors():
        saved = saved_settings.list_saved(db.session())
    rows = [saved[name] for name in names if name in saved and not values.is_locked(name)]
    shown = {name: "" if text == _NOTHING else text for name, text in (typed or {}).items() if name not in _SECRETS}
    return Section(
        texts={name: _text(values, name) for name in names} | shown,
        locked={name: values.source(name) for name in names if values.is_locked(name)},
        errors={each.field or "": _sentence(each, wrong) for each in error.problems} if error else {},
        last=max(rows, key=lambda row: row.changed_at, default=None),
        kept={name: _hint(values, name) for name in names if name in _SECRETS and getattr(values, name.lower())},
    )


def _sentence(problem: Problem, wrong: Mapping[str, str]) -> str:
    if problem.message.template != saved_settings.ACCEPTED:
        return message(problem.message)
    sentence = wrong[str(problem.field)]
    return gettext(sentence)


def sent(names: Sequence[str]) -> dict[str, str]:
    """What was sent for the variables that can be chosen here; a secret only where typed or to be forgotten."""
    typed: dict[str, str] = {}
    for name in names:
        if config.current().is_locked(name):
            continue
        text = ",".join(request.values.getlist(name))
        if name in _SECRETS:
            if text.strip() or request.values.get(name + FORGET):
                typed[name] = text
        elif isinstance(getattr(config.current(), name.lower()), bool):
            typed[name] = "true" if text else "false"
        else:
            typed[name] = text.strip() or ("" if _DEFAULTS[name] == "" else _NOTHING)
    return typed


def save(typed: Mapping[str, str]) -> None:
    """Save what was sent. Raises what `saved_settings.save` raises."""
    # A value that is the default of a setting nobody chose is not a choice.
    with transaction() as session:
        known = saved_settings.list_saved(session)
        chosen = {name: text for name, text in typed.items() if name in known or text != _DEFAULTS[name]}
        saved_settings.save(session, current_actor(), chosen, current=config.current())
    current_app.extensions["settings"].refresh(at_once=True)
    safety.forget()


def _text(values: Config, name: str) -> str:
    """The value in force as a form holds it."""
    value = getattr(values, name.lower())
    if name in _SECRETS or value is None:
        return ""
    if name == "AUTO_BACKUP_DAYS":
        return ",".join(day for number, day in enumerate(DAYS) if number in value)
    if name == "AUTO_BACKUP_TIME":
        return f"{value:%H:%M}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _hint(values: Config, name: str) -> str:
    if name.endswith("_URL"):
        return gettext("Set: %(address)s", address=notifications.shortened(getattr(values, name.lower())))
    return gettext("Set, and not shown.")
