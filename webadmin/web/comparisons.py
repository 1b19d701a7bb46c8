"""One backup beside the catalogue or another backup: what differs, and the way back for one assistant of it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import backups, catalogue, jobs
from webadmin.backups import Backup, Comparison, Difference, History, Since, State, Wanted
from webadmin.catalogue import Record
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import N_, Conflict, Invalid, Message, NotFound
from webadmin.jobs import Progress
from webadmin.security import current_actor
from webadmin.web import field_diffs
from webadmin.web.assistants import brought_back, reading
from webadmin.web.filters import message, moment, number, sentences
from webadmin.web.htmx import page, redirect
from webadmin.web.jobs import COMPARE

bp = Blueprint("comparisons", __name__, url_prefix="/backups")

PAGE_SIZE = 50
# What is smaller than this is compared while the page waits; a larger one as a task, when somebody asks for it.
_AT_ONCE_BYTES = 4_000_000
_PATIENCE_SECONDS = 0.8
_OFFERED_MOST = 50
_TABS = {
    Since.CHANGED: (N_("Changed since"), N_("Changed")),
    Since.ADDED: (N_("Added since"), N_("Only in the other")),
    Since.DELETED: (N_("Deleted since"), N_("Only in this one")),
    Since.SAME: (N_("Same"), N_("Same")),
}


@bp.get("/<name>/compare")
def show(name: str) -> ResponseReturnValue:
    """What differs; its fragment is the card on the page of the backup."""
    backups.sync()
    with translated_errors():
        everything = backups.open_history(reading())
    backup, other = _named(everything, name), _other(everything)
    found, refusal = _found(backup, other)
    return page(
        "backups/compare.html",
        "backups/_compare.html",
        backup=backup,
        other=other,
        choices=_choices(backup, other, everything),
        refusal=refusal,
        size_bytes=_size(backup, other),
        is_running=found is None and refusal is None and _running(backup, other) is not None,
        running=_running(backup, other),
        listing=_listing(backup, other, found) if found else None,
        short_title=_title(backup),
    )


@bp.post("/<name>/compare")
def start(name: str) -> ResponseReturnValue:
    """Compare as a task; the same one again when it runs already."""
    with translated_errors():
        everything = backups.open_history(db.session())
    backup, other = _named(everything, name), _other(everything)
    other_name = other.name if other else None

    def work(progress: Progress) -> dict[str, Any]:
        backups.compare(name, other_name, progress=progress)
        return {"name": name, "with": other_name}

    params = {"name": name, "with": other_name}
    title = Message(N_("Comparing %(name)s"), {"name": name})
    job = _running(backup, other) or jobs.start(COMPARE, current_actor(), work, title=title, params=params)
    is_done = jobs.wait(job.id, _PATIENCE_SECONDS).state is jobs.State.DONE
    return redirect(_address(backup, other) if is_done else url_for("jobs.show", id=job.id))


@bp.get("/<name>/compare/<path:key>")
def one(name: str, key: str) -> ResponseReturnValue:
    """One assistant on both sides, field by field; its fragment is its row of the list, opened or closed again."""
    with translated_errors():
        session = reading()
        everything = backups.open_history(session)
        backup, other = _named(everything, name), _other(everything)
        assistant_id = catalogue.decode_id(key)
        then = backups.find_in_backup(name, assistant_id)
        now = _now(other, assistant_id)
    if then is None and now is None:
        raise NotFound(N_("Neither side holds this assistant."))
    found = backups.difference(then, now)
    return page(
        "backups/compare_one.html",
        "backups/_compare_row.html",
        backup=backup,
        other=other,
        back=_address(backup, other, tab=found.since),
        short_title=_title(backup),
        can_restore=_can_restore(backup, other),
        diffs=[] if "closed" in request.args else _diffs(then, now),
        is_open="closed" not in request.args,
        now=now,
        **_row(backup, other, found),
    )


@bp.post("/<name>/restore/<path:key>")
def restore(name: str, key: str) -> ResponseReturnValue:
    """Bring one assistant back from a backup, or one field of it, as a new version."""
    assistant_id, version = catalogue.decode_id(key), request.form.get("version", type=int)
    state = backups.find_in_backup(name, assistant_id)
    if state is None:
        raise NotFound(N_("This backup does not hold the assistant."))
    try:
        with transaction() as session:
            record, undo = brought_back(
                session,
                current_actor(),
                state,
                version=version,
                field=request.form.get("field"),
                source=f"backup {name}",
                back=url_for(".show", name=name),
            )
    except (Conflict, NotFound) as error:
        text = sentences([message(error.message), gettext("Nothing was changed; this is how it is now.")])
        return redirect(url_for(".one", name=name, key=key), toast=text, kind="warn")
    text = gettext("“%(title)s” is back as v%(version)s.", title=record.title, version=record.version)
    if undo is None:
        text = gettext("Nothing was to change: it is the same already.")
    return redirect(url_for(".show", name=name), toast=text, undo_url=undo)


def _found(backup: Backup, other: Backup | None) -> tuple[Comparison | None, str | None]:
    """The comparison, made at once where that takes no time, and why there is none when a file cannot be read."""
    names = backup.name, other.name if other else None
    try:
        found = backups.find_comparison(*names)
        if found is None and _size(backup, other) <= _AT_ONCE_BYTES:
            found = backups.compare(*names)
    except Invalid as error:
        return None, message(error.message)
    return found, None


def _listing(backup: Backup, other: Backup | None, found: Comparison) -> dict[str, Any]:
    """One page of the records of one kind."""
    counts = {since: found.counts.get(since, 0) for since in Since}
    sent = request.args.get("tab", "")
    first = next((since for since in Since if counts[since]), Since.CHANGED)
    tab = Since(sent) if sent in set(Since) else first
    at = request.args.get("page", 0, type=int)
    at = at if 0 <= at <= counts[tab] // PAGE_SIZE else 0
    shown = found.page(tab, at, PAGE_SIZE)
    begin, end = at * PAGE_SIZE, at * PAGE_SIZE + len(shown)
    return {
        "tab": tab,
        "tabs": [
            {
                "label": gettext(_TABS[since][other is not None]),
                "href": _address(backup, other, tab=since),
                "count": counts[since],
                "current": since is tab,
            }
            for since in Since
        ],
        "rows": [_row(backup, other, each) for each in shown],
        "text": gettext(
            "%(first)s–%(last)s of %(total)s",
            first=number(begin + 1 if shown else 0),
            last=number(end),
            total=number(counts[tab]),
        ),
        "previous": _address(backup, other, tab=tab, page=at - 1) if at else None,
        "next": _address(backup, other, tab=tab, page=at + 1) if end < counts[tab] else None,
        "can_restore": _can_restore(backup, other),
        "left_out": found.left_out,
    }


def _row(backup: Backup, other: Backup | None, found: Difference) -> dict[str, Any]:
    key = catalogue.encode_id(found.id)
    href = url_for(".one", name=backup.name, key=key, **_with(other))
    differs = field_diffs.names(found.fields, found.lines_added, found.lines_removed)
    return {"row": found, "differs": differs, "key": key, "href": href}


def _diffs(then: Record | None, now: Record | None) -> list[field_diffs.FieldDiff]:
    """Field by field; of an assistant that one side does not hold, its texts as a whole."""
    nothing = Record(id=None, title="", emoji="")
    found = field_diffs.between(then or nothing, now or nothing)
    return found if then and now else [each for each in found if each.name in field_diffs.TEXTS]


def _now(other: Backup | None, assistant_id: str) -> Record | None:
    if other is not None:
        return backups.find_in_backup(other.name, assistant_id)
    return catalogue.find_record(db.session(), assistant_id)


def _can_restore(backup: Backup, other: Backup | None) -> bool:
    return other is None and backup.state in (State.VERIFIED, State.UNCHECKED)


def _running(backup: Backup, other: Backup | None) -> jobs.Job | None:
    params = {"name": backup.name, "with": other.name if other else None}
    return next((job for job in jobs.running() if job.kind == COMPARE and job.params == params), None)


def _size(backup: Backup, other: Backup | None) -> int:
    return (backup.size_bytes or 0) + (other.size_bytes or 0 if other else 0)


def _choices(backup: Backup, other: Backup | None, everything: History) -> list[tuple[str, str]]:
    """What the backup may be compared with: the catalogue, and the newest backups that have a file."""
    others = (each for each in everything.walk(Wanted(has_file=True)) if each.name != backup.name)
    listed = list(islice(others, _OFFERED_MOST))
    if other is not None and other not in listed:
        listed.append(other)
    return [("", gettext("The catalogue now")), *((each.name, _title(each)) for each in listed)]


def _other(everything: History) -> Backup | None:
    name = request.values.get("with")
    return _named(everything, name) if name else None


def _named(everything: History, name: str) -> Backup:
    found = everything.get(name)
    if not found.has_file:
        raise NotFound(N_("There is no backup of this name."), hint=N_("Look at the list of backups."))
    return found


def _title(backup: Backup) -> str:
    return moment(backup.made_at) if backup.made_at else backup.name


def _with(other: Backup | None) -> dict[str, Any]:
    return {"with": other.name} if other else {}


def _address(backup: Backup, other: Backup | None, **more: Any) -> str:
    return url_for(".show", name=backup.name, **_with(other), **more)
