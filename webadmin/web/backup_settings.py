"""When backups are made and how long they stay: two forms, each with what it would mean before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flask
from babel.dates import get_day_names
from flask import Blueprint, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from webadmin import backups, clock, config, safety, saved_settings
from webadmin.backups import Run
from webadmin.config import SETTINGS, Config
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import N_, Invalid
from webadmin.parsers import DAYS
from webadmin.saved_settings import SavedSetting
from webadmin.security import current_actor
from webadmin.web.htmx import page, redirect

bp = Blueprint("backup_settings", __name__, url_prefix="/settings")

_RUNS = 5
_SCHEDULE = ("AUTO_BACKUP_ENABLED", "AUTO_BACKUP_TIME", "AUTO_BACKUP_DAYS")
_RETENTION = (
    "BACKUP_RETENTION_DAYS", "BACKUP_MAX_COUNT", "BACKUP_KEEP_DAILY", "BACKUP_KEEP_WEEKLY", "BACKUP_KEEP_MONTHLY",
)  # fmt: skip
# An empty field is a mistake where there has to be a value; to the domain it would mean the default.
_NOTHING = "?"
_DEFAULTS = {setting.name: setting.default or "" for setting in SETTINGS}
# Only what the parsers' words are about; the page says it in the reader's language.
_WRONG = {
    "AUTO_BACKUP_TIME": N_("A time of day such as 02:00, from 00:00 to 23:59."),
    "AUTO_BACKUP_DAYS": N_("Choose at least one day, or switch automatic backups off."),
    "BACKUP_RETENTION_DAYS": N_("A whole number from 1 to 36,500."),
    "BACKUP_MAX_COUNT": N_("A whole number from 1 to 1,000,000, or nothing."),
    "BACKUP_KEEP_DAILY": N_("A whole number from 0 to 3,660."),
    "BACKUP_KEEP_WEEKLY": N_("A whole number from 0 to 520."),
    "BACKUP_KEEP_MONTHLY": N_("A whole number from 0 to 1,200."),
}


@dataclass(slots=True)
class Section:
    """A form: what is in its fields, which are fixed elsewhere, what is wrong, who changed one last."""

    texts: dict[str, str]
    locked: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    last: SavedSetting | None = None


@bp.get("/schedule")
def schedule() -> ResponseReturnValue:
    """When backups are made by themselves."""
    return _schedule_page(_section(_SCHEDULE))


@bp.post("/schedule")
def save_schedule() -> ResponseReturnValue:
    """Save that."""
    typed = _typed(_SCHEDULE)
    try:
        _save(typed)
    except Invalid as error:
        return _schedule_page(_section(_SCHEDULE, typed, error), status=422)
    return redirect(url_for(".schedule"), toast=gettext("The schedule is saved."))


@bp.post("/schedule/preview")
def preview_schedule() -> ResponseReturnValue:
    """The next runs under what is in the form, not saved."""
    try:
        values = saved_settings.check(_typed(_SCHEDULE), config.current())
    except Invalid:
        return _schedule_part([], is_wrong=True)
    return _schedule_part(backups.next_runs(clock.now(), _RUNS, values=values))


@bp.get("/retention")
def retention() -> ResponseReturnValue:
    """How long backups stay."""
    return _retention_page(_section(_RETENTION), config.current())


@bp.post("/retention")
def save_retention() -> ResponseReturnValue:
    """Save that; what it would delete is named first, and has to be confirmed."""
    typed = _typed(_RETENTION)
    try:
        values = saved_settings.check(typed, config.current())
        more = len(_dropped(values)) - len(_dropped(config.current()))
        if more > 0 and request.form.get("confirmed") != str(len(_dropped(values))):
            return _retention_page(_section(_RETENTION, typed), values, asks=True)
        _save(typed)
    except Invalid as error:
        return _retention_page(_section(_RETENTION, typed, error), config.current(), status=422)
    return redirect(url_for(".retention"), toast=gettext("The retention is saved."))


@bp.post("/retention/preview")
def preview_retention() -> ResponseReturnValue:
    """What retention would delete under what is in the form, not saved."""
    try:
        values = saved_settings.check(_typed(_RETENTION), config.current())
    except Invalid:
        return page("settings/_retention_preview.html", preview=None)
    return page("settings/_retention_preview.html", preview=_preview(values))


def _save(typed: dict[str, str]) -> None:
    # A value that is the default of a setting nobody chose is not a choice.
    with transaction() as session:
        known = saved_settings.list_saved(session)
        chosen = {name: text for name, text in typed.items() if name in known or text != _DEFAULTS[name]}
        saved_settings.save(session, current_actor(), chosen, current=config.current())
    current_app.extensions["settings"].refresh(at_once=True)
    safety.forget()


def _section(names: Sequence[str], typed: dict[str, str] | None = None, error: Invalid | None = None) -> Section:
    values = config.current()
    with translated_errors():
        saved = saved_settings.list_saved(db.session())
    rows = [saved[name] for name in names if name in saved and not values.is_locked(name)]
    wrong = [problem.field or "" for problem in error.problems] if error else []
    return Section(
        texts={name: _text(values, name) for name in names}
        | {name: "" if text == _NOTHING else text for name, text in (typed or {}).items()},
        locked={name: values.source(name) for name in names if values.is_locked(name)},
        errors={name: gettext(_WRONG[name]) for name in wrong},
        last=max(rows, key=lambda row: row.changed_at, default=None),
    )


def _text(values: Config, name: str) -> str:
    """The value in force as a form holds it."""
    value = getattr(values, name.lower())
    if name == "AUTO_BACKUP_DAYS":
        return ",".join(day for number, day in enumerate(DAYS) if number in value)
    if name == "AUTO_BACKUP_TIME":
        return f"{value:%H:%M}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _typed(names: Sequence[str]) -> dict[str, str]:
    """What was sent for the values that can be chosen here."""
    free = [name for name in names if not config.current().is_locked(name)]
    typed = {name: ",".join(request.values.getlist(name)).strip() for name in free}
    if "AUTO_BACKUP_ENABLED" in typed:
        typed["AUTO_BACKUP_ENABLED"] = "true" if typed["AUTO_BACKUP_ENABLED"] else "false"
    return {name: text or ("" if _DEFAULTS[name] == "" else _NOTHING) for name, text in typed.items()}


def _schedule_page(section: Section, *, status: int = 200) -> flask.Response:
    names = get_day_names("abbreviated", locale=get_locale())
    return page(
        "settings/schedule.html",
        status=status,
        form=section,
        days=[(day, names[number]) for number, day in enumerate(DAYS)],
        chosen=section.texts["AUTO_BACKUP_DAYS"].split(","),
        zone=config.current().timezone.key,
        runs=_runs(backups.next_runs(clock.now(), _RUNS)),
        is_wrong=False,
    )


def _schedule_part(runs: list[Run], *, is_wrong: bool = False) -> flask.Response:
    return page("settings/_schedule_preview.html", runs=_runs(runs), is_wrong=is_wrong)


def _runs(runs: list[Run]) -> list[dict[str, Any]]:
    zone = config.current().timezone
    shown = []
    for run in runs:
        note = None
        if run.is_moved:
            note = gettext("Clock change: runs once, at %(time)s.", time=f"{run.due_at.astimezone(zone):%H:%M}")
        elif run.is_doubled:
            note = gettext("Clock change: this time comes twice; runs once, the first time.")
        shown.append({"due_at": run.due_at, "note": note})
    return shown


def _retention_page(section: Section, values: Config, *, asks: bool = False, status: int = 200) -> flask.Response:
    return page(
        "settings/retention.html",
        status=status,
        form=section,
        preview=_preview(values),
        asks=asks,
        floor=min(7, values.backup_max_count or 7),
    )


def _dropped(values: Config) -> list[str]:
    with translated_errors():
        return [decision.name for decision in backups.retention_plan(db.session(), values=values).dropped]


def _preview(values: Config) -> dict[str, Any]:
    """What is dropped at the next look, and what stays for which reason."""
    with translated_errors():
        plan = backups.retention_plan(db.session(), values=values)
    names = [decision.name for decision in plan.dropped]
    return {"dropped": names, "kept": len(plan.decisions) - len(names), "over_cap": plan.over_cap}
