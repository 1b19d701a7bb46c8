"""When the daily backup is due: pure, from a time of day, weekdays and a zone to instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, islice
from zoneinfo import ZoneInfo

LATE_AFTER = timedelta(seconds=90)
"""The scheduler looks each minute; what starts later than this after the due time was held up."""

EVERY_DAY = frozenset(range(7))
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One time of day on some weekdays (0 is Monday) in a zone."""

    at: time
    zone: ZoneInfo
    weekdays: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is planned: the local day it counts for, and the instant.

    A clock change may have moved it (the day has no such time), or doubled its time (the first of the two counts).
    """

    day: date
    due_at: datetime
    is_moved: bool = False
    is_doubled: bool = False


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """The day of the calendar on which an instant falls."""
    return now.astimezone(zone).date()


def run_on(day: date, schedule: Schedule) -> Run | None:
    """The run of a local day; None when the day is not chosen or the zone skipped it.

    A time that the day does not have runs at the first later minute (the last earlier one where that is on the next
    day); a time that the day has twice runs at the first of the two.
    """
    if day.weekday() not in schedule.weekdays:
        return None
    wanted = datetime.combine(day, schedule.at)
    end = datetime.combine(day + timedelta(days=1), time.min)
    earlier = _minutes(wanted - _MINUTE, end - timedelta(days=1), -_MINUTE)
    for local in chain(_minutes(wanted, end, _MINUTE), earlier):
        first, second = (local.replace(tzinfo=schedule.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(schedule.zone).replace(tzinfo=None) == local:
            return Run(day, first, is_moved=local != wanted, is_doubled=first != second)
    return None


def _minutes(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while start < end if step > timedelta() else start >= end:
        yield start
        start += step


def due_run(now: datetime, schedule: Schedule) -> Run | None:
    """Today's run when its time has come, else None; whether it is done already only the folder can tell."""
    run = run_on(local_day(now, schedule.zone), schedule)
    return run if run and run.due_at <= now else None


def longest_interval(schedule: Schedule) -> timedelta:
    """The longest time between two runs, clock changes aside."""
    days = sorted(schedule.weekdays)
    gaps = [(after - before) % 7 or 7 for before, after in zip(days, days[1:] + days[:1], strict=True)]
    return timedelta(days=max(gaps, default=1))


def is_late(now: datetime, run: Run) -> bool:
    """Whether a run that starts now starts too late after its time."""
    return now - run.due_at > LATE_AFTER


def next_runs(now: datetime, schedule: Schedule, count: int) -> list[Run]:
    """The next runs after an instant. Empty when no weekday is chosen."""
    if not schedule.weekdays:
        return []
    return list(islice(_runs_after(now, schedule), count))


def _runs_after(now: datetime, schedule: Schedule) -> Iterator[Run]:
    day = local_day(now, schedule.zone)
    while True:
        run = run_on(day, schedule)
        if run and run.due_at > now:
            yield run
        day += timedelta(days=1)
