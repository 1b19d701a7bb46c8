"""Retention: what must stay stays, whatever the clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


@settings(max_examples=300)
@given(FILES, st.integers(1, 400), st.none() | st.integers(1, 20))
def test_laws_hold_for_any_folder(files: list[StoredFile], days: int, most: int | None) -> None:
    policy = Policy(days, most)
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
