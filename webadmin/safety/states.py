"""The states of UI 3.1 and the pure function that decides between them: facts in, the first state that fits out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from webadmin.errors import N_, Message

NO_GOOD_AFTER = timedelta(hours=48)
OVERDUE_AFTER = timedelta(hours=6)
SILENT_AFTER = timedelta(minutes=5)
LOCKED_AFTER = timedelta(seconds=30)
DISK_LOW_BYTES = 500_000_000
DISK_LOW_BACKUPS = 10
_MB = 1_000_000


class Color(StrEnum):
    """How bad it is: a fact is told, a look is due, action is due."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class State(StrEnum):
    """The states in their order: the first that fits counts."""

    DAMAGED = "damaged"
    CANNOT_WRITE = "cannot-write"
    NO_GOOD_BACKUP = "no-good-backup"
    LAST_FAILED = "last-failed"
    NO_BACKUP_YET = "no-backup-yet"
    LATE = "late"
    BACKUPS_GONE = "backups-gone"
    NOT_VERIFIED = "not-verified"
    SWITCHED_OFF = "switched-off"
    DISK_NEARLY_FULL = "disk-nearly-full"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision rests on. Instants are aware; local ones carry the configured zone."""

    now: datetime
    is_damaged: bool
    # The same state, with other words: there is no file, or an empty one.
    is_gone: bool
    # Why nothing can be written: a state of the disk or folder, found by writing.
    write_trouble: Message | None
    # Why no backup can be written, whatever else can.
    backup_trouble: Message | None
    locked_since: datetime | None
    # When this program first saw an assistant; None while the catalogue is empty.
    catalogue_since: datetime | None
    has_backups: bool
    newest_verified_at: datetime | None
    is_newest_verified: bool
    # It was looked at and is altered or failed: verifying it once more would not help.
    is_newest_bad: bool
    # Proved backups whose files are not in the folder any more, although nobody deleted them here.
    gone: int
    has_last_run_failed: bool
    is_automatic: bool
    # The time of a run that is over and has not been made good.
    missed_at: datetime | None
    next_at: datetime | None
    interval: timedelta
    # The scheduler's last sign of life, or this process's start when that is later.
    scheduler_seen_at: datetime | None
    free_bytes: int | None
    backup_bytes: int


@dataclass(frozen=True, slots=True)
class Safety:
    """The answer: state, colour, and the words for pill (title and line) and dashboard (headline)."""

    state: State
    color: Color
    title: Message
    line: Message
    headline: Message


_HEADLINES = {
    Color.OK: Message(N_("Your data is safe")),
    Color.WARN: Message(N_("Check your backups")),
    Color.BAD: Message(N_("Your data is at risk")),
}


def decide(facts: Facts) -> Safety:
    """The first state that fits the facts, in the order of `State`."""
    for rule in _RULES:
        found = rule(facts)
        if found is not None:
            return found
    return _safe(facts)


def _answer(state: State, color: Color, title: Message, line: Message) -> Safety:
    return Safety(state, color, title, line, _HEADLINES[color])


def _damaged(facts: Facts) -> Safety | None:
    if not facts.is_damaged:
        return None
    title = N_("Database is missing") if facts.is_gone else N_("Database is damaged")
    return _answer(State.DAMAGED, Color.BAD, Message(title), Message(N_("Read-only, recover now")))


def is_locked(facts: Facts) -> bool:
    """Whether another program has held the write lock for longer than one waits for it."""
    return facts.locked_since is not None and facts.now - facts.locked_since >= LOCKED_AFTER


def _cannot_write(facts: Facts) -> Safety | None:
    line = facts.write_trouble
    if line is None and is_locked(facts):
        line = Message(N_("Another program holds the write lock"))
    if line is None:
        return None
    return _answer(State.CANNOT_WRITE, Color.BAD, Message(N_("Changes cannot be saved")), line)


def no_good_after(facts: Facts) -> timedelta:
    """The age from which the newest verified backup counts as none."""
    return max(NO_GOOD_AFTER, 2 * facts.interval)


def _no_good_backup(facts: Facts) -> Safety | None:
    if facts.backup_trouble is not None and not facts.has_backups:
        # Also when there are some in a folder that cannot be read: none of them is of use then.
        return _answer(State.NO_GOOD_BACKUP, Color.BAD, Message(N_("No backup can be made")), facts.backup_trouble)
    since = facts.newest_verified_at or facts.catalogue_since
    if since is None or facts.now - since <= no_good_after(facts):
        return None
    title = Message(N_("No good backup for %(days)d days"), {"days": (facts.now - since) // timedelta(days=1)})
    # A folder that is not mounted wants to be mounted: another backup would lie below it.
    line = _gone(facts) if facts.gone else Message(N_("Back up now"))
    return _answer(State.NO_GOOD_BACKUP, Color.BAD, title, line)


def _last_failed(facts: Facts) -> Safety | None:
    if facts.backup_trouble is not None:
        # Known before the next run fails for it.
        return _answer(State.LAST_FAILED, Color.WARN, Message(N_("No backup can be made")), facts.backup_trouble)
    if not facts.has_last_run_failed:
        return None
    line = _good_copy(facts)
    return _answer(State.LAST_FAILED, Color.WARN, Message(N_("Last backup failed")), line)


def _no_backup_yet(facts: Facts) -> Safety | None:
    if facts.has_backups or facts.gone:
        return None
    title, line = N_("No backup yet"), N_("Make the first one")
    return _answer(State.NO_BACKUP_YET, Color.WARN, Message(title), Message(line))


def _late(facts: Facts) -> Safety | None:
    if not facts.is_automatic:
        return None
    if facts.missed_at is not None and facts.now - facts.missed_at > OVERDUE_AFTER:
        line = Message(N_("Expected %(time)s"), {"time": f"{facts.missed_at:%H:%M}"})
        return _answer(State.LATE, Color.WARN, Message(N_("Backup is late")), line)
    seen = facts.scheduler_seen_at
    if seen is None or facts.now - seen > SILENT_AFTER:
        return _answer(
            State.LATE,
            Color.WARN,
            Message(N_("The scheduler is silent")),
            Message(N_("Backups are not made by themselves")),
        )
    return None


def _gone(facts: Facts) -> Message:
    return Message(N_("Backups gone from the folder: %(count)d"), {"count": facts.gone})


def _backups_gone(facts: Facts) -> Safety | None:
    if not facts.gone:
        return None
    line = Message(N_("Mount it, or look where they are"))
    return _answer(State.BACKUPS_GONE, Color.WARN, _gone(facts), line)


def _not_verified(facts: Facts) -> Safety | None:
    if facts.is_newest_verified and facts.newest_verified_at is not None:
        return None
    if facts.is_newest_bad:
        title = Message(N_("Newest backup not verified"))
        return _answer(State.NOT_VERIFIED, Color.WARN, title, Message(N_("Altered or failed, back up now")))
    title = Message(N_("Newest backup not checked"))
    return _answer(State.NOT_VERIFIED, Color.WARN, title, Message(N_("Verify it")))


def _switched_off(facts: Facts) -> Safety | None:
    if facts.is_automatic:
        return None
    line = _good_copy(facts)
    return _answer(State.SWITCHED_OFF, Color.WARN, Message(N_("Automatic backups are off")), line)


def is_disk_low(facts: Facts) -> bool:
    """Whether less is free than 500 MB, or than ten backups need."""
    needed = max(DISK_LOW_BYTES, DISK_LOW_BACKUPS * facts.backup_bytes)
    return facts.free_bytes is not None and facts.free_bytes < needed


def _disk_nearly_full(facts: Facts) -> Safety | None:
    if not is_disk_low(facts):
        return None
    line = Message(N_("%(megabytes)d MB left"), {"megabytes": (facts.free_bytes or 0) // _MB})
    return _answer(State.DISK_NEARLY_FULL, Color.WARN, Message(N_("Disk nearly full")), line)


def _safe(facts: Facts) -> Safety:
    title = _age(facts, facts.newest_verified_at or facts.now, _BACKED_UP)
    line = Message(N_("Verified"))
    if facts.next_at is not None:
        line = Message(N_("Verified, next at %(time)s"), {"time": f"{facts.next_at:%H:%M}"})
    return _answer(State.SAFE, Color.OK, title, line)


_RULES: tuple[Callable[[Facts], Safety | None], ...] = (
    _damaged,
    _cannot_write,
    _no_good_backup,
    _last_failed,
    _no_backup_yet,
    _late,
    _backups_gone,
    _not_verified,
    _switched_off,
    _disk_nearly_full,
)

# A sentence for each unit: none is glued together, and at most 48 hours need no plural.
_BACKED_UP = (N_("Backed up just now"), N_("Backed up %(number)d min ago"), N_("Backed up %(number)d h ago"))
_GOOD_COPY = (N_("Good copy: just now"), N_("Good copy: %(number)d min ago"), N_("Good copy: %(number)d h ago"))


def _good_copy(facts: Facts) -> Message:
    if facts.newest_verified_at is None:
        return Message(N_("No good copy yet"))
    return _age(facts, facts.newest_verified_at, _GOOD_COPY)


def _age(facts: Facts, at: datetime, templates: tuple[str, str, str]) -> Message:
    minutes = (facts.now - at) // timedelta(minutes=1)
    if minutes < 1:
        return Message(templates[0])
    return (
        Message(templates[1], {"number": minutes}) if minutes < 60 else Message(templates[2], {"number": minutes // 60})
    )
