"""Recovery of a damaged or lost database: from which copy, what differs, and the choice about each."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from webadmin import accounts, jobs, recovery, safety
from webadmin.catalogue import Record
from webadmin.errors import N_, NotFound
from webadmin.jobs import State
from webadmin.recovery import CopyKind, Difference, Kind, Plan
from webadmin.security import current_actor
from webadmin.web import field_diffs, recoveries
from webadmin.web.filters import number
from webadmin.web.htmx import page, redirect, wants_fragment

bp = Blueprint("recovery", __name__, url_prefix="/health/recovery")

PAGE_SIZE = 25
_PATIENCE_SECONDS = 0.8
_UNREADABLE_SHOWN = 50
_MOST_DIGITS = 8
_TABS = {
    Kind.BOTH: N_("Differ"),
    Kind.READ: N_("Only in the damaged file"),
    Kind.COPY: N_("Only in the copy"),
}
# What the copy decides, and what the damaged file decides.
_WORDS = {
    Kind.BOTH: (N_("Take copy"), N_("Take read")),
    Kind.READ: (N_("Leave out"), N_("Take read")),
    Kind.COPY: (N_("Take copy"), N_("Delete")),
}


@bp.before_request
def _for_administrators() -> None:
    accounts.require(current_actor(), accounts.Permission.ADMINISTER)


@bp.get("")
def show() -> ResponseReturnValue:
    """What was prepared: the report, and the differences with the choice about each."""
    if not recovery.is_prepared():
        return redirect(url_for("health.show"))
    return _page()


@bp.post("")
def begin() -> ResponseReturnValue:
    """Build beside the damaged file, from the newest sound copy or the one that was chosen."""
    job = recoveries.start_build(current_actor(), request.form.get("name") or None)
    job = jobs.wait(job.id, _PATIENCE_SECONDS)
    return redirect(url_for(".show") if job.state is State.DONE else url_for("jobs.show", id=job.id))


@bp.get("/copies")
def copies() -> ResponseReturnValue:
    """The copies from which it can be built."""
    return page("recovery/copies.html", copies=recovery.list_copies(), kinds=CopyKind)


@bp.get("/<int(max=9223372036854775807):number>")
def one(number: int) -> ResponseReturnValue:
    """One assistant as the copy and as the damaged file has it, field by field."""
    with recovery.open_plan() as plan:
        mine, read = plan.sides(number)
    known = read or mine
    if known is None:
        raise NotFound(N_("There is no such difference in this recovery."))
    blank = Record(id=known.id, title="", emoji="")
    return page(
        "recovery/one.html",
        title=known.title,
        diffs=field_diffs.between(mine or blank, read or blank),
        back=url_for(".show", tab=request.args.get("tab"), page=request.args.get("page")),
    )


@bp.post("/choices")
def choose() -> ResponseReturnValue:
    """Note what was chosen on one page of the differences."""
    kind, bulk = _tab(request.form), request.form.get("bulk")
    with recovery.open_plan() as plan:
        if bulk in ("copy", "read"):
            plan.decide_all(kind, is_taken=bulk == "read")
        else:
            plan.decide(_decisions())
        if wants_fragment():
            return page("recovery/show.html", "recovery/_bar.html", **_shown(plan))
    return redirect(url_for(".show", tab=kind, page=_page_number(request.form) or None))


@bp.post("/apply")
def apply() -> ResponseReturnValue:
    """Put it in place."""
    edition = request.form.get("edition", "")
    with recovery.open_plan() as plan:
        is_shown = plan.edition == edition
    if not is_shown:
        return _page(status=409)
    job = recoveries.start_apply(current_actor(), edition)
    return redirect(url_for("jobs.show", id=jobs.wait(job.id, _PATIENCE_SECONDS).id))


@bp.post("/discard")
def discard() -> ResponseReturnValue:
    """Drop what was prepared; the damaged file stays as it is."""
    recovery.discard(current_actor())
    safety.forget()
    return redirect(url_for("health.show"), toast=gettext("What was prepared is gone; the damaged file is as it was."))


def _page(*, status: int = 200) -> flask.Response:
    with recovery.open_plan() as plan:
        return page("recovery/show.html", status=status, is_changed=status == 409, **_shown(plan))


def _shown(plan: Plan) -> dict[str, Any]:
    counts, report = plan.counts(), plan.report
    tab, at = _tab(request.values, counts), _page_number(request.values)
    listed, (total, _) = plan.page(tab, at, PAGE_SIZE), counts[tab]
    first, last = at * PAGE_SIZE + 1, at * PAGE_SIZE + len(listed)
    return {
        "report": report,
        "edition": plan.edition,
        "is_backup": recovery.kind_of(report.source) is CopyKind.BACKUP,
        "taken": counts[Kind.READ][1] + counts[Kind.BOTH][1],
        "deleted": counts[Kind.COPY][1],
        "afterwards": report.in_copy + counts[Kind.READ][1] - counts[Kind.COPY][1],
        "tab": tab,
        "at": at,
        "tabs": [
            {
                "label": gettext(label),
                "href": url_for(".show", tab=kind),
                "count": counts[kind][0],
                "current": kind == tab,
            }
            for kind, label in _TABS.items()
        ],
        "rows": [_row(each, tab, at) for each in listed],
        "bulk": _bulk(tab, total),
        "pager": gettext(
            "%(first)s–%(last)s of %(total)s", first=number(first), last=number(last), total=number(total)
        ),
        "previous": url_for(".show", tab=tab, page=at - 1) if at else None,
        "next": url_for(".show", tab=tab, page=at + 1) if last < total else None,
        "unreadable": plan.unreadable(_UNREADABLE_SHOWN),
    }


def _row(difference: Difference, tab: Kind, at: int) -> dict[str, Any]:
    copy, read = _WORDS[difference.kind]
    return {
        "difference": difference,
        "options": None if difference.is_fixed else [("copy", gettext(copy)), ("read", gettext(read))],
        "value": "read" if difference.is_taken else "copy",
        "href": url_for(".one", number=difference.number, tab=tab, page=at or None),
    }


def _bulk(kind: Kind, total: int) -> list[tuple[str, str]]:
    """The buttons that decide about all of a kind."""
    if total < 2:
        return []
    shown = number(total)
    copy = ngettext("Take copy for it", "Take copy for all %(count)s", total, count=shown)
    read = ngettext("Take read for it", "Take read for all %(count)s", total, count=shown)
    if kind is Kind.READ:
        copy = ngettext("Leave it out", "Leave all %(count)s out", total, count=shown)
    if kind is Kind.COPY:
        read = ngettext("Delete it", "Delete all %(count)s", total, count=shown)
    return [("copy", copy), ("read", read)]


def _tab(values: Any, counts: dict[Kind, tuple[int, int]] | None = None) -> Kind:
    """The tab that was asked for; else the first that holds something."""
    asked = values.get("tab", "")
    if asked in set(Kind):
        return Kind(asked)
    return next((kind for kind, (total, _) in (counts or {}).items() if total), Kind.BOTH)


def _page_number(values: Any) -> int:
    text = values.get("page") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def _decisions() -> dict[int, bool]:
    """Of the fields `choice-NUMBER` those that say what decides."""
    found = {}
    for name, value in request.form.items():
        digits = name.removeprefix("choice-")
        if name != digits and digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
            found[int(digits)] = value == "read"
    return found
