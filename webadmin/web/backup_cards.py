"""What stands beside the list of backups and on the page of one: schedule, retention, places, facts."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from typing import Any

from babel.dates import get_day_names
from flask_babel import format_datetime, get_locale, gettext, ngettext

from webadmin import backups, clock, config
from webadmin.backups import Backup, History, Kind, Reason, State, Wanted
from webadmin.errors import N_
from webadmin.web.filters import (
    BACKUP_KINDS,
    STATUSES,
    actor_name,
    day_name,
    duration,
    message,
    moment,
    number,
    sentences,
    size,
    time_element,
)

_LISTED_DAYS = 3
_RUNS = 3


def beside(history: History) -> dict[str, Any]:
    """The parts of the page of backups that are not the list."""
    values, now = config.current(), clock.now()
    tally = history.tally()
    return {
        "summary": _summary(history.newest(Wanted(has_file=True)), tally.files, tally.size_bytes),
        "schedule": {
            "is_on": values.auto_backup_enabled,
            "days": _days(values.auto_backup_days),
            "at": f"{values.auto_backup_time:%H:%M}",
            "zone": values.timezone.key,
            "keep_days": values.backup_retention_days,
            "runs": backups.next_runs(now, _RUNS),
        },
        "deletions": deletions(history)[:_LISTED_DAYS],
        "floor": min(7, values.backup_max_count or 7),
        "place": _place(tally.size_bytes),
        "signs": [message(each) for each in backups.signs_of_others(history, now)],
        "bin_count": len(backups.list_bin()),
        "empty_text": _empty_text(),
    }


def _days(chosen: frozenset[int]) -> str | None:
    """The weekdays by their short names; None for every day."""
    names = get_day_names("abbreviated", locale=get_locale())
    return gettext(", ").join(names[day] for day in sorted(chosen)) if len(chosen) < len(names) else None


def deletions(history: History) -> list[dict[str, Any]]:
    """What retention deletes on the coming days, as rows: day, how many, from when."""
    now, found = clock.now(), []
    today = now.astimezone(config.current().timezone).date()
    for day, gone in backups.coming_deletions(backups.concerned(history, now), now):
        made = [backup.made_at.astimezone(config.current().timezone).date() for backup in gone if backup.made_at]
        end = ngettext(
            "%(num)d file, from %(day)s", "%(num)d files, from %(day)s on", len(gone), day=day_name(min(made))
        )
        found.append({"icon": "trash", "title": _coming(day, today), "end": end})
    return found


def _coming(day: date, today: date) -> str:
    if day == today:
        return gettext("Today")
    return gettext("Tomorrow") if day == today + timedelta(days=1) else day_name(day)


def _summary(newest: Backup | None, files: int, used: int) -> str | None:
    if newest is None:
        return None
    total = ngettext(
        "%(count)s copy, %(size)s.",
        "%(count)s copies, %(size)s.",
        files,
        count=number(files),
        size=size(used),
    )
    if newest.made_at is None:
        return total
    age = duration(max(60, (clock.now() - newest.made_at).total_seconds()))
    state = gettext("The newest is verified and %(age)s old.", age=age)
    if not newest.is_verified:
        state = gettext("The newest is %(age)s old and not verified.", age=age)
    return sentences([total, state, *restore_time(newest)])


def restore_time(newest: Backup) -> list[str]:
    """A sentence on how long restoring this backup takes; none before its first proof."""
    if newest.restore_seconds is None:
        return []
    return [gettext("Restoring it takes about %(time)s.", time=duration(max(0.1, newest.restore_seconds)))]


def _place(used: int) -> str:
    try:
        free = shutil.disk_usage(config.current().database_backup_dir).free
    except OSError:
        return gettext("The folder cannot be read.")
    return gettext("%(used)s used, %(free)s free", used=size(used), free=size(free))


def _empty_text() -> str:
    if not config.current().auto_backup_enabled:
        return gettext("No backups yet. Automatic ones are off; make one now.")
    return gettext(
        "No backups yet. The first runs at %(time)s, or make one now.",
        time=f"{config.current().auto_backup_time:%H:%M}",
    )


def about(backup: Backup, history: History) -> dict[str, Any]:
    """The parts of the page of one backup."""
    return {
        "title": format_datetime(backup.made_at, gettext("EEEE d MMMM, HH:mm")) if backup.made_at else backup.name,
        "short_title": moment(backup.made_at) if backup.made_at else backup.name,
        "line": _line(backup),
        "facts": _facts(backup),
        "inside": _inside(backup),
        "rest": _rest(backup),
        "command": f"sed '$d' {backup.name} | sha256sum" if backup.is_verified else None,
        "next_good": _next_good(backup, history),
        "kept": _kept(backup, history),
    }


def _inside(backup: Backup) -> list[tuple[str, Any]]:
    """What the proof counted in the file; nothing where it could not be read, the file's own words before a proof."""
    found = backup.contents
    statuses = found.statuses if found else backup.counts
    if not statuses:
        return []
    rows: list[tuple[str, Any]] = [(gettext(word.text), number(statuses.get(key, 0))) for key, word in STATUSES.items()]
    if found and found.authors is not None:
        rows.append((gettext("Authors"), number(found.authors)))
    if found and found.newest_edit:
        rows.append((gettext("Newest edit"), time_element(found.newest_edit, "clock")))
    return rows


