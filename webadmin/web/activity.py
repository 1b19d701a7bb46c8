"""Activity: who did what, newest first, grouped by day; filtered, opened to what was before and after, and exported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webadmin import accounts, audit, backups, catalogue, config, strict
from webadmin.accounts import ActorKind
from webadmin.audit import Act, Entry, Kind, Wanted
from webadmin.db import db, reading, translated_errors
from webadmin.errors import N_
from webadmin.security import current_actor
from webadmin.web import imports
from webadmin.web.filters import day_name
from webadmin.web.htmx import page
from webadmin.web.import_reports import csv_answer
from webadmin.web.listing import Days, midnight

bp = Blueprint("activity", __name__, url_prefix="/activity")

_OTHERS = {
    ActorKind.SCHEDULER: N_("Scheduler"),
    ActorKind.COMMAND_LINE: N_("Command line"),
    ActorKind.SYSTEM: N_("The program itself"),
    ActorKind.OTHER_PROGRAM: N_("Another program"),
    audit.NOBODY.kind: N_("Nobody (refused)"),
}
KINDS = {
    Kind.ASSISTANT: N_("Assistant"),
    Kind.BACKUP: N_("Backup"),
    Kind.PERSON: N_("Person"),
    Kind.TOKEN: N_("Token"),
    Kind.TASK: N_("Task"),
    Kind.FILE: N_("File"),
    Kind.SNAPSHOT: N_("Snapshot"),
    Kind.ADDRESS: N_("Address"),
}
_ICONS = {
    ActorKind.PERSON: "user",
    ActorKind.TOKEN: "key",
    ActorKind.SCHEDULER: "clock",
    ActorKind.COMMAND_LINE: "keyboard",
    ActorKind.OTHER_PROGRAM: "server",
    audit.NOBODY.kind: "lock",
}
_WAYS = {
    "page": N_("Page"),
    "api": N_("API"),
    "command-line": N_("Command line"),
    "scheduler": N_("Scheduler"),
    "program": N_("The program itself"),
}
RESULTS = {audit.Result.REFUSED: (N_("Refused"), "warn"), audit.Result.FAILED: (N_("Failed"), "bad")}
DETAILS = {
    "fields": N_("Fields"),
    "status": N_("Status"),
    "source": N_("Source"),
    "counts": N_("Numbers"),
    "count": N_("Number"),
    "ids": N_("Ids"),
    "mode": N_("Mode"),
    "kind": N_("Kind"),
    "records": N_("Records"),
    "error": N_("Error"),
    "state": N_("State"),
    "role": N_("Role"),
    "name": N_("Name"),
    "expires_at": N_("Ends"),
    "settings": N_("Settings"),
    "schema": N_("Schema"),
    "route": N_("Address"),
    "method": N_("Method"),
    "step": N_("Step"),
    "is_throttled": N_("Too many tries"),
    "since": N_("Since"),
    "until": N_("Until"),
    "numbers": N_("Entries"),
    "binned": N_("Moved to the bin"),
    "deleted": N_("Deleted for good"),
    "file": N_("File"),
    "what": N_("What"),
    "destination": N_("Destination"),
    "notification": N_("Notification"),
    "is_test": N_("Test"),
    "triggers": N_("Triggers"),
    "chosen": N_("Chosen"),
    "format": N_("Format"),
    "purposes": N_("Purposes"),
    "days": N_("Days"),
    "keep_hours": N_("Hours in which the earlier text is valid"),
    "filters": N_("Filters"),
    "has_file": N_("File is there"),
}
_FORMATS = ("csv", "json")
_COLUMNS = ("number", "at", "who_kind", "who_id", "who_name", "act", "result", "object_kind", "object_id",
            "object_name", "way", "address", "before", "after", "details")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as the page shows it."""

    entry: Entry
    at: datetime | None
    clock: str
    icon: str
    who: str
    act: str
    way: str
    kind: str
    href: str | None
    details: list[tuple[str, str]]
    links: list[tuple[str, str]]
    undo: str | None


