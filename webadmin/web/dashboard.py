"""The first page: is the data safe, what waits, what happened. A part that cannot be read says so, the others stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from webadmin import backups, catalogue, clock, recovery, safety
from webadmin.backups import Backup, History, State, Tally, Wanted
from webadmin.catalogue import Query, RecentChange, Summary
from webadmin.db import db, translated_errors
from webadmin.errors import Unavailable
from webadmin.safety import Safety
from webadmin.web import backup_cards, timeline
from webadmin.web.filters import actor_name, day_name, message, number, sentences, size, time_element
from webadmin.web.htmx import page
from webadmin.web.shell import SAFETY_ICONS

bp = Blueprint("dashboard", __name__)

_T = TypeVar("_T")
_WAITING = 4
_CHANGES = 6


@bp.get("/")
def index() -> ResponseReturnValue:
    """The dashboard."""
    session = db.session()
    found = _or_none(lambda: backups.open_history(session))
    counts = _or_none(lambda: catalogue.counts(session, Query()))
    total = counts["all"] if counts else None
    bars, axis = timeline.draw(found) if found is not None else (None, [])
    newest = found.newest(Wanted(is_verified=True)) if found is not None else None
    return page(
        "dashboard/index.html",
        headline=_headline(session, safety.current(), newest, has_catalogue=bool(total)),
        cells=_cells(found, newest, total),
        newest=newest,
        counts=counts,
        total=total,
        bars=bars,
        axis=axis,
        waiting=_or_none(lambda: _waiting(session)) if total else [],
        runs=_or_none(lambda: _runs(found)),
        changes=_or_none(lambda: [_told(change) for change in catalogue.recent(session, most=_CHANGES)]),
    )


def _or_none(read: Callable[[], _T]) -> _T | None:
    try:
        with translated_errors():
            return read()
    except Unavailable:
        return None


def _headline(session: Session, found: Safety, newest: Backup | None, *, has_catalogue: bool) -> dict[str, Any]:
    said: list[str | None] = []
    if found.state is not safety.State.SAFE:
        # What a line was taken from may be a sentence already.
        line = message(found.line).rstrip(".。")
        told = Markup("<strong>{}</strong> · {}{}").format(message(found.title), line, gettext("."))
        said.append(told)
    if newest is not None and newest.made_at is not None:
        said.append(_last_backup(newest))
        said.append(_or_none(lambda: _since(session, newest)))
        said += backup_cards.restore_time(newest)
    elif has_catalogue:
        said.append(gettext("There is no verified backup of the catalogue yet."))
    return {
        "title": message(found.headline),
        "tone": str(found.color),
        "icon": SAFETY_ICONS[found.color],
        "text": sentences(said),
    }


def _last_backup(newest: Backup) -> str:
    # Only a number and our own <time> are put into the sentence.
    return Markup(  # noqa: S704  # nosec B704
        ngettext(
            "%(count)s assistant was backed up %(when)s, and the file was opened again and checked.",
            "%(count)s assistants were backed up %(when)s, and the file was opened again and checked.",
            newest.record_count or 0,
            count=number(newest.record_count or 0),
            when=time_element(newest.made_at),
        )
    )


def _since(session: Session, newest: Backup) -> str:
    """What happened since that backup, as far as the catalogue can tell: one that went back has lost its memory."""
    made_at = clock.to_text(newest.made_at or clock.now())
    edits = catalogue.edits_since(session, made_at)
    in_backup = newest.contents.newest_edit if newest.contents else None
    if source := recovery.recovered_since(session, made_at):
        went_back = gettext(
            "Since then the database was recovered from %(name)s: what was saved after that copy and could not be read"
            " any more is not in it, and cannot be counted.",
            name=source,
        )
    elif not any(edits) and in_backup and in_backup > (catalogue.newest_edit(session) or ""):
        went_back = gettext(
            "Since then the database went back to an older state: this backup holds edits that it does not have."
        )
    else:
        return _edits(*edits)
    return sentences([went_back, _edits(*edits) if any(edits) else gettext("Back up now to keep it as it is.")])


def _edits(count: int, is_more: bool) -> str:  # noqa: FBT001 - a pair that the catalogue gives
    if is_more:
        return gettext("More than %(count)s edits since then are not in a backup yet.", count=number(count))
    if not count:
        return gettext("Nothing was edited since then.")
    return ngettext(
        "%(count)s edit since then is not in a backup yet.",
        "%(count)s edits since then are not in a backup yet.",
        count,
        count=number(count),
    )


def _cells(found: History | None, newest: Backup | None, total: int | None) -> list[dict[str, Any]]:
    """The facts behind the headline, each with its proof."""
    tally = found.tally() if found is not None else None
    return [_last_good(newest), _verified(tally), _database(total), _disk(tally)]


def _last_good(newest: Backup | None) -> dict[str, Any]:
    cell = {"label": gettext("Last good backup"), "icon": "clock", "href": url_for("backups.history")}
    if newest is None or newest.made_at is None:
        return cell | {"value": gettext("None"), "line": gettext("Back up now"), "tone": "warn"}
    line = Markup("{} · {}").format(time_element(newest.made_at, "clock"), size(newest.size_bytes or 0))
    limit = safety.no_good_after(safety.current_facts())
    tone = "bad" if clock.now() - newest.made_at > limit else "ok"
    return cell | {
        "value": time_element(newest.made_at),
        "line": line,
        "tone": tone,
        "href": url_for("backups.show", name=newest.name),
    }


def _verified(tally: Tally | None) -> dict[str, Any]:
    cell = {"label": gettext("Verified"), "icon": "shield-check", "href": url_for("backups.history")}
    if tally is None:
        return cell | {"value": gettext("Unknown"), "line": gettext("The list could not be read"), "tone": "bad"}
    files, good = tally.files, tally.in_state(State.VERIFIED)
    value = gettext("%(good)s of %(all)s", good=number(good), all=number(files))
    if not files:
        return cell | {"value": value, "line": gettext("No backup yet"), "tone": "warn"}
    if good < files:
        line = ngettext("%(num)d file is not proved", "%(num)d files are not proved", files - good)
        return cell | {"value": value, "line": line, "tone": "warn"}
    return cell | {"value": value, "line": gettext("Checksum and count match"), "tone": "ok"}


def _database(total: int | None) -> dict[str, Any]:
    cell = {"label": gettext("Database"), "icon": "database", "href": url_for("assistants.list")}
    facts = safety.current_facts()
    if facts.is_damaged:
        # What the program still has open may be counted; it is no evidence of a sound file.
        value = gettext("Missing") if facts.is_gone else gettext("Damaged")
        return cell | {"value": value, "line": gettext("See what to do"), "tone": "bad", "href": url_for("health.show")}
    if total is None:
        return cell | {"value": gettext("Not readable"), "line": gettext("Look at the log"), "tone": "bad"}
    line = ngettext(
        "%(count)s assistant counted just now", "%(count)s assistants counted just now", total, count=number(total)
    )
    return cell | {"value": gettext("Readable"), "line": line, "tone": "ok"}


def _disk(tally: Tally | None) -> dict[str, Any]:
    cell = {"label": gettext("Free disk"), "icon": "server", "href": url_for("backups.history")}
    facts = safety.current_facts()
    if facts.free_bytes is None:
        return cell | {"value": gettext("Unknown"), "line": gettext("The folder cannot be read."), "tone": "warn"}
    line = gettext("Backups use %(size)s", size=size(tally.size_bytes if tally is not None else 0))
    return cell | {"value": size(facts.free_bytes), "line": line, "tone": "warn" if safety.is_disk_low(facts) else "ok"}


def _waiting(session: Session) -> list[Summary]:
    """The pending assistants that wait longest."""
    return catalogue.longest_waiting(session, most=_WAITING)


def _runs(found: History | None) -> list[dict[str, Any]]:
    rows = [
        {
            "icon": "database",
            "title": gettext("Automatic backup"),
            "line": Markup("{} · {}").format(time_element(run.due_at, "clock"), time_element(run.due_at, "until")),
        }
        for run in backups.next_runs(clock.now(), 1)
    ]
    now = clock.now()
    coming = backups.coming_deletions(backups.concerned(found, now), now) if found is not None else []
    if coming:
        day, gone = coming[0]
        title = ngettext("Retention: %(num)d backup expires", "Retention: %(num)d backups expire", len(gone))
        rows.append({"icon": "trash", "title": title, "line": day_name(day)})
    return rows


def _told(change: RecentChange) -> dict[str, Any]:
    """One entry of the recent changes: who did what, when."""
    line = Markup("{}").format(time_element(change.created_at))
    if change.count == 1 and change.version is not None:
        line = Markup("{} · v{}").format(line, change.version)
    can_open = change.count == 1 and not change.is_deletion
    href = url_for("assistants.edit", key=catalogue.encode_id(change.assistant_id)) if can_open else None
    return {"text": _sentence(change), "line": line, "href": href}


def _sentence(change: RecentChange) -> str:
    who, count = actor_name(change.actor_name), number(change.count)
    if change.is_more and change.source == "import":
        return gettext("%(who)s imported more than %(count)s changes", who=who, count=count)
    if change.is_more:
        return gettext("%(who)s changed more than %(count)s assistants", who=who, count=count)
    if change.count > 1:
        return _several(change, who, count)
    if change.is_deletion:
        return gettext("%(who)s deleted “%(title)s”", who=who, title=change.title)
    if change.source == "found":
        return gettext("“%(title)s” was found at the first opening", title=change.title)
    if change.source.startswith("backup "):
        return gettext("%(who)s restored “%(title)s” from a backup", who=who, title=change.title)
    if "status" in change.fields:
        return _moved(change, who)
    if not change.fields:
        return gettext("%(who)s added “%(title)s”", who=who, title=change.title)
    return gettext("%(who)s edited “%(title)s”", who=who, title=change.title)


def _several(change: RecentChange, who: str, count: str) -> str:
    if change.source == "found":
        return gettext("%(count)s assistants were found at the first opening", count=count)
    if change.source == "import":
        return gettext("%(who)s imported %(count)s changes", who=who, count=count)
    return gettext("%(who)s changed %(count)s assistants", who=who, count=count)


def _moved(change: RecentChange, who: str) -> str:
    templates = {
        "published": gettext("%(who)s published “%(title)s”", who=who, title=change.title),
        "pending": gettext("%(who)s submitted “%(title)s”", who=who, title=change.title),
        "rejected": gettext("%(who)s rejected “%(title)s”", who=who, title=change.title),
    }
    back = gettext("%(who)s moved “%(title)s” back to draft", who=who, title=change.title)
    return templates.get(change.status, back)