def _rest(backup: Backup) -> str | None:
    """How much of a file that did not pass its proof can still be read."""
    found = backup.contents
    if backup.state not in (State.FAILED, State.ALTERED) or found is None:
        return None
    readable = number(found.readable)
    if found.total is None:
        return ngettext(
            "%(count)s record can be read.", "%(count)s records can be read.", found.readable, count=readable
        )
    return gettext("%(count)s of %(total)s records can be read.", count=readable, total=number(found.total))


def _line(backup: Backup) -> str:
    kind, who = gettext(BACKUP_KINDS[backup.kind].text), actor_name(backup.actor or "?")
    if backup.kind is Kind.FOUND:
        return gettext("Found in the folder")
    if backup.upload_name:
        return gettext("%(kind)s by %(who)s · %(name)s", kind=kind, who=who, name=backup.upload_name)
    if backup.note:
        return gettext("%(kind)s by %(who)s · %(note)s", kind=kind, who=who, note=gettext(backup.note))
    return gettext("%(kind)s by %(who)s", kind=kind, who=who) if backup.actor else kind


def _facts(backup: Backup) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [(gettext("File"), backup.name)]
    if backup.record_count is not None:
        facts.append((gettext("Records"), _records(backup, backup.record_count)))
    if backup.size_bytes is not None:
        facts.append((gettext("Size"), size(backup.size_bytes)))
    if backup.verified_at is not None:
        facts.append((gettext("Last checked"), time_element(backup.verified_at, "clock")))
    if backup.rebuild_seconds is not None:
        facts.append((gettext("Rebuilding took"), duration(backup.rebuild_seconds)))
    if backup.restore_seconds is not None:
        facts.append((gettext("Restoring takes about"), duration(max(0.1, backup.restore_seconds))))
    return facts


def _records(backup: Backup, stated: int) -> str:
    """How many of its records were found by the proof; before one, how many the file says."""
    if backup.contents is None or backup.contents.total is None:
        return number(stated)
    return gettext("%(good)s of %(all)s", good=number(backup.contents.readable), all=number(backup.contents.total))


def _next_good(backup: Backup, history: History) -> Backup | None:
    return next((other for other in history.walk(Wanted(is_verified=True)) if other.name != backup.name), None)


def _kept(backup: Backup, history: History) -> str | None:
    """Why it is kept, and until when; None for a row without a file."""
    decision = backups.find_decision(history, backup, clock.now())
    if decision is None:
        return None
    if decision.ends_at is not None and decision.reason in (Reason.RECENT, Reason.SAFETY):
        return gettext(
            "Kept until %(day)s", day=day_name(decision.ends_at.astimezone(config.current().timezone).date())
        )
    return gettext(_REASONS[decision.reason])


_REASONS = {
    Reason.FOREIGN: N_("Kept until you delete it: retention leaves uploaded and found files alone"),
    Reason.NO_TIME: N_("Kept until you delete it: it has no time that can be read"),
    Reason.PINNED: N_("Kept until it is unpinned"),
    Reason.RECENT: N_("Kept: it is among the newest of its days, weeks or months"),
    Reason.SAFETY: N_("Kept as a safety backup of the last 7 days"),
    Reason.DAILY: N_("Kept as the backup of its day"),
    Reason.WEEKLY: N_("Kept as the backup of its week"),
    Reason.MONTHLY: N_("Kept as the backup of its month"),
    Reason.FLOOR: N_("Kept as one of the newest verified backups, however old it is"),
    Reason.TOO_OLD: N_("Goes to the bin soon: its time is over"),
    Reason.TOO_MANY: N_("Goes to the bin soon: there are more than the largest number"),
}
