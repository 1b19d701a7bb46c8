"""Opening the database at start: made when missing, the earlier system's taken over in place, an older schema upgraded.

Before the first statement that changes a database with something in it, the whole of it is copied (snapshot) and its
catalogue backed up as JSON. The upgrade is one transaction: a kill at any statement leaves the old schema.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Engine

from webadmin import backups, catalogue, clock, config, damage, db, snapshots
from webadmin.accounts import SYSTEM, Actor
from webadmin.errors import N_, Conflict, DomainError, Unavailable

_log = logging.getLogger(__name__)


class UpgradeRefused(Unavailable):
    """The copy that an upgrade needs first could not be made, so nothing was changed."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening found and did: the state found, and the names of the copies taken before an upgrade."""

    found: db.SchemaState
    snapshot: str | None = None
    safety_backup: str | None = None


def open_database(actor: Actor = SYSTEM, *, may_begin_empty: bool = False) -> Opening:
    """Bring the configured database to the program's schema; safe to call from several processes at once.

    A damaged file that can be read is opened for reading: that is noted, and nothing is written to it. A missing or
    empty one is made anew where there has been none, or where `may_begin_empty` says so.

    Inside an application context. Raises DatabaseGone, DatabaseNewer, DatabaseCorrupt, UpgradeRefused and the other
    errors of `webadmin.db`; the database is then as it was.
    """
    path = config.current().database_path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path.parent / ".upgrade.lock", mode=0o600), db.translated_errors():
        is_there = path.exists() and path.stat().st_size > 0
        if not (is_there or may_begin_empty) and damage.was_there(path):
            raise damage.DatabaseGone(path)
        _make_private(path)
        engine = db.db.engine
        with engine.connect() as connection:
            found = db.schema_state(connection)
        if found is db.SchemaState.EMPTY and not may_begin_empty and damage.was_in_use(path):
            raise damage.DatabaseGone(path)
        if _is_damaged(engine, path):
            if found is not db.SchemaState.CURRENT:
                raise db.DatabaseCorrupt
            return Opening(found)
        opening = Opening(found)
        if found in (db.SchemaState.EARLIER_SYSTEM, db.SchemaState.OLD):
            opening = _copies_first(found, actor)
        try:
            _upgrade(engine)
        except db.DatabaseLocked:
            # Nothing to upgrade: what the program that holds the lock has changed is noticed a little later.
            if found is not db.SchemaState.CURRENT:
                raise
            _log.warning("Another program holds the write lock; its changes are looked at later.")
        return opening


def begin_empty() -> None:
    """Make an empty database where one was lost; the log of the lost one is set aside, as it belongs to no other.

    Raises Conflict when there is a database, and what `open_database` raises.
    """
    path = config.current().database_path
    if path.exists() and path.stat().st_size:
        raise Conflict(N_("There is a database. Nothing was done."), hint=N_("Look at it with: flask doctor"))
    stamp = f"{clock.now():%Y%m%d_%H%M%S}"
    for part in (*path.parent.glob(f"{path.name}-*"), damage.note_path(path)):
        if part.exists():
            part.rename(part.with_name(f"{part.name}.lost-{stamp}"))
    open_database(may_begin_empty=True)


def _is_damaged(engine: Engine, path: Path) -> bool:
    """Whether the file is damaged; one that is too large to be read now is looked at by the scheduled tasks."""
    if damage.find(path) is None and damage.is_large(path):
        return False
    return bool(damage.look(engine, path))


def _make_private(path: Path) -> None:
    """Make a missing database file with mode 0600; SQLite gives `-wal` and `-shm` the same."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


def _copies_first(found: db.SchemaState, actor: Actor) -> Opening:
    try:
        snapshot = snapshots.take()
        safety = backups.create(actor, reason="safety")
    except (DomainError, OSError) as error:
        raise UpgradeRefused(
            N_("The database was not opened: the copy that comes before an upgrade failed. %(reason)s"),
            hint=N_("Mend the cause, then start again. Nothing was changed."),
            reason=str(error),
        ) from error
    return Opening(found, snapshot.name, safety.name)


def _upgrade(engine: Engine) -> None:
    with db.writing(engine) as connection:
        # Another process may have been first while this one waited for the lock.
        if db.schema_state(connection) is not db.SchemaState.CURRENT:
            db.migrate(connection)
        count = catalogue.adopt(connection)
    _log.info("The database is at the current schema; %d assistants got a revision.", count)
