"""Looking whether something is to be told, and queueing it: once, whichever process looks and however often."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy.orm import Session

from webadmin import backups, clock, config, db, runtime, safety, strict
from webadmin.backups import Backup
from webadmin.errors import Unavailable
from webadmin.notifications import delivery, log, texts
from webadmin.notifications.events import Event, Told, Trouble, decide
from webadmin.notifications.log import Destination, Entry, Outcome
from webadmin.notifications.texts import Content
from webadmin.runtime import RuntimeUnavailable
from webadmin.safety import Facts, Safety

_STATE, _PROVED, _BAD, _BAD_SNAPSHOT = "state", "proved", "bad ", "snapshot "
# Of a newer one may be told although some are dated in the future.
_PROOFS = 20
_JUST_NOW = timedelta(minutes=5)
_BAD_STATES = (backups.State.ALTERED, backups.State.FAILED)
# What was told while `runtime.db` could not be written (a full disk), by the path of the database.
_told_unwritten: dict[Path, Told] = {}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look found. `listed` is None while the list of backups cannot be read."""

    now: datetime
    facts: Facts
    safety: Safety
    listed: list[Backup] | None
    destinations: list[Destination]

    @property
    def told_to(self) -> list[Destination]:
        return [each for each in self.destinations if each is not Destination.HEARTBEAT]


def watch(now: datetime) -> None:
    """Queue what has to be told by now and has not been. While nothing can be queued, a new trouble is sent at once."""
    facts = safety.gather()
    look = _Look(now, facts, safety.decide(facts), _list_backups(), delivery.set_up(config.current()))
    try:
        runtime.current().change(lambda connection: _queue(connection, look))
    except RuntimeUnavailable:
        _send_unwritten(look)
    else:
        _told_unwritten.pop(config.current().database_path, None)


def tell_of_snapshots(names: list[str]) -> None:
    """Queue that these snapshots of the database were found to be altered, each once. Raises RuntimeUnavailable."""
    now = clock.now()
    newest = safety.gather().newest_verified_at
    told_to = [each for each in delivery.set_up(config.current()) if each is not Destination.HEARTBEAT]

    def queue(connection: sqlite3.Connection) -> None:
        known = {row["name"] for row in connection.execute("SELECT name FROM told")}
        new = [name for name in names if _BAD_SNAPSHOT + name not in known]
        for name in new if told_to else ():
            _note(connection, _BAD_SNAPSHOT + name, now, "{}")
        for destination in told_to if new else ():
            log.add(connection, texts.of_bad_snapshots(new, newest, id=_new_id(), now=now), destination)

    runtime.current().change(queue)


def send_test(destination: Destination) -> Entry:
    """Send a test now, and return the row that tells its outcome. Raises RuntimeUnavailable."""
    now = clock.now()
    content = texts.of_test(safety.gather().newest_verified_at, id=_new_id(), now=now)

    def queue(connection: sqlite3.Connection) -> None:
        log.add(connection, content, destination)

    runtime.current().change(queue)
    entry = delivery.deliver(log.get(content.id))
    if entry.outcome is Outcome.WAITING and entry.answer is not None:
        # Who pressed the button reads the outcome; an hour later nobody waits for a test.
        log.close(entry, Outcome.FAILED, entry.answer, next_at=None, now=clock.now())
    return log.get(content.id)


def _list_backups() -> list[Backup] | None:
    """The backups of which something may have to be told: bad ones, and the newest automatic ones."""
    try:
        with db.reading() as connection:
            history = backups.open_history(Session(connection))
            bad = [each for state in _BAD_STATES for each in history.walk(backups.Wanted(has_file=True, state=state))]
            automatic = history.walk(
                backups.Wanted(frozenset({backups.Kind.SCHEDULED}), is_verified=True, is_ours=True)
            )
            return [*bad, *islice(automatic, _PROOFS)]
    except Unavailable:
        return None


def _queue(connection: sqlite3.Connection, look: _Look) -> None:
    known = {row["name"]: row for row in connection.execute("SELECT name, at, details FROM told")}
    _queue_state(connection, look, known)
    if look.listed is not None:
        _queue_bad(connection, look, look.listed, known)
        _queue_proof(connection, look, look.listed, known.get(_PROVED))


