"""When backups are made and how long they stay: two forms, each with what it would mean before it is saved."""

from __future__ import annotations

import hashlib
from typing import Any

import flask
from babel.dates import get_day_names
from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from webadmin import backups, clock, config, saved_settings
from webadmin.backups import Run
from webadmin.config import Config
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Invalid
from webadmin.parsers import DAYS
from webadmin.web.htmx import page, redirect
from webadmin.web.setting_forms import Section, save, section, sent

bp = Blueprint("backup_settings", __name__, url_prefix="/settings")

_RUNS = 5
_SCHEDULE = ("AUTO_BACKUP_ENABLED", "AUTO_BACKUP_TIME", "AUTO_BACKUP_DAYS")
_RETENTION = (
    "BACKUP_RETENTION_DAYS", "BACKUP_MAX_COUNT", "BACKUP_KEEP_DAILY", "BACKUP_KEEP_WEEKLY", "BACKUP_KEEP_MONTHLY",
)  # fmt: skip
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


@bp.get("/schedule")
def schedule() -> ResponseReturnValue:
    """When backups are made by themselves."""
    return _schedule_page(section(_SCHEDULE, _WRONG))


@bp.post("/schedule")
def save_schedule() -> ResponseReturnValue:
    """Save that."""
    typed = sent(_SCHEDULE)
    try:
        save(typed)
    except Invalid as error:
        return _schedule_page(section(_SCHEDULE, _WRONG, typed, error), status=422)
    return redirect(url_for(".schedule"), toast=gettext("The schedule is saved."))


@bp.post("/schedule/preview")
def preview_schedule() -> ResponseReturnValue:
    """The next runs under what is in the form, not saved."""
    try:
        values = saved_settings.check(sent(_SCHEDULE), config.current())
    except Invalid:
        return _schedule_part([], is_wrong=True)
    return _schedule_part(backups.next_runs(clock.now(), _RUNS, values=values))


@bp.get("/retention")
def retention() -> ResponseReturnValue:
    """How long backups stay."""
    return _retention_page(section(_RETENTION, _WRONG), config.current())


@bp.post("/retention")
def save_retention() -> ResponseReturnValue:
    """Save that; what it would delete is named first, and has to be confirmed."""
    typed = sent(_RETENTION)
    try:
        values = saved_settings.check(typed, config.current())
        names = _dropped(values)
        if set(names) - set(_dropped(config.current())) and request.form.get("confirmed") != _mark(names):
            return _retention_page(section(_RETENTION, _WRONG, typed), values, asks=True)
        save(typed)
    except Invalid as error:
        return _retention_page(section(_RETENTION, _WRONG, typed, error), config.current(), status=422)
    return redirect(url_for(".retention"), toast=gettext("The retention is saved."))


@bp.post("/retention/preview")
def preview_retention() -> ResponseReturnValue:
    """What retention would delete under what is in the form, not saved."""
    try:
        values = saved_settings.check(sent(_RETENTION), config.current())
    except Invalid:
        return page("settings/_retention_preview.html", preview=None)
    return page("settings/_retention_preview.html", preview=_preview(values))


def _schedule_page(form: Section, *, status: int = 200) -> flask.Response:
    names = get_day_names("abbreviated", locale=get_locale())
    return page(
        "settings/schedule.html",
        status=status,
        form=form,
        days=[(day, names[number]) for number, day in enumerate(DAYS)],
        chosen=form.texts["AUTO_BACKUP_DAYS"].split(","),
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


def _retention_page(form: Section, values: Config, *, asks: bool = False, status: int = 200) -> flask.Response:
    return page(
        "settings/retention.html",
        status=status,
        form=form,
        preview=_preview(values),
        asks=asks,
        floor=min(7, values.backup_max_count or 7),
    )


def _dropped(values: Config) -> list[str]:
    with translated_errors():
        return [decision.name for decision in backups.retention_plan(db.session(), values=values).dropped]


def _mark(names: list[str]) -> str:
    """What stands for these files in the form that confirms their deletion: others need another look."""
    return hashlib.blake2b("\n".join(names).encode(), digest_size=12).hexdigest()


def _preview(values: Config) -> dict[str, Any]:
    """What is dropped at the next look, and what stays for which reason."""
    with translated_errors():
        plan = backups.retention_plan(db.session(), values=values)
    names = [decision.name for decision in plan.dropped]
    return {"dropped": names, "mark": _mark(names), "kept": len(plan.decisions) - len(names), "over_cap": plan.over_cap}
