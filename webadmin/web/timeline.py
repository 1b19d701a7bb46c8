"""The backups of the last 30 days as bars, one for each day of the calendar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import url_for
from flask_babel import gettext, ngettext

from webadmin import clock, config
from webadmin.backups import Backup, History, Kind, State, Wanted
from webadmin.web.filters import BACKUP_KINDS, BACKUP_STATES, day_name, size

DAYS = 30
_TONES = {State.VERIFIED: "ok", State.UNCHECKED: "mute", State.CHECKING: "mute"}
_BAD = frozenset({State.ALTERED, State.FAILED})
_EXTRA = frozenset({Kind.MANUAL, Kind.SAFETY})


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: `label` is what is spoken, `value` the text in the table (empty: nothing to draw)."""

    label: str
    value: str = ""
    ratio: float = 0
    tone: str = "mute"
    has_cap: bool = False
    href: str | None = None


def draw(history: History) -> tuple[list[Bar], list[str]]:
    """The bars of the last 30 days, today last, and the labels under them."""
    zone = config.current().timezone
    today = clock.now().astimezone(zone).date()
    by_day: dict[date, list[Backup]] = defaultdict(list)
    # A day more, since days begin at another time in each zone.
    for backup in history.walk(Wanted(made_from=clock.now() - timedelta(days=DAYS + 1))):
        if backup.made_at is not None:
            by_day[backup.made_at.astimezone(zone).date()].append(backup)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    largest = max((backup.size_bytes or 0 for day in days for backup in by_day[day]), default=0) or 1
    axis = [day_name(days[0]), day_name(days[DAYS // 2]), gettext("Today")]
    return [_bar(day, by_day[day], largest) for day in days], axis


def _bar(day: date, backups: Sequence[Backup], largest: int) -> Bar:
    if not backups:
        return Bar(day_name(day))
    best = max(backups, key=_worth)
    # A run that failed is made good by the next; a file that lies there and is bad is not.
    state = next((backup.state for backup in backups if backup.has_file and backup.state in _BAD), best.state)
    value = _value(best, state, len(backups))
    return Bar(
        label=gettext("%(day)s: %(what)s", day=day_name(day), what=value),
        value=value,
        ratio=(best.size_bytes or 0) / largest if best.has_file else 0,
        tone=_TONES.get(state, "bad"),
        has_cap=len(backups) > 1 and any(backup.kind in _EXTRA and backup.has_file for backup in backups),
        href=url_for("backups.show", name=best.name) if best.has_file else None,
    )


def _worth(backup: Backup) -> tuple[bool, bool, int]:
    return backup.is_verified, backup.has_file, backup.size_bytes or 0


def _value(best: Backup, found: State, count: int) -> str:
    state = gettext(BACKUP_STATES[found].text)
    if count > 1:
        return ngettext(
            "%(num)d backup, the largest %(size)s, %(state)s",
            "%(num)d backups, the largest %(size)s, %(state)s",
            count,
            size=size(best.size_bytes or 0),
            state=state,
        )
    kind = gettext(BACKUP_KINDS[best.kind].text)
    if not best.has_file:
        return gettext("%(kind)s, %(state)s", kind=kind, state=state)
    return gettext("%(kind)s, %(size)s, %(state)s", kind=kind, size=size(best.size_bytes or 0), state=state)
