"""What is worth telling: the last state that was told and the state of now give an event, or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from webadmin.safety import State

SETTLED_AFTER = timedelta(minutes=10)
"""How long things have to be better before that is told: what comes and goes within minutes is told once."""
CHANCE = timedelta(minutes=2)
"""How long a backup has to be overdue to our eyes before that is told: one that starts or wakes up makes it first."""


class Event(StrEnum):
    """What is told."""

    FAILURE = "failure"
    LATE = "late"
    WARNING = "warning"
    RECOVERED = "recovered"
    BACKUP_BAD = "backup-bad"
    BACKUP_PROVED = "backup-proved"
    TEST = "test"


class Trouble(IntEnum):
    """How bad a state is; more than what was told last is told at once."""

    NONE = 0
    WARNED = 1
    LATE = 2
    FAILED = 3
    AT_RISK = 4


# The others tell what a person chose or has not done yet, and are neither trouble nor its end. What is bad about a
# newest backup that is not verified is told of the file itself (`Event.BACKUP_BAD`); and where automatic backups are
# off, that there is no good one any more is told in time.
_TROUBLES = {
    State.DAMAGED: Trouble.AT_RISK,
    State.CANNOT_WRITE: Trouble.AT_RISK,
    State.NO_GOOD_BACKUP: Trouble.AT_RISK,
    State.LAST_FAILED: Trouble.FAILED,
    State.LATE: Trouble.LATE,
    State.BACKUPS_GONE: Trouble.WARNED,
    State.DISK_NEARLY_FULL: Trouble.WARNED,
    State.SAFE: Trouble.NONE,
}
# What time alone brings about, and the next automatic backup ends: so it is after each sleep of the machine.
_OVERDUE = frozenset({State.LATE, State.NO_GOOD_BACKUP})
# What is told when it begins, and when only this is left of something worse.
_EVENTS = {
    Trouble.AT_RISK: Event.FAILURE,
    Trouble.FAILED: Event.FAILURE,
    Trouble.LATE: Event.LATE,
    Trouble.WARNED: Event.WARNING,
}
_EVENTS_LEFT = {Trouble.LATE: Event.LATE, Trouble.WARNED: Event.WARNING, Trouble.NONE: Event.RECOVERED}


@dataclass(frozen=True, slots=True)
class Told:
    """The trouble that was told last, since when there has been less, and since when one overdue is waited for."""

    trouble: Trouble = Trouble.NONE
    better_since: datetime | None = None
    overdue_since: datetime | None = None


def decide(told: Told, state: State, now: datetime) -> tuple[Told, Event | None]:
    """What counts as told from now on, and what is to be told for that, if anything."""
    trouble = _TROUBLES.get(state)
    if trouble is None:
        return Told(told.trouble), None
    if trouble > told.trouble:
        # A clock that was put back must not hold the news for as long.
        since = min(told.overdue_since or now, now)
        if state in _OVERDUE and now - since < CHANCE:
            return Told(told.trouble, overdue_since=since), None
        return Told(trouble), _EVENTS[trouble]
    if trouble == told.trouble:
        return Told(trouble), None
    if told.better_since is None or told.better_since > now:
        return Told(told.trouble, better_since=now), None
    if now - told.better_since < SETTLED_AFTER:
        return told, None
    return Told(trouble), _EVENTS_LEFT.get(trouble)
