"""Retention: what must stay stays, whatever the clock says."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from webadmin.backups.retention import Policy, Reason, StoredFile, plan

NOW = datetime(2024, 6, 30, 12, tzinfo=UTC)


def stored(name: str, days: float | None, **changes: bool) -> StoredFile:
    made_at = None if days is None else NOW - timedelta(days=days)
    values = {"is_ours": True, "is_safety": False, "is_verified": True, "is_pinned": False} | changes
    return StoredFile(name, made_at, **values)


def kept(files: list[StoredFile], policy: Policy) -> dict[str, Reason]:
    return {d.name: d.reason for d in plan(files, policy, NOW).decisions if d.is_kept}


def test_old_backups_go_and_recent_ones_say_until_when_they_stay() -> None:
    files = [stored(f"n{day}", day) for day in range(40)]
    decided = plan(files, Policy(30), NOW)
    assert [d.name for d in decided.dropped] == [f"n{day}" for day in range(39, 30, -1)]
    assert {d.reason for d in decided.dropped} == {Reason.TOO_OLD}
    assert decided.decisions[3].ends_at == NOW + timedelta(days=27)


def test_newest_seven_verified_stay_even_when_expired() -> None:
    files = [stored(f"n{number}", 100 + number, is_verified=number % 2 == 0) for number in range(20)]
    assert kept(files, Policy(30)) == {f"n{number}": Reason.FLOOR for number in range(0, 14, 2)}


def test_clock_set_ten_years_ahead_deletes_no_more_than_to_the_floor() -> None:
    files = [stored(f"n{number}", 3650 + number) for number in range(10)]
    assert len(kept(files, Policy(30))) == 7


def test_foreign_untimed_pinned_and_recent_safety_backups_stay() -> None:
    newer = [stored(f"v{number}", 40 + number / 10) for number in range(7)]
    files = [
        stored("foreign", 400, is_ours=False),
        stored("untimed", None),
        stored("pinned", 400, is_pinned=True),
        stored("safety", 6, is_safety=True),
        stored("old safety", 60, is_safety=True, is_verified=False),
    ]
    found = kept([*newer, *files], Policy(3))
    assert "old safety" not in found
    assert [found[name] for name in ("foreign", "untimed", "pinned", "safety")] == [
        Reason.FOREIGN, Reason.NO_TIME, Reason.PINNED, Reason.SAFETY,
    ]  # fmt: skip


def test_largest_count_drops_the_oldest_and_yields_to_what_is_protected() -> None:
    files = [stored(f"n{number}", number) for number in range(10)]
    decided = plan(files, Policy(30, max_count=4), NOW)
    assert [d.name for d in decided.dropped] == ["n9", "n8", "n7", "n6", "n5", "n4"]
    assert decided.over_cap == 0
    safety = [stored(f"s{number}", number, is_safety=True) for number in range(6)]
    decided = plan(safety, Policy(30, max_count=4), NOW)
    assert decided.dropped == []
    assert decided.over_cap == 2


def test_one_backup_stays_for_each_of_the_newest_days_weeks_and_months() -> None:
    files = [stored(f"n{day}", day) for day in range(400)]
    found = kept(files, Policy(3, keep_daily=10, keep_weekly=5, keep_monthly=12))
    assert {name for name, reason in found.items() if reason is Reason.DAILY} == {f"n{day}" for day in range(4, 10)}
    made = {name: NOW - timedelta(days=int(name[1:])) for name in found}
    assert [f"{made[n]:%a %d %b}" for n, reason in found.items() if reason is Reason.WEEKLY] == [
        "Sun 16 Jun", "Sun 09 Jun", "Sun 02 Jun",
    ]  # fmt: skip
    assert [f"{made[n]:%d %b %y}" for n, reason in found.items() if reason is Reason.MONTHLY] == [
        "31 May 24", "30 Apr 24", "31 Mar 24", "29 Feb 24", "31 Jan 24", "31 Dec 23",
        "30 Nov 23", "31 Oct 23", "30 Sep 23", "31 Aug 23", "31 Jul 23",
    ]  # fmt: skip


def test_a_verified_backup_stands_for_its_day_before_a_newer_one_that_is_not() -> None:
    files = [stored("later", 100, is_verified=False), stored("proved", 100.2), stored("earlier", 100.3)]
    newer = [stored(f"v{number}", number) for number in range(7)]
    found = kept([*newer, *files], Policy(30, keep_daily=8))
    assert {name: found.get(name) for name in ("later", "proved", "earlier")} == {
        "later": None, "proved": Reason.DAILY, "earlier": None,
    }  # fmt: skip


def test_days_are_those_of_the_zone() -> None:
    evening, night = stored("evening", 99.6), stored("night", 99.45)  # 21:36 and 01:12 UTC
    newer = [stored(f"v{number}", number) for number in range(7)]
    in_berlin = kept([*newer, evening, night], Policy(30, keep_daily=9, zone=ZoneInfo("Europe/Berlin")))
    in_auckland = kept([*newer, evening, night], Policy(30, keep_daily=9, zone=ZoneInfo("Pacific/Auckland")))
    assert ("evening" in in_berlin, "evening" in in_auckland) == (True, False)


def test_largest_count_takes_the_dailies_before_what_stands_for_a_month() -> None:
    files = [stored(f"n{day}", day) for day in range(100)]
    found = kept(files, Policy(30, max_count=12, keep_monthly=4))
    assert len(found) == 12
    assert {"n0", "n30", "n61", "n91"} <= found.keys()


FILES = st.lists(
    st.builds(
        stored,
        st.integers(0, 10**9).map(str),
        st.none() | st.floats(-4000, 4000),
        is_ours=st.booleans(),
        is_safety=st.booleans(),
        is_verified=st.booleans(),
        is_pinned=st.booleans(),
    ),
    max_size=40,
    unique_by=lambda file: file.name,
)


POLICIES = st.builds(
    Policy,
    st.integers(1, 400),
    st.none() | st.integers(1, 20),
    keep_daily=st.integers(0, 40),
    keep_weekly=st.integers(0, 20),
    keep_monthly=st.integers(0, 40),
    zone=st.sampled_from([UTC, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")]),
)


# RETENTION_HISTORIES=20000 by hand: many more than a run for every change needs.
HISTORIES = int(os.environ.get("RETENTION_HISTORIES", "200"))
FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("is_safety", "is_verified", "is_pinned")})
STEPS = st.lists(st.tuples(st.floats(0, 3) | st.sampled_from([-4000, -400, -1, 40, 4000]), FLAGS), max_size=40)


@settings(max_examples=HISTORIES, deadline=None)
@given(STEPS, POLICIES)
def test_laws_hold_through_any_history_of_a_clock_that_jumps(
    steps: list[tuple[float, dict[str, bool]]], policy: Policy
) -> None:
    now, files = NOW, list[StoredFile]()
    for number, (days, flags) in enumerate(steps):
        now += timedelta(days=days)
        files.append(StoredFile(str(number), now, is_ours=True, **flags))
        dropped = {decision.name for decision in plan(files, policy, now).dropped}
        left = [file for file in files if file.name not in dropped]
        proved = sorted((file.made_at or now, file.name) for file in files if file.is_verified)
        assert not dropped & {name for _, name in proved[-policy.floor :]}
        assert not dropped & {file.name for file in files if file.is_pinned}
        files = left


@settings(max_examples=HISTORIES, deadline=None)
@given(FILES, POLICIES)
def test_laws_hold_for_any_folder(files: list[StoredFile], policy: Policy) -> None:
    most = policy.max_count
    decided = plan(files, policy, NOW)
    dropped = {d.name for d in decided.dropped}
    assert sorted(d.name for d in decided.decisions) == sorted(file.name for file in files)
    for file in files:
        is_untouched = not file.is_ours or file.made_at is None or file.is_pinned
        if is_untouched or (file.is_safety and NOW - file.made_at <= timedelta(days=7)):
            assert file.name not in dropped
    verified = [file for file in files if file.is_verified and file.made_at]
    left = [file for file in verified if file.name not in dropped]
    assert len(left) >= min(policy.floor, len(verified))
    ours = [file for file in files if file.is_ours and not file.is_pinned and file.name not in dropped]
    if most is not None:
        assert len(ours) <= most + decided.over_cap
    # Deciding again about what was kept drops nothing more.
    assert plan([file for file in files if file.name not in dropped], policy, NOW).dropped == []
