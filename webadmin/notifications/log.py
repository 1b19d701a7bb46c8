"""The log of notifications, which is their queue too: a row for each destination of each event, in `runtime.db`.

There and not in the catalogue's database: what has to be told is often that nothing can be written to the latter.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from webadmin import clock, runtime, strict
from webadmin.errors import N_, Conflict, Message, NotFound
from webadmin.notifications.events import Event
from webadmin.notifications.texts import Content

RETRIES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
"""The pauses after failed attempts; after the last of them it counts as not delivered."""
KEPT_DAYS = 90
# An attempt that was begun this long ago died with its process; one takes at most 20 s, and a look-up of the name.
_LEASE = timedelta(minutes=3)
_SHOWN = 50
_AT_ONCE = 20


class Destination(StrEnum):
    """Where something is told."""

    WEBHOOK = "webhook"
    MAIL = "mail"
    HEARTBEAT = "heartbeat"


class Outcome(StrEnum):
    """What became of it."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what is told where, and how that went. `next_at` is when it is tried next, None when it is over."""

    id: str
    at: datetime
    event: Event
    destination: Destination
    content: Content
    outcome: Outcome
    attempts: int
    next_at: datetime | None
    answer: Message | None
    answered_at: datetime | None

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again: a heartbeat that arrived stands for one backup, and is not repeated."""
        return not (self.destination is Destination.HEARTBEAT and self.outcome is Outcome.DELIVERED)

    @property
    def is_failing(self) -> bool:
        """Whether its last attempt failed."""
        return self.outcome is Outcome.FAILED or (self.outcome is Outcome.WAITING and self.answer is not None)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a destination stands: its last attempt, and since when nothing has arrived there, None while all is well."""

    destination: Destination
    last: Entry | None
    failing_since: datetime | None


def add(connection: sqlite3.Connection, content: Content, destination: Destination) -> None:
    """Queue a notification, inside the caller's transaction."""
    now = content.at
    connection.execute(
        "INSERT INTO notification (id, at, event, destination, body, state, next_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (content.id, now, content.event, destination, content.stored(), Outcome.WAITING, now),
    )


def newest(count: int = _SHOWN) -> list[Entry]:
    """The newest rows. Raises RuntimeUnavailable."""
    return _read("ORDER BY at DESC, rowid DESC LIMIT ?", count)


def standings() -> list[Standing]:
    """How each destination stands. Raises RuntimeUnavailable."""
    return [_standing(destination) for destination in Destination]


def counts() -> dict[tuple[Destination, Outcome], int]:
    """How many rows of the log there are by destination and outcome. Raises RuntimeUnavailable."""
    sql = "SELECT destination, state, count(*) AS number FROM notification GROUP BY destination, state"
    rows = runtime.current().read(sql)
    return {(Destination(row["destination"]), Outcome(row["state"])): row["number"] for row in rows}


def _standing(destination: Destination) -> Standing:
    last = _read("WHERE destination=? AND answer IS NOT NULL ORDER BY answered_at DESC LIMIT 1", destination)
    [row] = runtime.current().read(
        "SELECT min(at) AS at FROM notification WHERE destination=? AND state<>? AND answer IS NOT NULL AND answered_at"
        " > coalesce((SELECT max(answered_at) FROM notification WHERE destination=? AND state=?), '')",
        (destination, Outcome.DELIVERED, destination, Outcome.DELIVERED),
    )
    return Standing(destination, last[0] if last else None, strict.to_instant(row["at"]))


def due(now: datetime) -> list[Entry]:
    """What is to be sent now, oldest first. Raises RuntimeUnavailable."""
    # What waits for longer than the longest pause waits for a clock that was put back.
    return _read(
        "WHERE state=? AND (next_at<=? OR next_at>?) ORDER BY at LIMIT ?",
        Outcome.WAITING, clock.to_text(now), clock.to_text(now + RETRIES[-1]), _AT_ONCE,
    )  # fmt: skip


def get(id: str) -> Entry:
    """One row. Raises NotFound, RuntimeUnavailable."""
    found = _read("WHERE id=?", id)
    if not found:
        raise NotFound(N_("There is no such notification any more."))
    return found[0]


def claim(entry: Entry, now: datetime) -> bool:
    """Begin an attempt; false when another process has begun it."""
    sql = "UPDATE notification SET attempts=attempts+1, next_at=? WHERE id=? AND state=? AND attempts=? AND next_at=?"
    seen = (entry.id, entry.outcome, entry.attempts, _text(entry.next_at))
    return bool(runtime.current().write(sql, (clock.to_text(now + _LEASE), *seen)))


def close(entry: Entry, outcome: Outcome, answer: Message, *, next_at: datetime | None, now: datetime) -> None:
    """Note how an attempt went."""
    runtime.current().write(
        "UPDATE notification SET state=?, answer=?, answered_at=?, next_at=? WHERE id=?",
        (outcome, json.dumps(asdict(answer)), clock.to_text(now), _text(next_at), entry.id),
    )


def reopen(id: str, now: datetime) -> Entry:
    """Make a row that is over due again, with all its attempts; one that waits is due at once.

    Raises NotFound, Conflict for one that may not be repeated.
    """
    if not get(id).may_repeat:
        raise Conflict(N_("This call was made for one backup, and it arrived; it is not repeated."))
    runtime.current().write(
        "UPDATE notification SET state=?, attempts=0, next_at=?, answer=NULL WHERE id=?",
        (Outcome.WAITING, clock.to_text(now), id),
    )
    return get(id)


def forget_old(now: datetime) -> None:
    """Delete the rows of long ago."""
    limit = clock.to_text(now - timedelta(days=KEPT_DAYS))
    runtime.current().write("DELETE FROM notification WHERE at<?", (limit,))


def _text(instant: datetime | None) -> str | None:
    return clock.to_text(instant) if instant else None


def _read(rest: str, *params: Any) -> list[Entry]:
    return [_entry(row) for row in runtime.current().read(f"SELECT * FROM notification {rest}", params)]  # noqa: S608 (clauses from above, values apart)


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        id=row["id"],
        at=strict.to_instant(row["at"]) or clock.now(),
        event=Event(row["event"]),
        destination=Destination(row["destination"]),
        content=Content.read(row["body"]),
        outcome=Outcome(row["state"]),
        attempts=row["attempts"],
        next_at=strict.to_instant(row["next_at"]),
        answer=Message.stored(json.loads(row["answer"])) if row["answer"] else None,
        answered_at=strict.to_instant(row["answered_at"]),
    )