@bp.get("")
def list() -> ResponseReturnValue:  # noqa: A001 (the route is named by its verb)
    """A page of the log, with its filters."""
    wanted, days = _wanted()
    older, newer = (request.args.get(name, type=_number) for name in ("older", "newer"))
    with reading() as connection:
        found = audit.find(connection, wanted, older=older, newer=newer)
    rows = [_row(entry) for entry in found.entries]
    return page(
        "activity/list.html",
        "activity/_entries.html",
        groups=[(name, [*of_day]) for name, of_day in groupby(rows, _day)],
        newer=_href("activity.list", newer=found.newer) if found.newer else None,
        older=_href("activity.list", older=found.older) if found.older else None,
        args={name: request.args.get(name, "") for name in ("who", "act", "kind", "object")},
        days=days,
        people=_people(),
        acts={str(act): words for act, words in audit.WORDS.items()},
        kinds=KINDS,
        results=RESULTS,
        exports=[(each, _href("activity.export", format=each)) for each in _FORMATS],
        is_filtered=wanted != Wanted(),
        kept_days=config.current().audit_days,
    )


@bp.get("/export")
def export() -> ResponseReturnValue:
    """All entries that the filters leave, as CSV or JSON."""
    wanted, _ = _wanted()
    chosen = request.args.get("format")
    chosen = chosen if chosen in _FORMATS else "csv"
    if request.method != "HEAD":
        audit.note_done(current_actor(), Act.LOG_EXPORTED, format=chosen, filters=_args())
    if chosen == "csv":
        rows = (_cells(entry) for entry in audit.iter_entries(wanted))
        return csv_answer(_COLUMNS, rows, "activity.csv")
    answer = Response(stream_with_context(_json_lines(wanted)), mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename="activity.json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _json_lines(wanted: Wanted) -> Iterator[str]:
    start = "[\n"
    for entry in audit.iter_entries(wanted):
        yield start + json.dumps(entry.as_json(), ensure_ascii=False)
        start = ",\n"
    yield "[]\n" if start == "[\n" else "\n]\n"


def _cells(entry: Entry) -> tuple[str, ...]:
    told = entry.as_json()
    parts = (
        told["number"], told["at"], *told["who"].values(), told["act"], told["result"], *told["object"].values(),
        told["way"], told["address"], told["before"], told["after"],
    )  # fmt: skip
    return *("" if part is None else str(part) for part in parts), json.dumps(entry.details, ensure_ascii=False)


def _number(text: str) -> int:
    """The number of an entry. Raises ValueError for what no entry has: SQLite compares with 64 bits at most."""
    number = int(text)
    if not 0 < number < 2**63:
        raise ValueError
    return number


def _wanted() -> tuple[Wanted, Days]:
    """What the address asks for; what is none of the choices counts as absent."""
    args = request.args
    kind, _, id = args.get("who", "").partition(":")
    days = Days.read(args.get("from", ""), args.get("to", ""))
    wanted = Wanted(
        who=(kind, id or None) if kind else None,
        act=Act(args["act"]) if args.get("act") in set(Act) else None,
        thing_kind=args["kind"] if args.get("kind") in set(Kind) else None,
        thing=args.get("object", "").strip() or None,
        since=midnight(days.first) if days.first else None,
        until=midnight(days.last + timedelta(days=1)) if days.last else None,
    )
    return wanted, days


def _args() -> dict[str, str]:
    names = ("who", "act", "kind", "object", "from", "to")
    return {name: request.args[name] for name in names if request.args.get(name)}


def _href(endpoint: str, **more: Any) -> str:
    """An address with the filters of this one."""
    named: dict[str, Any] = {**_args(), **more}
    return url_for(endpoint, **named)


def _people() -> dict[str, str]:
    """Whom one can ask for: value → name. A token that was revoked is found by its object."""
    with translated_errors():
        people = {f"person:{each.id}": each.name for each in accounts.list_users(db.session())}
        tokens = {f"token:{each.token.id}": each.token.name for each in accounts.list_tokens(db.session())}
    return people | tokens | {str(kind): gettext(words) for kind, words in _OTHERS.items()}


def _row(entry: Entry) -> Row:
    act = Act(entry.act) if entry.act in set(Act) else None
    at = strict.to_instant(entry.at)
    return Row(
        entry=entry,
        at=at,
        clock=f"{at.astimezone(config.current().timezone):%H:%M:%S}" if at else "",
        icon=_ICONS.get(entry.who_kind, "settings"),
        who=gettext(_OTHERS[entry.who_kind]) if entry.who_kind in _OTHERS else entry.who_name or entry.who_kind,
        act=gettext(audit.WORDS[act]) if act else entry.act,
        way=gettext(_WAYS[entry.way]) if entry.way in _WAYS else entry.way,
        kind=gettext(KINDS[Kind(entry.thing_kind)]) if entry.thing_kind in KINDS else gettext("Object"),
        href=_thing_href(entry),
        details=[
            (gettext(DETAILS[key]) if key in DETAILS else key, _told(value)) for key, value in entry.details.items()
        ],
        links=[link for link in (_compare(entry), *map(_link, _refs(entry))) if link],
        undo=_undo(act, entry),
    )


def _day(row: Row) -> str:
    return day_name(row.at.astimezone(config.current().timezone).date()) if row.at else row.entry.at


def _told(value: Any) -> str:
    """A detail as text: `old → new` for a change, one after the other for several."""
    if isinstance(value, dict):
        if value.keys() == {"from", "to"}:
            return f"{value['from'] or '—'} → {value['to'] or '—'}"
        return "; ".join(f"{key}: {_told(each)}" for key, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_told(each) for each in value)
    return gettext("yes") if value is True else str(value)


def _thing_href(entry: Entry) -> str | None:
    id = entry.thing_id
    if id is None:
        return None
    if entry.thing_kind == Kind.ASSISTANT:
        return url_for("assistants.history", key=catalogue.encode_id(id))
    if entry.thing_kind == Kind.PERSON and id.isdigit():
        return url_for("people.show", user_id=int(id))
    if entry.thing_kind == Kind.BACKUP and backups.is_name(id):
        return url_for("backups.show", name=id)
    return None


def _refs(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """What an entry refers to: whether it is before or after, its kind, and what names it there."""
    for label, ref in ((gettext("Before"), entry.before), (gettext("After"), entry.after)):
        kind, _, name = (ref or "").partition(":")
        yield label, kind, name


def _link(ref: tuple[str, str, str]) -> tuple[str, str] | None:
    label, kind, name = ref
    if kind == "backup" and backups.is_name(name):
        return f"{label}: {name}", url_for("backups.show", name=name)
    if kind == "revisions":
        words = gettext("the assistants that were changed")
        return f"{label}: {words}", url_for("assistants.list", changed=name)
    if kind == "task":
        return f"{label}: {name}", url_for("jobs.show", id=name)
    return None


def _compare(entry: Entry) -> tuple[str, str] | None:
    """The two states of an assistant beside one another."""
    states = [name for _, kind, name in _refs(entry) if kind == "revision"]
    if entry.thing_kind != Kind.ASSISTANT or entry.thing_id is None or not states:
        return None
    key = catalogue.encode_id(entry.thing_id)
    if len(states) == 1:
        return gettext("History"), url_for("assistants.history", key=key)
    pair: dict[str, Any] = {"from": states[0], "to": states[1]}
    return gettext("Before and after"), url_for("assistants.history", key=key, **pair)


def _undo(act: Act | None, entry: Entry) -> str | None:
    """The safety backup by which an import can be undone, while it can."""
    kind, _, name = (entry.before or "").partition(":")
    return name if act is Act.IMPORTED and kind == "backup" and imports.can_undo(name) else None
