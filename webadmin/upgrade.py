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
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from webadmin import audit, backups, catalogue, clock, config, damage, db, snapshots
from webadmin.accounts import SYSTEM, Actor
from webadmin.errors import N_, Conflict, DomainError, Unavailable

_OWN_FOLDER = config.PROJECT / "data"
_log = logging.getLogger(__name__)


class UpgradeRefused(Unavailable):
    """The copy that an upgrade needs first could not be made, so nothing was changed."""


class UpgradeFailed(Unavailable):
    """The upgrade met tables that are not those of the schema it was to begin from; it was rolled back."""


class NotOpened(db.DatabaseCorrupt):
    """What lies in the place of the database cannot be read as one, or not well enough to be upgraded."""

    def __init__(self, path: Path) -> None:
        super(db.DatabaseCorrupt, self).__init__(
            N_("The database %(name)s cannot be opened: it is damaged, or no database. It was left as it is."),
            hint=N_("To have the newest sound copy in its place, run: flask recover"),
            name=path.name,
        )


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
        found = _found(engine, path)
        if found is db.SchemaState.EMPTY and not may_begin_empty and damage.was_in_use(path):
            raise damage.DatabaseGone(path)
        if _is_damaged(engine, path):
            if found is not db.SchemaState.CURRENT:
                raise NotOpened(path)
            return Opening(found)
        opening = Opening(found)
        if found in (db.SchemaState.EARLIER_SYSTEM, db.SchemaState.OLD):
            opening = _copies_first(found, actor)
        try:
            _upgrade(engine, actor, opening)
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


def _found(engine: Engine, path: Path) -> db.SchemaState:
    try:
        with db.translated_errors(), engine.connect() as connection:
            return db.schema_state(connection)
    except db.DatabaseCorrupt as error:
        raise NotOpened(path) from error


def _is_damaged(engine: Engine, path: Path) -> bool:
    """Whether the file is damaged; one that is too large to be read now is looked at by the scheduled tasks."""
    if damage.find(path) is None and damage.is_large(path):
        return False
    return bool(damage.look(engine, path))


def _make_private(path: Path) -> None:
    """Make a missing database file with mode 0600; SQLite gives `-wal` and `-shm` the same."""
    if path.parent == _OWN_FOLDER and not path.exists() and path.parent.stat().st_uid == os.geteuid():
        # It came with the program, open as git makes it. Any other folder, and one in use, is as somebody wants it.
        path.parent.chmod(0o700)
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
    audit.note_done(actor, audit.Act.SNAPSHOT_TAKEN, audit.Thing(audit.Kind.SNAPSHOT, snapshot.name))
    return Opening(found, snapshot.name, safety.name)


def _upgrade(engine: Engine, actor: Actor, opening: Opening) -> None:
    with db.writing(engine) as connection:
        # Another process may have been first while this one waited for the lock.
        if db.schema_state(connection) is not db.SchemaState.CURRENT:
            earlier = db.current_schema(connection)
            _migrate(connection)
            audit.protect(connection, actor)
            if opening.found is not db.SchemaState.EMPTY:
                safety = f"backup:{opening.safety_backup}" if opening.safety_backup else None
                schema = {"from": earlier, "to": db.newest_schema()}
                audit.record(connection, actor, audit.Act.UPGRADED, before=safety, schema=schema)
        audit.protect(connection, actor)
        count = catalogue.adopt(connection)
    _log.info("The database is at the current schema; %d assistants got a revision.", count)


def _migrate(connection: Connection) -> None:
    found = db.current_schema(connection)
    try:
        db.migrate(connection)
    except OperationalError as error:
        if db.translate(error) is not None:
            raise
        raise UpgradeFailed(
            N_("The upgrade of %(name)s from schema %(found)s to %(known)s failed and was undone: %(reason)s"),
            hint=N_(
                "Its tables are not those of that schema. Put a snapshot from before in place"
                " (docs/troubleshooting.md), or run: flask recover"
            ),
            name=config.current().database_path.name,
            found=found or "—",
            known=db.newest_schema(),
            reason=str(error.orig),
        ) from error