def _queue_state(connection: sqlite3.Connection, look: _Look, known: dict[str, sqlite3.Row]) -> None:
    if not look.told_to:
        # Whoever sets a destination up is told of the trouble that there is by then.
        connection.execute("DELETE FROM told WHERE name=?", (_STATE,))
        return
    told = _told_unwritten.get(config.current().database_path) or _read_told(known.get(_STATE))
    told, event = decide(told, look.safety.state, look.now)
    _note(connection, _STATE, look.now, _told_json(told))
    if event is not None:
        for destination in look.told_to:
            log.add(connection, _of_state(event, look), destination)


def _queue_bad(
    connection: sqlite3.Connection, look: _Look, listed: list[Backup], known: dict[str, sqlite3.Row]
) -> None:
    bad = sorted(_BAD + each.name for each in listed if _is_bad(each)) if look.told_to else []
    for name in known.keys() - set(bad):
        if name.startswith(_BAD):
            connection.execute("DELETE FROM told WHERE name=?", (name,))
    new = [name for name in bad if name not in known]
    for name in new:
        _note(connection, name, look.now, "{}")
    if new:
        names = [name.removeprefix(_BAD) for name in new]
        for destination in look.told_to:
            content = texts.of_bad_backups(names, look.facts.newest_verified_at, id=_new_id(), now=look.now)
            log.add(connection, content, destination)


def _is_bad(backup: Backup) -> bool:
    """Whether a file that was proved when it was made or kept is not good any more."""
    return backup.has_file and backup.state in _BAD_STATES and backup.kind is not backups.Kind.FOUND


def _queue_proof(connection: sqlite3.Connection, look: _Look, listed: list[Backup], known: sqlite3.Row | None) -> None:
    """Queue a heartbeat for an automatic backup that was made since the last one, or since heartbeats were set up."""
    if Destination.HEARTBEAT not in look.destinations:
        connection.execute("DELETE FROM told WHERE name=?", (_PROVED,))
        return
    since = strict.to_instant(known["at"]) if known else None
    if since is None or since > look.now:
        # The clock was put back, or nothing was looked at before: only what was made just now counts.
        since = look.now - _JUST_NOW
        _note(connection, _PROVED, since, "{}")
    for backup in listed:
        is_proof = backup.is_verified and backup.is_ours and backup.kind is backups.Kind.SCHEDULED
        if is_proof and backup.made_at is not None and since < backup.made_at <= look.now:
            content = texts.of_proof(backup.name, backup.made_at, id=_new_id(), now=look.now)
            log.add(connection, content, Destination.HEARTBEAT)
            _note(connection, _PROVED, backup.made_at, "{}")
            return


def _send_unwritten(look: _Look) -> None:
    """Tell a trouble at once, and remember that in this process: the disk is full, and that is the news."""
    path = config.current().database_path
    told, event = decide(_told_unwritten.get(path) or _stored_told(), look.safety.state, look.now)
    if not look.told_to:
        return
    _told_unwritten[path] = told
    if event is not None:
        _log.warning("notifications cannot be queued; this one is sent once")
        for destination in look.told_to:
            delivery.attempt(destination, _of_state(event, look))


def _stored_told() -> Told:
    try:
        rows = runtime.current().read("SELECT details FROM told WHERE name=?", (_STATE,))
    except RuntimeUnavailable:
        return Told()
    return _read_told(rows[0] if rows else None)


def _of_state(event: Event, look: _Look) -> Content:
    return texts.of_state(event, look.safety, look.facts.newest_verified_at, id=_new_id(), now=look.now)


def _read_told(row: sqlite3.Row | None) -> Told:
    if row is None:
        return Told()
    details = json.loads(row["details"])
    # A row of an earlier version does not say since when one is overdue.
    overdue_since = strict.to_instant(details.get("overdueSince"))
    return Told(Trouble(details["trouble"]), strict.to_instant(details["betterSince"]), overdue_since)


def _told_json(told: Told) -> str:
    better, overdue = (clock.to_text(at) if at else None for at in (told.better_since, told.overdue_since))
    return json.dumps({"trouble": told.trouble, "betterSince": better, "overdueSince": overdue})


def _note(connection: sqlite3.Connection, name: str, at: datetime, details: str) -> None:
    connection.execute(
        "INSERT INTO told (name, at, details) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET at=excluded.at, details=excluded.details",
        (name, clock.to_text(at), details),
    )


def _new_id() -> str:
    return secrets.token_hex(16)
