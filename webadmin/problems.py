"""What went wrong lately, grouped by its code, and the longest wait for the write lock: facts for the health page.

The log has each case with its trace; this is the short account of it, in `runtime.db`, which stays writable while the
catalogue is locked or damaged. Noting never fails: what cannot be noted here is in the log all the same.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from webadmin import clock, observability, runtime, strict
from webadmin.errors import N_, Message, Unavailable

KEPT = timedelta(days=7)
MOST = 50
"""Kinds that are kept, the latest ones."""
LONG_WAIT_SECONDS = 1.0
_DAY = timedelta(hours=24)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind: the words of its last case, how many there were since the first, and the trace id of the last."""

    code: str
    message: Message
    count: int
    last_at: datetime
    trace_id: str | None


def note(code: str, message: Message) -> None:
    """Count a case of what `code` names; `message` says what happened this time."""
    now, trace = clock.now(), observability.request_id()
    values = (code, _as_json(message), clock.to_text(now), clock.to_text(now), trace if trace != "-" else None)
    try:
        store = runtime.current()
        store.write(
            "INSERT INTO problem (code, message, count, first_at, last_at, trace_id) VALUES (?, ?, 1, ?, ?, ?)"
            " ON CONFLICT (code) DO UPDATE SET message=excluded.message, count=count+1, last_at=excluded.last_at,"
            " trace_id=excluded.trace_id",
            values,
        )
        store.write(
            "DELETE FROM problem WHERE last_at<?"
            " OR code NOT IN (SELECT code FROM problem ORDER BY last_at DESC LIMIT ?)",
            (clock.to_text(now - KEPT), MOST),
        )
    except (Unavailable, RuntimeError):
        _log.warning("a problem could not be noted: %s", code, exc_info=True)


def recent(since: timedelta = KEPT) -> list[Problem]:
    """The kinds that were met since then, the latest first. Raises RuntimeUnavailable."""
    rows = runtime.current().read(
        "SELECT * FROM problem WHERE last_at>=? ORDER BY last_at DESC", (clock.to_text(clock.now() - since),)
    )
    return [
        Problem(
            row["code"],
            Message.stored(json.loads(row["message"])),
            row["count"],
            strict.to_instant(row["last_at"]) or clock.now(),
            row["trace_id"],
        )
        for row in rows
    ]


def note_wait(seconds: float) -> None:
    """A writer waited so long for the write lock, whether it got it or not."""
    hour, milliseconds = clock.now_text()[:13], round(seconds * 1000)
    if seconds >= LONG_WAIT_SECONDS:
        note("write-lock-wait", Message(N_("Waited %(seconds).1f s for the write lock."), {"seconds": seconds}))
    try:
        store = runtime.current()
        store.write(
            "INSERT INTO lock_wait (hour, milliseconds) VALUES (?, ?)"
            " ON CONFLICT (hour) DO UPDATE SET milliseconds=max(milliseconds, excluded.milliseconds)",
            (hour, milliseconds),
        )
        store.write("DELETE FROM lock_wait WHERE hour<?", (_first_hour(),))
    except (Unavailable, RuntimeError):
        _log.warning("a wait of %d ms for the write lock could not be noted", milliseconds, exc_info=True)


def longest_wait() -> timedelta | None:
    """The longest wait for the write lock in the last 24 hours, in any process; None when nobody waited noticeably.

    Raises RuntimeUnavailable.
    """
    [row] = runtime.current().read("SELECT max(milliseconds) AS most FROM lock_wait WHERE hour>=?", (_first_hour(),))
    return None if row["most"] is None else timedelta(milliseconds=row["most"])


def _first_hour() -> str:
    return clock.to_text(clock.now() - _DAY)[:13]


def _as_json(message: Message) -> str:
    def plain(value: Any) -> Any:
        return {"template": value.template, "params": value.params} if isinstance(value, Message) else str(value)

    return json.dumps(plain(message), default=plain)
