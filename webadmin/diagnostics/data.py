"""Checks of the data: the database and its copies."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import islice

from sqlalchemy.orm import Session

from webadmin import audit, backups, catalogue, clock, config, damage, db, jobs, problems, safety, snapshots
from webadmin.diagnostics.checks import CheckState, Finding, Named, bad, ok, warn
from webadmin.errors import N_, Message

ODDITIES_SHOWN = 20
_WAL_LARGE_BYTES = 64 * 1024 * 1024
_SNAPSHOT_OLD_AFTER = timedelta(hours=48)
_SOUND = snapshots.State.SOUND
_MB = 1_000_000


def _database_file() -> Finding:
    path = config.current().database_path
    found = damage.find(path)
    if found is not None:
        return bad(
            N_("It is damaged, and nothing is written to it since %(time)s: %(fault)s"),
            N_("Press «Recover now» on the health page, or run: flask recover"),
            time=found.noted_at or "—",
            fault=found.faults[0] if found.faults else "—",
        )
    if damage.was_there(path) and (not path.exists() or not path.stat().st_size):
        gone = damage.DatabaseGone(path)
        return Finding(CheckState.BAD, gone.message, gone.hint)
    return ok(N_("No damage is known."))


def _schema() -> Finding:
    size = config.current().database_path.stat().st_size / _MB
    with db.db.engine.connect() as connection:
        state = db.schema_state(connection)
    if state is db.SchemaState.CURRENT:
        return ok(N_("It opens, %(size).1f MB, with the schema of this version."), size=size)
    return warn(
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
        return ok(N_("SQLite's quick check found every page sound."))
    return bad(
        N_("SQLite's quick check found faults, the first: %(first)s"),
        N_("Press «Recover now» on the health page, or run: flask recover"),
        first=faults[0],
    )


def _rows() -> Finding:
    with db.db.engine.connect() as connection:
        if not db.has_table(connection, "assistants"):
            return ok(N_("There are no rows yet."))
        odd = list(islice(catalogue.find_oddities(connection), ODDITIES_SHOWN + 1))
    if not odd:
        return ok(N_("Every stored value keeps the rules."))
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
        return ok(N_("Changes by other programs are noticed."))
    return warn(
        N_("Triggers are missing: %(names)s. Changes by other programs are found by comparing every row."),
        N_("Start the server: it makes them again."),
        names=", ".join(missing),
    )


def _activity_log() -> Finding:
    with db.db.engine.connect() as connection:
        if not db.has_table(connection, "aa_audit"):
            return ok(N_("It begins with the upgrade to this version."))
        faults = audit.find_faults(connection)
    if not faults:
        return ok(N_("No entry can be changed, and none is missing."))
    if not faults.missing_triggers:
        return warn(
            N_("%(count)d entries are gone that nobody could remove with this program."),
            N_("Ask who can write the database file. After a recovery it is what could not be read."),
            count=faults.missing_entries,
        )
    return warn(
        N_("Triggers are missing: %(names)s. Entries could be changed; %(count)d are gone."),
        N_("Start the server: it makes them again. Ask who can write the database file."),
        names=", ".join(faults.missing_triggers),
        count=faults.missing_entries,
    )


def _write_lock() -> Finding:
    ours = jobs.running()
    if ours:
        return ok(N_("A task of this program is at work: %(title)s."), title=str(ours[0].title))
    begun = time.monotonic()
    with db.writing(db.db.engine):
        milliseconds = (time.monotonic() - begun) * 1000
    longest = problems.longest_wait()
    if longest is None:
        return ok(
            N_("It was free after %(milliseconds)d ms; nobody waited for it in the last 24 hours."),
            milliseconds=milliseconds,
        )
    seconds = longest.total_seconds()
    fact = N_("It was free after %(milliseconds)d ms; the longest wait of the last 24 hours was %(seconds).1f s.")
    if seconds < problems.LONG_WAIT_SECONDS:
        return ok(fact, milliseconds=milliseconds, seconds=seconds)
    return warn(
        fact,
        N_("See whether another program writes for long at a time; a save that waits too long is refused."),
        milliseconds=milliseconds,
        seconds=seconds,
    )


def _write_ahead_log() -> Finding:
    size = db.log_bytes(config.current().database_path)
    if size <= _WAL_LARGE_BYTES:
        return ok(N_("%(size).1f MB."), size=size / _MB)
    return warn(
        N_("%(size).1f MB, and it should not stay above %(limit).0f MB."),
        N_("A program keeps a reading transaction open; end it, and the log shrinks with the next write."),
        size=size / _MB,
        limit=_WAL_LARGE_BYTES / _MB,
    )


def _backups() -> Finding:
    facts = safety.gather()
    if not facts.has_backups:
        return warn(N_("There is none yet."), N_("Run: flask backup create"))
    with db.reading() as connection:
        tally = backups.open_history(Session(connection)).tally()
    numbers = {
        "count": tally.files,
        "verified": tally.in_state(backups.State.VERIFIED),
        "missing": tally.in_state(backups.State.MISSING, has_file=False),
        "bad": tally.in_state(backups.State.FAILED, backups.State.ALTERED),
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
        said = backups.signs_of_others(backups.open_history(Session(connection)), clock.now())
    if not said:
        return ok(N_("No other program was seen to write or delete there."))
    step = N_(
        "Give each program a folder of its own (DATABASE_BACKUP_DIR), take out what is no file,"
        " and delete the rows of what is gone."
    )
    return Finding(CheckState.WARN, said[0], Message(step), tuple(said[1:]))


def _snapshots() -> Finding:
    found = snapshots.list_snapshots()
    if not found:
        return ok(N_("There is none yet; the first is taken with the next automatic backup."))
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


CHECKS: tuple[Named, ...] = (
    ("database-file", N_("Database file"), _database_file),
    ("backups", N_("Backups"), _backups),
)
# Opening a database that is not there would make one.
OF_A_FILE: tuple[Named, ...] = (
    ("schema", N_("Database"), _schema),
    ("backup-folder", N_("Backup folder"), _backup_folder),
    ("triggers", N_("Other programs"), _triggers),
    ("activity-log", N_("Activity log"), _activity_log),
    ("write-lock", N_("Write lock"), _write_lock),
    ("write-ahead-log", N_("Write-ahead log"), _write_ahead_log),
)
THOROUGH: tuple[Named, ...] = (
    ("integrity", N_("Integrity"), _integrity),
    ("snapshots", N_("Snapshots"), _snapshots),
    ("rows", N_("Rows"), _rows),
)
