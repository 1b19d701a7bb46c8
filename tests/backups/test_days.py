"""A year of days, by a clock that is put on: one automatic backup for each local day on which a process woke in time.

`SIMULATED_DAYS=366 pytest tests/backups/test_days.py` takes whole years; the everyday run takes the weeks around the
clock changes.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import current_app

from webadmin import backups, config
from webadmin.backups import folder as folder_of
from webadmin.backups import history, schedule
from webadmin.config import Config

DAYS = int(os.environ.get("SIMULATED_DAYS", "12"))
# A zone, a time that its clock changes skip or double, and the day of such a change.
ZONES = [
    ("UTC", time(2, 0), date(2026, 2, 25)),
    ("Europe/Berlin", time(2, 30), date(2026, 10, 20)),
    ("America/St_Johns", time(0, 1), date(2026, 3, 4)),
    ("Asia/Kathmandu", time(23, 59), date(2026, 12, 27)),
    ("Australia/Lord_Howe", time(2, 15), date(2026, 9, 30)),
    ("America/Santiago", time(0, 0), date(2026, 9, 2)),
]


def waking(
    random_: random.Random, first: date, plan: schedule.Schedule, processes: int
) -> Iterator[tuple[datetime, int]]:
    """Instants at which some of the processes look, in order: near the due time, at any time, and not at all."""
    for ahead in range(DAYS):
        day = first + timedelta(days=ahead)
        run = schedule.run_on(day, plan)
        midnight = datetime.combine(day, time(0), plan.zone).astimezone(UTC)
        instants = [midnight + timedelta(seconds=random_.randrange(86_400)) for _ in range(random_.randrange(4))]
        if run is not None and random_.random() < 0.7:
            instants += [run.due_at + timedelta(seconds=seconds) for seconds in (-1, 0, random_.randrange(60))]
        for instant in sorted(instants):
            yield instant, random_.randint(1, processes)


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize(("zone", "at", "first"), ZONES, ids=[zone for zone, *_ in ZONES])
def test_each_local_day_has_one_backup(
    data: Config, monkeypatch: pytest.MonkeyPatch, zone: str, at: time, first: date, processes: int
) -> None:
    values = replace(data, timezone=ZoneInfo(zone), auto_backup_time=at, auto_backup_enabled=True)
    monkeypatch.setattr(config, "_provider", lambda: values)
    plan = schedule.Schedule(at, values.timezone)
    app = current_app._get_current_object()
    expected: set[str] = set()

    def look(now: datetime) -> None:
        with app.app_context():
            backups.run_scheduled(now)

    with ThreadPoolExecutor(processes) as pool:
        for now, awake in waking(random.Random(f"{zone}{processes}"), first, plan, processes):
            with time_machine.travel(now, tick=False):
                run = schedule.due_run(now, plan)
                if run is not None:
                    expected.add(run.day.isoformat())
                list(pool.map(look, [now] * awake))
    made = [
        head.local_day
        for entry in folder_of.entries(values.database_backup_dir)
        if (head := history._glance(values.database_backup_dir / entry.name, entry.size_bytes, entry.changed_at))
    ]
    assert Counter(made) == Counter(expected)
    assert len(expected) > DAYS / 2
