"""When the daily backup is due: once a day, through clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webadmin.backups.schedule import Schedule, due_run, is_late, next_runs, run_on

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Shanghai",
         "America/Santiago", "Africa/Cairo", "Pacific/Apia"]  # fmt: skip


def local(day: date, at: str, zone: str) -> str:
    run = run_on(day, Schedule(time.fromisoformat(at), ZoneInfo(zone)))
    assert run is not None
    return run.due_at.astimezone(ZoneInfo(zone)).isoformat()


def test_missing_time_runs_at_the_first_later_minute() -> None:
    assert local(date(2026, 3, 29), "02:30", "Europe/Berlin") == "2026-03-29T03:00:00+02:00"
    assert local(date(2026, 10, 4), "02:15", "Australia/Lord_Howe") == "2026-10-04T02:30:00+11:00"


def test_missing_midnight_runs_on_the_same_day() -> None:
    assert local(date(2026, 4, 24), "00:30", "Africa/Cairo") == "2026-04-24T01:00:00+03:00"


def test_repeated_hour_runs_once_at_its_first_time() -> None:
    assert local(date(2026, 10, 25), "02:00", "Europe/Berlin") == "2026-10-25T02:00:00+02:00"


def test_day_that_the_zone_skipped_has_no_run() -> None:
    schedule = Schedule(time(2), ZoneInfo("Pacific/Apia"))
    assert run_on(date(2011, 12, 30), schedule) is None
    days = [run.day.day for run in next_runs(datetime(2011, 12, 28, 13, tzinfo=UTC), schedule, 3)]
    assert days == [29, 31, 1]


def test_clock_change_is_named() -> None:
    runs = next_runs(datetime(2026, 3, 28, 12, tzinfo=UTC), Schedule(time(2, 30), BERLIN), 2)
    assert [run.is_moved for run in runs] == [True, False]


def test_weekdays_are_respected() -> None:
    schedule = Schedule(time(2), ZoneInfo("UTC"), frozenset({0, 4}))
    runs = next_runs(datetime(2026, 11, 23, 3, tzinfo=UTC), schedule, 3)
    assert [run.day.day for run in runs] == [27, 30, 4]
    assert next_runs(datetime(2026, 11, 23, tzinfo=UTC), Schedule(time(2), BERLIN, frozenset()), 1) == []


def test_run_is_due_from_its_time_on_and_late_after_a_while() -> None:
    schedule = Schedule(time(2), ZoneInfo("UTC"))
    due = datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert due_run(due - timedelta(seconds=1), schedule) is None
    run = due_run(due, schedule)
    assert run is not None
    assert run.day == date(2026, 11, 23)
    assert not is_late(due + timedelta(seconds=60), run)
    assert is_late(due + timedelta(minutes=2), run)


@pytest.mark.parametrize("zone", ZONES)
@given(st.dates(date(2023, 1, 1), date(2027, 12, 31)), st.times().map(lambda t: t.replace(second=0, microsecond=0)))
def test_each_day_has_exactly_one_run_on_that_day(zone: str, day: date, at: time) -> None:
    schedule = Schedule(at.replace(tzinfo=None), ZoneInfo(zone))
    run = run_on(day, schedule)
    assert run is not None
    assert run.due_at.astimezone(schedule.zone).date() == day
    (following,) = next_runs(run.due_at, schedule, 1)
    assert following.day == day + timedelta(days=1)
