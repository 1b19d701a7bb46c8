"""What is worth telling: the last state that was told and the state of now give an event, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from webadmin.safety import State

SETTLED_AFTER = timedelta(minutes=10)
"""How long things have to be better before that is told: what comes and goes within minutes is told once."""


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
    State.DISK_NEARLY_FULL: Trouble.WARNED,
    State.SAFE: Trouble.NONE,
}
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
    """The trouble that was told last, and since when there has been less."""

    trouble: Trouble = Trouble.NONE
    better_since: datetime | None = None


def decide(told: Told, state: State, now: datetime) -> tuple[Told, Event | None]:
    """What counts as told from now on, and what is to be told for that, if anything."""
    trouble = _TROUBLES.get(state)
    if trouble is None:
        return replace(told, better_since=None), None
    if trouble > told.trouble:
        return Told(trouble), _EVENTS[trouble]
    if trouble == told.trouble:
        return Told(trouble), None
    # A clock that was put back must not hold the news for as long.
    if told.better_since is None or told.better_since > now:
        return replace(told, better_since=now), None
    if now - told.better_since < SETTLED_AFTER:
        return told, None
    return Told(trouble), _EVENTS_LEFT.get(trouble)
