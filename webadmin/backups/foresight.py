"""What retention does with the stored backups, now and on the coming days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from sqlalchemy.orm import Session

from webadmin import clock, config
from webadmin.backups import retention, schedule
from webadmin.backups.daily import next_runs
from webadmin.backups.history import Backup, list_backups
from webadmin.backups.lookup import History, Wanted
from webadmin.backups.models import Kind
from webadmin.config import Config


def retention_plan(session: Session, *, values: Config | None = None) -> retention.Plan:
    """What retention would do now under these settings, or those in force: reason and end date of every backup."""
    return retention.plan(_stored_files(list_backups(session)), _policy(values), clock.now())


def concerned(history: History, now: datetime, *, days: int = 7) -> list[Backup]:
    """The backups that decide what retention does in the next days: those whose time ends, and the floor.

    All of them where not age alone counts: with a largest number, or one kept for each day, week or month.
    """
    policy, files = _policy(), Wanted(has_file=True)
    if policy.max_count is not None or policy.keep_daily or policy.keep_weekly or policy.keep_monthly:
        return list(history.walk(files))
    floor = islice(history.walk(Wanted(is_verified=True, is_ours=True)), policy.floor)
    limit = now + timedelta(days=days) - timedelta(days=policy.keep_days)
    aged = history.walk(Wanted(has_file=True, is_ours=True, made_before=limit))
    return list({backup.name: backup for backup in (*floor, *aged)}.values())


def find_decision(history: History, backup: Backup, now: datetime) -> retention.Decision | None:
    """What retention does with one backup now, and why; None for a row without a file."""
    others = [other for other in concerned(history, now, days=0) if other.name != backup.name]
    decided = retention.plan(_stored_files([*others, backup]), _policy(), now).decisions
    return next((decision for decision in decided if decision.name == backup.name), None)


def coming_deletions(found: Iterable[Backup], now: datetime, *, days: int = 7) -> list[tuple[date, list[Backup]]]:
    """What retention will move to the bin on each of the next days, from today on; days without any are left out.

    `found` are all backups, or those that `concerned` gives. Counts on the automatic ones that will have been made.
    """
    backups = {backup.name: backup for backup in found}
    files, coming, zone = _stored_files(backups.values()), [], config.current().timezone
    runs = next_runs(now, days)
    for ahead in range(days + 1):
        day = now.astimezone(zone).date() + timedelta(days=ahead)
        moment = datetime.combine(day, time.min, zone).astimezone(UTC) if ahead else now
        made = [_coming_file(run) for run in runs if run.due_at <= moment]
        gone = [decision.name for decision in retention.plan([*files, *made], _policy(), moment).dropped]
        files = [file for file in files if file.name not in gone]
        if listed := [backups[name] for name in gone if name in backups]:
            coming.append((day, listed))
    return coming


def _policy(values: Config | None = None) -> retention.Policy:
    values = values or config.current()
    return retention.Policy(
        values.backup_retention_days,
        values.backup_max_count,
        keep_daily=values.backup_keep_daily,
        keep_weekly=values.backup_keep_weekly,
        keep_monthly=values.backup_keep_monthly,
        zone=values.timezone,
    )


def _coming_file(run: schedule.Run) -> retention.StoredFile:
    return retention.StoredFile(
        f"run of {run.day}", run.due_at, is_ours=True, is_safety=False, is_verified=True, is_pinned=False
    )


def _stored_files(found: Iterable[Backup]) -> list[retention.StoredFile]:
    return [
        retention.StoredFile(
            name=backup.name,
            made_at=backup.made_at,
            is_ours=backup.is_ours,
            is_safety=backup.kind is Kind.SAFETY,
            is_verified=backup.is_verified,
            is_pinned=backup.is_pinned,
        )
        for backup in found
        if backup.has_file
    ]
