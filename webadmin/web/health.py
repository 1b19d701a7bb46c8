"""`/healthz`: the process answers. `/api/health`: it can do its work; one check per part, no secret, no path.

`/health` is for people: the checks of `flask doctor`, and what to do when the database is locked, full or damaged.
"""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import text
from sqlalchemy.orm import Session

from webadmin import (
    accounts,
    audit,
    backups,
    clock,
    config,
    damage,
    diagnostics,
    http_errors,
    jobs,
    problems,
    recovery,
    runtime,
    safety,
)
from webadmin.damage import DatabaseDamaged
from webadmin.db import DatabaseLocked, DiskFull, db, reading, translated_errors
from webadmin.diagnostics import CheckState
from webadmin.errors import N_, Unavailable
from webadmin.safety import Facts, Safety, State
from webadmin.security import current_actor
from webadmin.web import recoveries
from webadmin.web.filters import Word, size
from webadmin.web.htmx import page, redirect
from webadmin.web.shell import SAFETY_ICONS

_WORDS = {
    CheckState.OK: Word(N_("OK"), "circle-check", "ok"),
    CheckState.WARN: Word(N_("Watch"), "alert-triangle", "warn"),
    CheckState.BAD: Word(N_("Failed"), "circle-x", "bad"),
}
bp = Blueprint("health", __name__)


class NotReady(Unavailable):
    """A part of the program does not work; the details say which."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        super().__init__(N_("A part of the program does not work."), hint=N_("The health page says what to do."))

    def details(self) -> Any:
        """The outcome of each check, and the safety state."""
        return self._told


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """Whether the process answers; touches nothing."""
    return {"status": "ok"}


@bp.get("/api/health")
def ready() -> ResponseReturnValue:
    """Whether every part works: 200, or 503 with the parts that do not; and whether the data is safe, beside it.

    An old or missing backup is no 503: no restart mends it, and the program can do its work.
    """
    checks = {name: _outcome(check) for name, check in _CHECKS.items()}
    found = safety.current()
    told = {"checks": checks, "safety": {"state": found.state, "color": found.color}}
    if all(outcome == "ok" for outcome in checks.values()):
        return jsonify({"success": True, "data": {"status": "ok", **told}})
    return http_errors.json_response(http_errors.describe(NotReady(told)))


@bp.get("/health")
def show() -> ResponseReturnValue:
    """The checks, and the way out of trouble. `?all=1` reads every page and row of the database too."""
    safety.forget()
    facts, found = safety.current_facts(), safety.current()
    is_thorough = request.args.get("all") == "1"
    trouble = _trouble(facts, found)
    checks = diagnostics.run_checks(is_thorough=is_thorough)
    return page(
        "health/show.html",
        trouble=trouble,
        found=found,
        icon_name=SAFETY_ICONS[found.color],
        damaged=damage.find(config.current().database_path),
        is_gone=facts.is_gone,
        newest=facts.newest_verified_at,
        free_bytes=facts.free_bytes,
        backup_bytes=facts.backup_bytes,
        task=next(iter(_running()), None),
        recovering=recoveries.running() if trouble == "damaged" else None,
        is_prepared=recovery.is_prepared(),
        # They have a card of their own.
        checks=[check for check in checks if check.code != "problems"],
        problems=_problems(),
        removable=_removable() if trouble == "full" else [],
        words=_WORDS,
        is_thorough=is_thorough,
    )


@bp.post("/health/room")
def make_room() -> ResponseReturnValue:
    """Delete for good what retention drops now, and everything in the bin."""
    actor = current_actor()
    accounts.require(actor, accounts.Permission.MANAGE_BACKUPS)
    before = dict(_removable())
    done = backups.prune(actor, for_room=True)
    safety.forget()
    freed = sum(before.get(name, 0) for name in done.emptied)
    return redirect(url_for(".show"), toast=gettext("Freed: %(size)s.", size=size(freed)))


@bp.get("/health/diagnostics")
def download() -> ResponseReturnValue:
    """What helps somebody else to help, as a file: no secret, no value of a setting, nothing of any assistant."""
    if request.method != "HEAD":
        audit.note_done(current_actor(), audit.Act.REPORT_DOWNLOADED, audit.Thing(audit.Kind.FILE, "diagnostics"))
    values = config.current()
    noted = damage.find(values.database_path)
    checks = diagnostics.run_checks(is_thorough=False)
    told = {
        "at": clock.now_text(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "safety": safety.current().state,
        "damage": asdict(noted) if noted else None,
        "settings": {setting.name: values.source(setting.name) for setting in config.SETTINGS},
        "checks": [
            {"code": check.code, "state": check.state, "fact": str(check.fact), "nextStep": str(check.next_step or "")}
            for check in checks
        ],
    }
    name = f"diagnostics_{clock.now():%Y%m%d_%H%M%S}.json"
    return jsonify(told), {"Content-Disposition": f'attachment; filename="{name}"'}


def _trouble(facts: Facts, found: Safety) -> str | None:
    """Which of the guided states this is."""
    if found.state is State.DAMAGED:
        return "damaged"
    if found.state is not State.CANNOT_WRITE:
        return None
    return "full" if facts.write_trouble is not None else "locked"


def _removable() -> list[tuple[str, int]]:
    try:
        with reading() as connection:
            return backups.removable(Session(connection))
    except Unavailable:
        return []


def _problems() -> list[problems.Problem]:
    try:
        return problems.recent()
    except Unavailable:
        return []


def _running() -> list[jobs.Job]:
    try:
        return jobs.running()
    except Unavailable:
        return []


@bp.get("/safety")
def pill() -> ResponseReturnValue:
    """The sentence on whether the data is safe, for pages that stay open."""
    return page("shared/_safety_pill.html")


def _database() -> None:
    facts = safety.current_facts()
    if facts.is_damaged:
        raise DatabaseDamaged
    if safety.is_locked(facts):
        raise DatabaseLocked
    with translated_errors():
        db.session().execute(text("SELECT 1 FROM assistants LIMIT 1"))


def _runtime() -> None:
    runtime.current().read("SELECT 1 FROM sessions LIMIT 1")


def _disk() -> None:
    if safety.current_facts().write_trouble is not None:
        raise DiskFull


def _backup_folder() -> None:
    if safety.current_facts().backup_trouble is not None:
        raise backups.FolderReadOnly


# But for what can be read at all, they say what the safety function says: red for «cannot write» is 503 here.
_CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "runtime": _runtime,
    "disk": _disk,
    "backups": _backup_folder,
}


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Unavailable:
        return "failing"
    return "ok"
