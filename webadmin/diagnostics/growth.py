"""How fast the disk fills: from the sizes of the copies of the last days, and of those that retention will delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from webadmin import backups, snapshots
from webadmin.backups import Backup, History, Wanted
from webadmin.snapshots import Snapshot

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


def growth_now(history: History, now: datetime) -> float | None:
    """`growth_per_day` of the backups and snapshots that there are. Raises the errors of `webadmin.db`."""
    lately = history.walk(Wanted(has_file=True, is_ours=True, made_from=now - _WEEK))
    found = {backup.name: backup for backup in (*lately, *backups.concerned(history, now))}
    return growth_per_day(list(found.values()), snapshots.list_snapshots(), now)


def growth_per_day(found: Sequence[Backup], copies: Sequence[Snapshot], now: datetime) -> float | None:
    """Bytes that each day adds; below 0 where more goes than comes, None before there are backups of two days.

    That is what the backups of the last week brought, without what retention takes in the next one, and the growth of
    the database with its snapshots.
    """
    made = [(each.made_at, each.size_bytes or 0) for each in found if each.has_file and each.is_ours and each.made_at]
    lately = sorted((at, size) for at, size in made if timedelta(0) <= now - at <= _WEEK)
    if not lately or lately[-1][0] - lately[0][0] < _DAY / 2:
        return None
    # The first one stands for the day before it.
    days = (lately[-1][0] - lately[0][0]) / _DAY + 1
    leaving = sum(each.size_bytes or 0 for _day, gone in backups.coming_deletions(found, now) for each in gone)
    return sum(size for _at, size in lately) / days - leaving / (_WEEK / _DAY) + _database_growth(copies)


def _database_growth(copies: Sequence[Snapshot]) -> float:
    """Of the database and of its snapshots, which grow with it."""
    if len(copies) < 2 or copies[0].made_at - copies[-1].made_at < _DAY / 2:
        return 0
    growth = (copies[0].size_bytes - copies[-1].size_bytes) / ((copies[0].made_at - copies[-1].made_at) / _DAY)
    return growth * (1 + snapshots.KEPT)
