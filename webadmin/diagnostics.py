"""The checks behind `flask doctor` and the health page: each with a code, a state, one measured fact, the next step.

Nothing here changes anything. A check that cannot be made says so as its own finding and keeps no other from running.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from pathlib import Path

from sqlalchemy.orm import Session

from webadmin import backups, catalogue, clock, config, damage, db, jobs, notifications, safety, snapshots
from webadmin.config import DEFAULT, SETTINGS
from webadmin.errors import N_, DomainError, Message

ODDITIES_SHOWN = 20
_WAL_LARGE_BYTES = 64 * 1024 * 1024
_CLOCK_TOLERANCE = timedelta(minutes=5)
_SNAPSHOT_OLD_AFTER = timedelta(hours=48)
_SOUND = snapshots.State.SOUND
_MB = 1_000_000


class CheckState(StrEnum):
    """What a check found; a `bad` one makes `flask doctor` fail."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `code` is stable, `fact` is measured, `next_step` is None where nothing is to be done."""

    code: str
    name: Message
    state: CheckState
    fact: Message
    next_step: Message | None = None
    details: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check comes to, before its code and name are put on it."""

    state: CheckState
    fact: Message
    next_step: Message | None = None
    details: tuple[Message, ...] = ()


def run_checks(*, is_thorough: bool = True) -> list[Check]:
    """Run all checks inside an application context; a thorough run reads every page and row of the database."""
    checks = list(_CHECKS)
    if config.current().database_path.exists():
        checks += _DATABASE_CHECKS
        checks += _THOROUGH_CHECKS if is_thorough else ()
    return run_each(checks)


def run_each(checks: Iterable[tuple[str, str, Callable[[], Finding]]]) -> list[Check]:
    """Run checks given as code, name and function; one that fails is a finding of its own."""
    return [_run(code, name, check) for code, name, check in checks]


def has_failed(checks: list[Check]) -> bool:
    """Whether one of them is red."""
    return any(check.state is CheckState.BAD for check in checks)


def _run(code: str, name: str, check: Callable[[], Finding]) -> Check:
    try:
        with db.translated_errors():
            found = check()
    except DomainError as error:
        found = Finding(CheckState.BAD, error.message, error.hint)
    except OSError as error:
        reason = Message(N_("It could not be looked at: %(reason)s"), {"reason": error.strerror or str(error)})
        found = Finding(CheckState.BAD, reason)
    return Check(code, Message(name), found.state, found.fact, found.next_step, found.details)


def _ok(fact: str, **params: object) -> Finding:
    return Finding(CheckState.OK, Message(fact, params))


def _warn(fact: str, next_step: str, **params: object) -> Finding:
    return Finding(CheckState.WARN, Message(fact, params), Message(next_step, params))


def _bad(fact: str, next_step: str, **params: object) -> Finding:
    return Finding(CheckState.BAD, Message(fact, params), Message(next_step, params))


def _settings() -> Finding:
    values = config.current()
    changed = sum(values.source(setting.name) != DEFAULT for setting in SETTINGS)
    return _ok(N_("%(changed)d of %(count)d settings differ from the default."), changed=changed, count=len(SETTINGS))


def _folders() -> Finding:
    values = config.current()
    for folder in (values.database_path.parent, values.database_backup_dir):
        if not folder.exists():
            return _warn(N_("%(folder)s is not there yet."), N_("It is made at the first start."), folder=str(folder))
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return _bad(
                N_("%(folder)s may not be written."),
                N_("Give the account that runs this program write permission on it."),
                folder=str(folder),
            )
        if _is_open_to_others(folder):
            return _warn(
                N_("Other accounts of this machine can look into %(folder)s."),
                N_("Run: chmod 700 %(folder)s"),
                folder=str(folder),
            )
    return _ok(N_("The data folder is writable, and closed to other accounts."))


def _secret_key() -> Finding:
    values = config.current()
    path = values.database_path.parent / "secret-key"
    if values.secret_key:
        return _ok(N_("The secret key is set by SECRET_KEY."))
    if not path.exists():
        return _warn(N_("There is no secret key yet."), N_("It is made at the first start."))
    if _is_open_to_others(path):
        return _bad(
            N_("Other accounts of this machine can read the secret key."),
            N_("Run: chmod 600 %(path)s"),
            path=str(path),
        )
    return _ok(N_("The secret key is kept beside the database, closed to other accounts."))


def _is_open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _runtime() -> Finding:
    return _ok(N_("It opens; %(count)d tasks run."), count=len(jobs.running()))


def _database_file() -> Finding:
    path = config.current().database_path
    found = damage.find(path)
    if found is not None:
        return _bad(
            N_("It is damaged, and nothing is written to it since %(time)s: %(fault)s"),
            N_("Run: flask recover"),
            time=found.noted_at or "—",
            fault=found.faults[0] if found.faults else "—",
        )
    if damage.was_there(path) and (not path.exists() or not path.stat().st_size):
        gone = damage.DatabaseGone(path)
        return Finding(CheckState.BAD, gone.message, gone.hint)
    return _ok(N_("No damage is known."))


def _schema() -> Finding:
    size = config.current().database_path.stat().st_size / _MB
    with db.db.engine.connect() as connection:
        state = db.schema_state(connection)
    if state is db.SchemaState.CURRENT:
        return _ok(N_("It opens, %(size).1f MB, with the schema of this version."), size=size)
    return _warn(
        N_("It opens, %(size).1f MB; it does not have the schema of this version yet."),
        N_("Start the server, or run: flask db upgrade"),
        size=size,
    )


def _integrity() -> Finding:
    with db.db.engine.connect() as connection:
        try:
            faults = db.quick_check(connection)
        except db.CannotBeChecked as error:
            return Finding(CheckState.WARN, error.message, error.hint)
    if not faults:
        return _ok(N_("SQLite's quick check found every page sound."))
    return _bad(
        N_("SQLite's quick check found faults, the first: %(first)s"),
        N_("Stop the server, keep the file, and restore the newest verified backup (data/README.md)."),
        first=faults[0],
    )


def _rows() -> Finding:
    with db.db.engine.connect() as connection:
        if not db.has_table(connection, "assistants"):
            return _ok(N_("There are no rows yet."))
        odd = list(islice(catalogue.find_oddities(connection), ODDITIES_SHOWN + 1))
    if not odd:
        return _ok(N_("Every stored value keeps the rules."))
    shown = tuple(
        Message(
            N_("row %(row)d, id %(id)s, column %(column)s: %(reason)s"),
            {"row": o.row, "id": "—" if o.id is None else o.id[:100], "column": o.column, "reason": str(o.reason)},
        )
        for o in odd[:ODDITIES_SHOWN]
    )
    fact = N_("At least %(count)d values break a rule; they are kept as they are.")
    if len(odd) <= ODDITIES_SHOWN:
        fact = N_("Values that break a rule: %(count)d; they are kept as they are.")
    step = Message(N_("Another program wrote them; put right what it should not have written."))
    return Finding(CheckState.WARN, Message(fact, {"count": len(shown)}), step, shown)


def _triggers() -> Finding:
    with db.db.engine.connect() as connection:
        missing = catalogue.missing_triggers(connection)
    if not missing:
        return _ok(N_("Changes by other programs are noticed."))
    return _warn(
        N_("Triggers are missing: %(names)s. Changes by other programs are found by comparing every row."),
        N_("Start the server: it makes them again."),
        names=", ".join(missing),
    )


def _write_lock() -> Finding:
    ours = jobs.running()
    if ours:
        return _ok(N_("A task of this program is at work: %(title)s."), title=str(ours[0].title))
    begun = time.monotonic()
    with db.writing(db.db.engine):
        milliseconds = (time.monotonic() - begun) * 1000
    return _ok(N_("It was free after %(milliseconds)d ms."), milliseconds=milliseconds)


def _write_ahead_log() -> Finding:
    size = db.log_bytes(config.current().database_path)
    if size <= _WAL_LARGE_BYTES:
        return _ok(N_("%(size).1f MB."), size=size / _MB)
    return _warn(
        N_("%(size).1f MB, and it should not stay above %(limit).0f MB."),
        N_("A program keeps a reading transaction open; end it, and the log shrinks with the next write."),
        size=size / _MB,
        limit=_WAL_LARGE_BYTES / _MB,
    )


def _disk() -> Finding:
    facts = safety.gather()
    if facts.write_trouble is not None:
        return Finding(CheckState.BAD, facts.write_trouble, Message(N_("Free some space, or mend the permissions.")))
    free = facts.free_bytes or 0
    if safety.is_disk_low(facts):
        return _warn(N_("%(free)d MB are free."), N_("Free some space before writing stops."), free=free // _MB)
    return _ok(N_("%(free)d MB are free."), free=free // _MB)


def _backups() -> Finding:
    facts = safety.gather()
    if not facts.has_backups:
        return _warn(N_("There is none yet."), N_("Run: flask backup create"))
    with db.reading() as connection:
        listed = backups.list_backups(Session(connection))
    files = [each for each in listed if each.has_file]
    numbers = {
        "count": len(files),
        "verified": sum(each.is_verified for each in files),
        "missing": sum(each.state is backups.State.MISSING for each in listed),
        "bad": sum(each.state in (backups.State.FAILED, backups.State.ALTERED) for each in files),
        "newest": "—" if facts.newest_verified_at is None else clock.to_text(facts.newest_verified_at),
    }
    fact = Message(
        N_("%(count)d files, %(verified)d verified (the newest is of %(newest)s), %(bad)d bad, %(missing)d missing."),
        numbers,
    )
    if safety.decide(facts).state is safety.State.NO_GOOD_BACKUP:
        return Finding(CheckState.BAD, fact, Message(N_("Run: flask backup create")))
    if numbers["bad"] or not facts.is_newest_verified:
        return Finding(CheckState.WARN, fact, Message(N_("Run: flask backup verify --all")))
    return Finding(CheckState.OK, fact)


def _backup_folder() -> Finding:
    with db.reading() as connection:
        said = backups.signs_of_others(backups.list_backups(Session(connection)), clock.now())
    if not said:
        return _ok(N_("No other program was seen to write or delete there."))
    step = N_("Give each program a folder of its own (DATABASE_BACKUP_DIR), and delete the rows of what is gone.")
    return Finding(CheckState.WARN, said[0], Message(step), tuple(said[1:]))


def _snapshots() -> Finding:
    found = snapshots.list_snapshots()
    if not found:
        return _ok(N_("There is none yet; the first is taken with the next automatic backup."))
    states = {each.name: snapshots.check(each.name) for each in found}
    numbers = {
        "count": len(found),
        "sound": sum(state is snapshots.State.SOUND for state in states.values()),
        "newest": f"{found[0].made_at:%Y-%m-%d %H:%M}",
    }
    fact = Message(N_("%(count)d of the whole database, %(sound)d sound; the newest is of %(newest)s."), numbers)
    bad = tuple(Message("%(name)s", {"name": name}) for name, state in states.items() if state is not _SOUND)
    if bad:
        return Finding(CheckState.WARN, fact, Message(N_("Do not rely on these; another is taken tomorrow.")), bad)
    if config.current().auto_backup_enabled and clock.now() - found[0].made_at > _SNAPSHOT_OLD_AFTER:
        return Finding(CheckState.WARN, fact, Message(N_("Look in the log why none was taken since.")))
    return Finding(CheckState.OK, fact)


def _scheduler() -> Finding:
    facts = safety.gather()
    if not facts.is_automatic:
        return _warn(N_("Automatic backups are off."), N_("Set AUTO_BACKUP_ENABLED=true."))
    seen = safety.scheduler_seen_at()
    if seen is None:
        return _warn(N_("It has never run here."), N_("Start the server: backups are made while it runs."))
    minutes = (clock.now() - seen) // timedelta(minutes=1)
    if clock.now() - seen > safety.SILENT_AFTER:
        return _warn(
            N_("Its last sign of life is %(minutes)d min old."),
            N_("Start the server: backups are made while it runs."),
            minutes=minutes,
        )
    return _ok(N_("Its last sign of life is %(minutes)d min old."), minutes=minutes)


def _notifications() -> Finding:
    destinations = notifications.set_up(config.current())
    if not destinations:
        return _ok(N_("None is set up: only the pages tell when something goes wrong."))
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
        return _warn(
            N_("Set up: %(names)s; nothing was sent yet."), N_("Send a test on the settings page."), names=names
        )
    return _ok(N_("Set up: %(names)s; the last notification arrived."), names=names)


def _clock() -> Finding:
    zone = config.current().timezone
    now = clock.now()
    newest = safety.gather().newest_verified_at
    if newest is not None and newest - now > _CLOCK_TOLERANCE:
        return _bad(
            N_("It is %(now)s here, but the newest backup says %(newest)s."),
            N_("Set this machine's clock right: what is due, kept and late depends on it."),
            now=clock.to_text(now),
            newest=clock.to_text(newest),
        )
    local = now.astimezone(zone)
    return _ok(N_("It is %(time)s in %(zone)s."), time=f"{local:%Y-%m-%d %H:%M}", zone=zone.key)


_CHECKS: tuple[tuple[str, str, Callable[[], Finding]], ...] = (
    ("settings", N_("Settings"), _settings),
    ("folders", N_("Folders"), _folders),
    ("secret-key", N_("Secret key"), _secret_key),
    ("database-file", N_("Database file"), _database_file),
    ("runtime", N_("Sessions and tasks"), _runtime),
    ("disk", N_("Disk"), _disk),
    ("backups", N_("Backups"), _backups),
    ("scheduler", N_("Scheduler"), _scheduler),
    ("notifications", N_("Notifications"), _notifications),
    ("clock", N_("Clock and zone"), _clock),
)
# Opening a database that is not there would make one.
_DATABASE_CHECKS: tuple[tuple[str, str, Callable[[], Finding]], ...] = (
    ("schema", N_("Database"), _schema),
    ("backup-folder", N_("Backup folder"), _backup_folder),
    ("triggers", N_("Other programs"), _triggers),
    ("write-lock", N_("Write lock"), _write_lock),
    ("write-ahead-log", N_("Write-ahead log"), _write_ahead_log),
)
_THOROUGH_CHECKS: tuple[tuple[str, str, Callable[[], Finding]], ...] = (
    ("integrity", N_("Integrity"), _integrity),
    ("snapshots", N_("Snapshots"), _snapshots),
    ("rows", N_("Rows"), _rows),
)
