"""Checks of the machine and of what runs on it: settings, folders, disk, scheduler, notifications, clock."""

from __future__ import annotations

import math
import os
import stat
from datetime import timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from webadmin import backups, clock, config, db, jobs, notifications, problems, safety
from webadmin.config import DEFAULT, SETTINGS
from webadmin.diagnostics.checks import CheckState, Finding, Named, bad, ok, warn
from webadmin.diagnostics.growth import growth_now
from webadmin.errors import N_, DomainError, Message

_CLOCK_TOLERANCE = timedelta(minutes=5)
_MB = 1_000_000
_FAR_DAYS = 2000


def _settings() -> Finding:
    values = config.current()
    changed = sum(values.source(setting.name) != DEFAULT for setting in SETTINGS)
    return ok(N_("%(changed)d of %(count)d settings differ from the default."), changed=changed, count=len(SETTINGS))


def _folders() -> Finding:
    values = config.current()
    for folder in (values.database_path.parent, values.database_backup_dir):
        if not folder.exists():
            return warn(N_("%(folder)s is not there yet."), N_("It is made at the first start."), folder=str(folder))
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return bad(
                N_("%(folder)s may not be written."),
                N_("Give the account that runs this program write permission on it."),
                folder=str(folder),
            )
        if _is_open_to_others(folder):
            return warn(
                N_("Other accounts of this machine can look into %(folder)s."),
                N_("Run: chmod 700 %(folder)s"),
                folder=str(folder),
            )
    return ok(N_("The data folder is writable, and closed to other accounts."))


def _secret_key() -> Finding:
    values = config.current()
    path = values.database_path.parent / "secret-key"
    if values.secret_key:
        return ok(N_("The secret key is set by SECRET_KEY."))
    if not path.exists():
        return warn(N_("There is no secret key yet."), N_("It is made at the first start."))
    if _is_open_to_others(path):
        return bad(
            N_("Other accounts of this machine can read the secret key."),
            N_("Run: chmod 600 %(path)s"),
            path=str(path),
        )
    return ok(N_("The secret key is kept beside the database, closed to other accounts."))


def _is_open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _runtime() -> Finding:
    return ok(N_("It opens; %(count)d tasks run."), count=len(jobs.running()))


def _disk() -> Finding:
    facts = safety.gather()
    if facts.write_trouble is not None:
        return Finding(CheckState.BAD, facts.write_trouble, Message(N_("Free some space, or mend the permissions.")))
    free = facts.free_bytes or 0
    fact = _outlook(free)
    if safety.is_disk_low(facts):
        return Finding(CheckState.WARN, fact, Message(N_("Free some space before writing stops.")))
    return Finding(CheckState.OK, fact)


def _outlook(free_bytes: int) -> Message:
    """What is free, and how long that lasts; a database that cannot be read leaves the second unknown."""
    try:
        with db.reading() as connection:
            growth = growth_now(backups.open_history(Session(connection)), clock.now())
    except DomainError:
        growth = None
    days = 0 if growth is None else free_bytes / growth if growth > 0 else math.inf
    if growth is None:
        fact = N_("%(free)d MB are free; how long that lasts is not known yet.")
    elif days > _FAR_DAYS:
        fact = N_("%(free)d MB are free, which lasts for years at the present growth.")
    else:
        fact = N_("%(free)d MB are free, which lasts for %(days)d days at the present growth.")
    return Message(fact, {"free": free_bytes // _MB, "days": days})


def _scheduler() -> Finding:
    facts = safety.gather()
    if not facts.is_automatic:
        return warn(N_("Automatic backups are off."), N_("Set AUTO_BACKUP_ENABLED=true."))
    seen = safety.scheduler_seen_at()
    if seen is None:
        return warn(N_("It has never run here."), N_("Start the server: backups are made while it runs."))
    minutes = (clock.now() - seen) // timedelta(minutes=1)
    if clock.now() - seen > safety.SILENT_AFTER:
        return warn(
            N_("Its last sign of life is %(minutes)d min old."),
            N_("Start the server: backups are made while it runs."),
            minutes=minutes,
        )
    return ok(
        N_("Its last sign of life is %(minutes)d min old; server processes that run: %(count)d."),
        minutes=minutes,
        count=safety.count_workers(),
    )


def _notifications() -> Finding:
    destinations = notifications.set_up(config.current())
    if not destinations:
        return ok(N_("None is set up: only the pages tell when something goes wrong."))
    standings = [each for each in notifications.standings() if each.destination in destinations]
    failing = [each for each in standings if each.failing_since is not None]
    if failing:
        since = min(each.failing_since for each in failing if each.failing_since)
        answers = tuple(each.last.answer for each in failing if each.last and each.last.answer)
        fact = Message(
            N_("Nothing has arrived by %(names)s since %(time)s."),
            {"names": ", ".join(each.destination for each in failing), "time": clock.to_text(since)},
        )
        return Finding(
            CheckState.WARN, fact, Message(N_("Send a test on the settings page and read its answer.")), answers
        )
    names = ", ".join(destinations)
    if all(each.last is None for each in standings):
        return warn(
            N_("Set up: %(names)s; nothing was sent yet."), N_("Send a test on the settings page."), names=names
        )
    return ok(N_("Set up: %(names)s; the last notification arrived."), names=names)


def _clock() -> Finding:
    zone = config.current().timezone
    now = clock.now()
    newest = safety.gather().newest_verified_at
    if newest is not None and newest - now > _CLOCK_TOLERANCE:
        return bad(
            N_("It is %(now)s here, but the newest backup says %(newest)s."),
            N_("Set this machine's clock right: what is due, kept and late depends on it."),
            now=clock.to_text(now),
            newest=clock.to_text(newest),
        )
    local = now.astimezone(zone)
    return ok(N_("It is %(time)s in %(zone)s."), time=f"{local:%Y-%m-%d %H:%M}", zone=zone.key)


def _problems() -> Finding:
    found = problems.recent(timedelta(hours=24))
    if not found:
        return ok(N_("None in the last 24 hours."))
    cases = tuple(
        Message(
            N_("%(time)s, %(count)d times, %(code)s: %(sentence)s"),
            {
                "time": clock.to_text(each.last_at),
                "count": each.count,
                "code": each.code,
                "sentence": each.message,
            },
        )
        for each in found
    )
    step = Message(N_("Look into the log for the trace id of the last case: %(id)s"), {"id": found[0].trace_id or "—"})
    return Finding(
        CheckState.WARN,
        Message(N_("Kinds of problems in the last 24 hours: %(count)d."), {"count": len(found)}),
        step,
        cases,
    )


CHECKS: tuple[Named, ...] = (
    ("settings", N_("Settings"), _settings),
    ("folders", N_("Folders"), _folders),
    ("secret-key", N_("Secret key"), _secret_key),
    ("runtime", N_("Sessions and tasks"), _runtime),
    ("disk", N_("Disk"), _disk),
    ("scheduler", N_("Scheduler"), _scheduler),
    ("notifications", N_("Notifications"), _notifications),
    ("clock", N_("Clock and zone"), _clock),
    ("problems", N_("Recent problems"), _problems),
)
