"""What the review of an import shows: totals, a page of changes with the choice about each, what would be done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import request, url_for
from flask_babel import gettext, ngettext

from webadmin import catalogue
from webadmin.backups import LOOKED_AT, Action, Choices, Integrity, Layout, Listed, Mode, Plan
from webadmin.catalogue import Record
from webadmin.errors import N_
from webadmin.jobs import Job
from webadmin.web import field_diffs, imports
from webadmin.web.field_diffs import FieldDiff
from webadmin.web.filters import actor_name, message, moment, number, size, time_element
from webadmin.web.imports import Choice, Report

PAGE_SIZE = 25
_MOST_DIGITS = 8
REQUIRED = ("id", "title", "prompt")
_SINCE, SAME = "since", "same"
TABS = {
    "changed": (Action.UPDATE, N_("Changed")),
    "added": (Action.CREATE, N_("Added")),
    "only-here": (Action.ONLY_HERE, N_("Only here")),
}
_UNDO_WORDS = (N_("Keep mine"), N_("Undo"))
_WORDS = {
    Action.UPDATE: (N_("Keep mine"), N_("Take file")),
    Action.CREATE: (N_("Skip"), N_("Add")),
    Action.ONLY_HERE: (N_("Keep"), N_("Delete")),
}

_LAYOUTS = {
    Layout.OURS: N_("of this program"),
    Layout.METADATA: N_("with metadata (layout A)"),
    Layout.FLAT: N_("flat (layout B)"),
    Layout.ARRAY: N_("bare list of records"),
}
_INTEGRITY = {
    Integrity.RIGHT: N_("right"),
    Integrity.WRONG: N_("wrong"),
    Integrity.NONE: N_("none in the file"),
    Integrity.OTHER: N_("not the one noted"),
}


def is_undo(job: Job) -> bool:
    """Whether an import is to be undone."""
    return job.params.get("undone") is not None


def plan_of(known: Report, choice: Choice, choices: Choices) -> Plan:
    """What would be done with the decisions as they are."""
    return known.plan.in_mode(choice.mode, choices.kept(choice.mode), choices.edition)


def review(job: Job, known: Report, choice: Choice) -> dict[str, Any]:
    """Everything that the page of the review shows."""
    with imports.choices(job) as choices:
        plan, since = plan_of(known, choice, choices), choices.count_since()
        totals = _totals(known, since)
        tab, at = current_tab(totals), _page_number()
        action = TABS[tab][0] if tab in TABS else None
        shown = choices.page(action, choice.mode, at, PAGE_SIZE) if tab != SAME else []
        same = choices.page_same(at, PAGE_SIZE) if tab == SAME else []
        newer = choices.count_newer()
    here = args(choice) | {"tab": tab, "page": at}
    first, last = at * PAGE_SIZE + 1, at * PAGE_SIZE + len(shown) + len(same)
    return bar(job, choice, plan) | {
        **found_in(known),
        "undone": job.params.get("undone"),
        "lost": job.params.get("lost", 0),
        "line": _undo_line(job) if is_undo(job) else _summary(known),
        "counts": known.plan.counts,
        "total": known.plan.in_mode(choice.mode).counts.changes,
        "newer": newer,
        "modes": [(mode, address(job, _in_mode(choice, mode), tab=tab)) for mode in Mode],
        "tab": tab,
        "tabs": _tabs(job, choice, tab, totals),
        "rows": [row(job, listed, choice, here) for listed in shown],
        "same": [(change, catalogue.encode_id(change.id)) for change in imports.same(job, same)],
        "bulk": _bulk(job, tab, choice.mode, totals[tab]) if totals[tab] else [],
        "here": here | {"content": known.plan.content},
        "shown": gettext(
            "%(first)s–%(last)s of %(total)s", first=number(first), last=number(last), total=number(totals[tab])
        ),
        "previous": address(job, choice, tab=tab, page=at - 1) if at else None,
        "next": address(job, choice, tab=tab, page=at + 1) if last < totals[tab] else None,
        "is_changed": bool((job.result or {}).get("is_changed")),
        "failure": [message(said) for said in imports.failure(job)],
    }


def bar(job: Job, choice: Choice, plan: Plan) -> dict[str, Any]:
    """What the foot of the review shows: it changes with every choice."""
    return {
        "choice": choice,
        "plan": plan,
        "confirm_address": url_for(".confirm", id=job.id, **args(choice)),
        "fields": fields(plan, choice),
    }


def _totals(known: Report, since: int) -> dict[str, int]:
    counts = known.plan.counts
    totals = {"changed": counts.updated, "added": counts.created, "only-here": counts.only_here}
    return totals | {SAME: counts.unchanged} | ({_SINCE: since} if since else {})


def current_tab(totals: dict[str, int]) -> str:
    """The tab that was asked for; else what changed since it was shown, else the first that holds something."""
    tab = request.args.get("tab", "")
    if tab in totals:
        return tab
    return _SINCE if _SINCE in totals else next((name for name, total in totals.items() if total), "changed")


def _page_number() -> int:
    text = request.args.get("page", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def _tabs(job: Job, choice: Choice, tab: str, totals: dict[str, int]) -> list[dict[str, Any]]:
    labels = {name: label for name, (_, label) in TABS.items()}
    labels |= {SAME: N_("Unchanged"), _SINCE: N_("Changed since you looked")}
    return [
        {"label": gettext(labels[name]), "href": address(job, choice, tab=name), "count": total, "current": name == tab}
        for name, total in totals.items()
    ]


def can_choose(action: Action, mode: Mode) -> bool:
    """Whether the mode leaves something to decide about records of this kind."""
    if action is Action.UPDATE:
        return mode is not Mode.SKIP
    return action is Action.CREATE or mode is Mode.REPLACE


def row(job: Job, listed: Listed, choice: Choice, here: dict[str, Any]) -> dict[str, Any]:
    """One change as its row shows it; `here` is the page on which it stands."""
    change = listed.change
    options = None
    if can_choose(change.action, choice.mode):
        keep, take = _UNDO_WORDS if is_undo(job) else _WORDS[change.action]
        options = [("keep", gettext(keep)), ("take", gettext(take))]
    return {
        "number": listed.number,
        "change": change,
        "is_newer": listed.is_newer,
        "value": "keep" if listed.is_kept else "take",
        "options": options,
        "differs": field_diffs.names(change.fields, change.lines_added, change.lines_removed),
        "href": url_for(".change", id=job.id, number=listed.number, **here),
    }


def opened(job: Job, listed: Listed) -> list[FieldDiff]:
    """The differences of one record, field by field; of one that only one side holds, what it says."""
    blank = Record(id=listed.change.id, title="", emoji="")
    mine, theirs = imports.sides(job, listed.change.id)
    return field_diffs.between(mine or blank, theirs or blank)


def _bulk(job: Job, tab: str, mode: Mode, total: int) -> list[tuple[str, str]]:
    """The buttons that decide about everything on a tab: their value and their words."""
    shown = number(total)
    if is_undo(job):
        return [
            ("take", ngettext("Undo it", "Undo all %(count)s", total, count=shown)),
            ("keep", ngettext("Keep mine for it", "Keep mine for all %(count)s", total, count=shown)),
        ]
    action = TABS[tab][0] if tab in TABS else Action.UPDATE
    if tab == SAME or (tab in TABS and not can_choose(action, mode)):
        return []
    return {
        Action.UPDATE: [
            ("take", ngettext("Take file for it", "Take file for all %(count)s", total, count=shown)),
            ("keep", ngettext("Keep mine for it", "Keep mine for all %(count)s", total, count=shown)),
        ],
        Action.CREATE: [
            ("take", ngettext("Add it", "Add all %(count)s", total, count=shown)),
            ("keep", ngettext("Skip it", "Skip all %(count)s", total, count=shown)),
        ],
        Action.ONLY_HERE: [
            ("take", ngettext("Delete it", "Delete all %(count)s", total, count=shown)),
            ("keep", ngettext("Keep it", "Keep all %(count)s", total, count=shown)),
        ],
    }[action]


def save(job: Job, choice: Choice) -> None:
    """Note what the form of one page says."""
    tab, bulk = request.form.get("tab", ""), request.form.get("bulk")
    with imports.choices(job) as choices:
        if bulk in ("keep", "take") and tab in TABS:
            choices.decide_all(TABS[tab][0], keep=bulk == "keep")
        elif bulk in ("keep", "take"):
            choices.decide_since(keep=bulk == "keep")
        else:
            choices.decide(_decisions(), choice.mode)


def _decisions() -> dict[int, bool]:
    """Of the fields `choice-NUMBER` those that say keep or take."""
    found = {}
    for name, value in request.form.items():
        digits = name.removeprefix("choice-")
        if name != digits and digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
            found[int(digits)] = value == "keep"
    return found


def _undo_line(job: Job) -> str:
    """Whose import is undone, of when, and what that means for later edits."""
    return gettext(
        "Undo of the import of %(name)s by %(who)s, %(when)s: only what it changed, as it was before. What was edited"
        " since is kept unless you choose otherwise.",
        name=job.params["undone"],
        who=actor_name(job.params["by"]),
        when=moment(datetime.fromisoformat(job.params["at"])),
    )


def _summary(known: Report) -> str:
    """What the check found, in a sentence."""
    count = known.document.count
    templates = {
        Integrity.RIGHT: ngettext(
            "Nothing has been written yet. The file holds %(count)s record, and its checksum is right.",
            "Nothing has been written yet. The file holds %(count)s records, and its checksum is right.",
            count,
            count=number(count),
        ),
        Integrity.WRONG: ngettext(
            "Nothing has been written yet. The file holds %(count)s record, and its checksum is wrong.",
            "Nothing has been written yet. The file holds %(count)s records, and its checksum is wrong.",
            count,
            count=number(count),
        ),
        Integrity.NONE: ngettext(
            "Nothing has been written yet. The file holds %(count)s record and no checksum.",
            "Nothing has been written yet. The file holds %(count)s records and no checksum.",
            count,
            count=number(count),
        ),
        Integrity.OTHER: ngettext(
            "Nothing has been written yet. The file holds %(count)s record, and its checksum is not the one noted.",
            "Nothing has been written yet. The file holds %(count)s records, and its checksum is not the one noted.",
            count,
            count=number(count),
        ),
    }
    return templates[known.document.integrity]


def facts(known: Report) -> list[tuple[str, Any]]:
    """The check report as names and values."""
    return [
        (gettext("Format"), gettext(_LAYOUTS[known.document.layout])),
        (gettext("Checksum"), gettext(_INTEGRITY[known.document.integrity])),
        (
            gettext("Records"),
            gettext("%(good)s of %(all)s", good=number(known.good_count), all=number(known.document.count)),
        ),
        (
            gettext("Made"),
            time_element(known.document.timestamp, "clock") if known.document.timestamp else gettext("not stated"),
        ),
        (gettext("Size"), size(known.document.size_bytes)),
    ]


def found_in(known: Report) -> dict[str, Any]:
    """What the check report shows."""
    return {"report": known, "facts": facts(known), "mapping": mapping(known), "looked_at": LOOKED_AT}


def mapping(known: Report) -> list[dict[str, Any]]:
    """Where each key of another program's file goes: key, place, in how many records it holds something, a value.

    Empty where the keys are ours and nothing else.
    """
    names = {key: name for name, key in catalogue.JSON_NAMES.items()}
    missing = [key for key in REQUIRED if known.keys and key not in known.keys]
    if not missing and known.keys.keys() <= names.keys():
        return []
    empty, kept = gettext("Nowhere: it is always empty"), gettext("Other fields, kept as it is")
    lacking = gettext("Not in the file: records without it cannot be read")
    return [{"key": key, "place": lacking, "count": number(0), "is_missing": True} for key in missing] + [
        {
            "key": key,
            "place": (field_diffs.label(names[key]) if key in names else kept) if seen.filled else empty,
            "count": number(seen.filled),
            "sample": seen.sample,
        }
        for key, seen in known.keys.items()
    ]


def choice_of(job: Job, args: Any) -> Choice:
    """What an address or a form decides about the file; an undo makes what was touched as the backup is."""
    mode = Mode.REPLACE if is_undo(job) else args.get("mode", "")
    return Choice(
        mode=Mode(mode) if mode in set(Mode) else Mode.MERGE,
        skip_bad=args.get("errors") == "skip",
        accept_altered=args.get("altered") == "accept",
    )


def _in_mode(choice: Choice, mode: Mode) -> Choice:
    return Choice(mode, choice.skip_bad, choice.accept_altered)


def args(choice: Choice) -> dict[str, Any]:
    """A choice as names and values of an address or a form; what is the default is left out."""
    found: dict[str, Any] = {"mode": str(choice.mode)} if choice.mode is not Mode.MERGE else {}
    found |= {"errors": "skip"} if choice.skip_bad else {}
    return found | ({"altered": "accept"} if choice.accept_altered else {})


def fields(plan: Plan, choice: Choice) -> dict[str, Any]:
    return args(choice) | {"fingerprint": plan.fingerprint}


def address(job: Job, choice: Choice, **more: Any) -> str:
    known = {name: value for name, value in more.items() if name in ("tab", "page")}
    return url_for(".show", id=job.id, **args(choice) | known)
