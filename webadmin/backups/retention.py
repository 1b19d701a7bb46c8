"""Which backups to keep: pure, from the files, the policy and the time to a decision with its reason for each file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

FLOOR = 7
SAFETY_DAYS = 7
_NEVER = datetime.min.replace(tzinfo=UTC)


class Reason(StrEnum):
    """Why a backup is kept or dropped; the first that holds counts, in this order."""

    FOREIGN = "foreign"
    NO_TIME = "no time"
    PINNED = "pinned"
    RECENT = "recent"
    SAFETY = "safety"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    FLOOR = "floor"
    TOO_OLD = "too old"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What the policy looks at. `made_at` is the document's time, None when it has none that can be read."""

    name: str
    made_at: datetime | None
    is_ours: bool
    is_safety: bool
    is_verified: bool
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """`max_count` caps the unpinned files of ours; it yields to everything that is protected.

    Beyond `keep_days`, one backup stays for each of the newest `keep_daily` days, `keep_weekly` weeks (from Monday) and
    `keep_monthly` months of `zone` that have one: the newest verified one, or the newest if none is.
    """

    keep_days: int
    max_count: int | None = None
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    zone: tzinfo = UTC

    @property
    def floor(self) -> int:
        """How many of the newest verified backups stay whatever the clock says."""
        return FLOOR if self.max_count is None else max(1, min(FLOOR, self.max_count))


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one file. `ends_at` is when it would be dropped by its age, None when that time is open."""

    name: str
    is_kept: bool
    reason: Reason
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision for every file, newest first; `over_cap` counts protected files beyond the largest count."""

    decisions: tuple[Decision, ...]
    over_cap: int = 0

    @property
    def dropped(self) -> list[Decision]:
        """The files to move to the bin, oldest first."""
        return [decision for decision in reversed(self.decisions) if not decision.is_kept]


def plan(files: Sequence[StoredFile], policy: Policy, now: datetime) -> Plan:
    """Decide on every file. Files that are not ours, have no readable time or are pinned are never touched."""
    fixed = {file.name: _never_touched(file) for file in files}
    ranked = sorted((file for file in files if file.made_at), key=_age_order, reverse=True)
    floor = {file.name for file in [f for f in ranked if f.is_ours and f.is_verified][: policy.floor]}
    periods = _kept_for_periods([file for file in ranked if file.is_ours], policy)
    decided = {name: Decision(name, True, reason) for name, reason in fixed.items() if reason}
    for file in ranked:
        if file.name not in decided:
            decided[file.name] = _by_age(file, policy, now, periods.get(file.name), is_floor=file.name in floor)
    over = _apply_cap(files, ranked, decided, floor, periods, policy, now)
    untimed = [file for file in files if file.made_at is None]
    return Plan(tuple(decided[file.name] for file in [*ranked, *untimed]), over)


def _never_touched(file: StoredFile) -> Reason | None:
    if not file.is_ours:
        return Reason.FOREIGN
    if file.made_at is None:
        return Reason.NO_TIME
    return Reason.PINNED if file.is_pinned else None


def _age_order(file: StoredFile) -> tuple[datetime, str]:
    return file.made_at or _NEVER, file.name


def _kept_for_periods(ranked: Sequence[StoredFile], policy: Policy) -> dict[str, Reason]:
    """The files that stand for a day, week or month; `ranked` is newest first."""
    kept: dict[str, Reason] = {}
    for reason, (count, period_of) in _periods(policy).items():
        chosen: dict[date, StoredFile] = {}
        for file in ranked:
            period = period_of(_day(file.made_at or _NEVER, policy.zone))
            if period not in chosen and len(chosen) == count:
                break
            known = chosen.setdefault(period, file)
            if file.is_verified and not known.is_verified:
                chosen[period] = file
        for file in chosen.values():
            kept.setdefault(file.name, reason)
    return kept


def _day(instant: datetime, zone: tzinfo) -> date:
    try:
        return instant.astimezone(zone).date()
    except OverflowError:  # The first and last days of the calendar have no other in some zones.
        return instant.date()


def _periods(policy: Policy) -> dict[Reason, tuple[int, Callable[[date], date]]]:
    """For each kind of period how many are kept, and the first day of the one that a day is in."""
    return {
        Reason.DAILY: (policy.keep_daily, lambda day: day),
        Reason.WEEKLY: (policy.keep_weekly, lambda day: date.fromordinal(max(1, day.toordinal() - day.weekday()))),
        Reason.MONTHLY: (policy.keep_monthly, lambda day: day.replace(day=1)),
    }


def _by_age(file: StoredFile, policy: Policy, now: datetime, period: Reason | None, *, is_floor: bool) -> Decision:
    made_at = file.made_at or _NEVER
    days = max(policy.keep_days, SAFETY_DAYS) if file.is_safety else policy.keep_days
    ends_at = _later(made_at, days)
    if now - made_at <= timedelta(days=policy.keep_days):
        return Decision(file.name, True, Reason.RECENT, None if period else ends_at)
    if _is_recent_safety(file, now):
        return Decision(file.name, True, Reason.SAFETY, ends_at)
    if period:
        return Decision(file.name, True, period)
    if is_floor:
        return Decision(file.name, True, Reason.FLOOR)
    return Decision(file.name, False, Reason.TOO_OLD, ends_at)


def _later(instant: datetime, days: int) -> datetime | None:
    try:
        return instant + timedelta(days=days)
    except OverflowError:
        return None


def _is_recent_safety(file: StoredFile, now: datetime) -> bool:
    return file.is_safety and file.made_at is not None and now - file.made_at <= timedelta(days=SAFETY_DAYS)


def _apply_cap(
    files: Sequence[StoredFile],
    ranked: Sequence[StoredFile],
    decided: dict[str, Decision],
    floor: set[str],
    periods: Mapping[str, Reason],
    policy: Policy,
    now: datetime,
) -> int:
    """Drop the oldest unprotected files of ours beyond the cap. Returns how many too many the protected ones are."""
    if policy.max_count is None:
        return 0
    counted = [file for file in files if file.is_ours and not file.is_pinned and decided[file.name].is_kept]
    over = len(counted) - policy.max_count
    names = {file.name for file in counted}
    # Those that stand for a day, week or month go last: they are the oldest, and kept on purpose.
    oldest_first = [file for file in reversed(ranked) if file.name in names]
    for file in sorted(oldest_first, key=lambda file: file.name in periods):
        if over <= 0:
            return 0
        old = decided[file.name]
        if _is_recent_safety(file, now):
            decided[file.name] = Decision(file.name, True, Reason.SAFETY, _later(file.made_at or now, SAFETY_DAYS))
        elif file.name in floor:
            decided[file.name] = Decision(file.name, True, Reason.FLOOR)
        else:
            decided[file.name] = Decision(file.name, False, Reason.TOO_MANY, old.ends_at)
            over -= 1
    return max(0, over)
