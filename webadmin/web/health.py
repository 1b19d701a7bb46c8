"""`/healthz`: the process answers. `/api/health`: it can do its work; one check per part, no secret, no path."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from webadmin import config, http_errors, runtime, safety
from webadmin.damage import DatabaseDamaged
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Unavailable
from webadmin.web.htmx import page

_LEAST_FREE_BYTES = 50_000_000
bp = Blueprint("health", __name__)


class NotReady(Unavailable):
    """A part of the program does not work; the details say which."""

    def __init__(self, checks: dict[str, str]) -> None:
        self._checks = checks
        super().__init__(N_("A part of the program does not work."), hint=N_("The health page says what to do."))

    def details(self) -> Any:
        """The outcome of each check."""
        return {"checks": self._checks}


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """Whether the process answers; touches nothing."""
    return {"status": "ok"}


@bp.get("/api/health")
def ready() -> ResponseReturnValue:
    """Whether every part works: 200, or 503 with the parts that do not."""
    checks = {name: _outcome(check) for name, check in _CHECKS.items()}
    if all(outcome == "ok" for outcome in checks.values()):
        return jsonify({"success": True, "data": {"status": "ok", "checks": checks}})
    return http_errors.json_response(http_errors.describe(NotReady(checks)))


@bp.get("/safety")
def pill() -> ResponseReturnValue:
    """The sentence on whether the data is safe, for pages that stay open."""
    return page("shared/_safety_pill.html")


def _database() -> None:
    if safety.current_facts().is_damaged:
        raise DatabaseDamaged
    with translated_errors():
        db.session().execute(text("SELECT 1 FROM assistants LIMIT 1"))


def _runtime() -> None:
    runtime.current().read("SELECT 1 FROM sessions LIMIT 1")


def _disk() -> None:
    if safety.current_facts().write_trouble is not None:
        raise OSError
    stats = os.statvfs(config.current().database_path.parent)
    if stats.f_bavail * stats.f_frsize < _LEAST_FREE_BYTES:
        raise OSError


def _backup_folder() -> None:
    if not os.access(config.current().database_backup_dir, os.W_OK | os.X_OK):
        raise OSError


_CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "runtime": _runtime,
    "disk": _disk,
    "backups": _backup_folder,
}


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except (Unavailable, OSError):
        return "failing"
    return "ok"
