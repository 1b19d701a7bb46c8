"""Acts on several assistants: the ticked ones at once, all that match a list only after a question with its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from werkzeug.datastructures import MultiDict

from webadmin import catalogue, operations
from webadmin.catalogue import CHANGED, DONE, FULL, GONE, NOT_ALLOWED, Act, Chosen
from webadmin.db import translated_errors
from webadmin.errors import N_
from webadmin.operations import BulkResult
from webadmin.security import current_actor
from webadmin.web import texts
from webadmin.web.assistants.blueprint import bp, reading, way_back
from webadmin.web.filters import sentences
from webadmin.web.htmx import page, redirect
from webadmin.web.listing import Listing

# Only the first titles are named in a question.
_NAMED = 10
_BEFORE = N_("before a change of many")


def chosen() -> Chosen:
    """What the form of the list stands for: the ticked rows, or all that match the list it stood under."""
    seen_at = request.form.get("seen_at", "")
    if not request.form.get("all"):
        return Chosen(tuple(dict.fromkeys(request.form.getlist("id"))), seen_at=seen_at)
    seen = urlsplit(way_back())
    if seen.path != url_for("assistants.list"):
        # Without its list, "all that match" would be the whole catalogue.
        abort(400)
    args = MultiDict(parse_qsl(seen.query))
    return Chosen(query=Listing.from_args(args).query, seen_at=seen_at)


def nothing_selected() -> ResponseReturnValue:
    """Back to the list, which says so."""
    return redirect(way_back(), toast=gettext("Nothing was selected."), kind="info")


@bp.post("/assistants/publish", defaults={"status": "published"}, endpoint="publish_selected")
@bp.post("/assistants/unpublish", defaults={"status": "draft"}, endpoint="unpublish_selected")
def move_selected(status: str) -> ResponseReturnValue:
    """Move the chosen ones there, in one transaction; what changed since the list was read is left out."""
    of, act = chosen(), catalogue.to_status(status)
    is_whole_list = of.query is not None
    if is_whole_list and not request.form.get("confirmed"):
        with translated_errors():
            found = catalogue.foresee(reading(), current_actor(), of, act)
        rest = _left_alone(found, status)
        if not found[DONE]:
            return _told(found, rest)
        return page(
            "assistants/move_selected.html",
            "assistants/_move_selected.html",
            of=of,
            expected=found.total(),
            count=found[DONE],
            target=status,
            rest=rest,
            back=way_back(),
        )
    result = _changed(of, act, before=_BEFORE if is_whole_list else None)
    return _told(result.counts, [*_moved(result.counts, status), *_left_alone(result.counts, status)])


@bp.post("/assistants/tags")
def tag_selected() -> ResponseReturnValue:
    """Ask which tags to add and which to take away; with the answer, do so in one transaction."""
    of = chosen()
    add, remove = (texts.split_tags(request.form.get(name, "")) for name in ("tags", "untag"))
    if not (add or remove):
        with translated_errors():
            count = len(catalogue.chosen_ids(reading(), of))
        if not count:
            return nothing_selected()
        is_wrong = bool(request.form.get("confirmed"))
        return page(
            "assistants/tag_selected.html",
            "assistants/_tag_selected.html",
            status=422 if is_wrong else 200,
            of=of,
            expected=count,
            is_wrong=is_wrong,
            back=way_back(),
        )
    result = _changed(of, catalogue.retag(add, remove), before=_BEFORE if of.query is not None else None)
    return _told(result.counts, _tagged(result.counts))


@bp.post("/assistants/delete")
def delete_selected() -> ResponseReturnValue:
    """Ask how many are to go; with the answer, move them to the trash after a safety backup, in one transaction."""
    of, back = chosen(), way_back()
    if not request.form.get("confirmed"):
        with translated_errors():
            session = reading()
            found = catalogue.foresee(session, current_actor(), of, catalogue.to_trash)
            ids = catalogue.chosen_ids(session, of)[:_NAMED]
            named = [record for each in ids if (record := catalogue.find_record(session, each)) is not None]
        if not found[DONE]:
            return _told(found, _meanwhile(found))
        return page(
            "assistants/delete_selected.html",
            "assistants/_delete_selected.html",
            of=of,
            expected=found.total(),
            count=found[DONE],
            named=named,
            back=back,
            days=catalogue.KEPT_FOR.days,
        )
    result = _changed(of, catalogue.to_trash, before=N_("before a deletion"))
    numbers, done = result.trash_numbers, result.counts[DONE]
    deleted = ngettext("Deleted %(num)d assistant.", "Deleted %(num)d assistants.", done) if done else None
    undo_url = url_for("assistants.undo_delete", first=numbers.start, last=numbers.stop - 1, back=back)
    return _told(result.counts, [deleted, *_meanwhile(result.counts)], undo_url if done else None)


def _changed(of: Chosen, act: Act, *, before: str | None) -> BulkResult:
    """Do it to what was chosen, if it is still as many as the question said."""
    expected = request.form.get("expected", type=int)
    return operations.change_assistants(current_actor(), of, act, before=before, expected=expected)


def _told(found: Counter[str], parts: Sequence[str | None], undo_url: str | None = None) -> ResponseReturnValue:
    said = sentences(parts)
    if not said:
        return nothing_selected()
    return redirect(way_back(), toast=said, kind="ok" if found[DONE] else "info", undo_url=undo_url)


def _moved(found: Counter[str], status: str) -> list[str]:
    done = found[DONE]
    if not done:
        return []
    if status == "published":
        return [ngettext("%(num)d published.", "%(num)d published.", done)]
    return [ngettext("%(num)d unpublished.", "%(num)d unpublished.", done)]


def _left_alone(found: Counter[str], status: str) -> list[str]:
    already, rejected = found["published"], found["rejected"]
    if status == "published":
        counted = [
            (already, ngettext("%(num)d was published already.", "%(num)d were published already.", already)),
            (
                rejected,
                ngettext(
                    "%(num)d is rejected: submit it for review first.",
                    "%(num)d are rejected: submit them for review first.",
                    rejected,
                ),
            ),
        ]
    else:
        stayed = found.total() - sum(found[each] for each in (DONE, CHANGED, GONE, NOT_ALLOWED))
        counted = [(stayed, ngettext("%(num)d was not published.", "%(num)d were not published.", stayed))]
    return [*(text for count, text in counted if count), *_meanwhile(found)]


def _tagged(found: Counter[str]) -> list[str]:
    done, same, full = found[DONE], found["same"], found[FULL]
    counted = [
        (done, ngettext("Tags of %(num)d assistant changed.", "Tags of %(num)d assistants changed.", done)),
        (same, ngettext("%(num)d had them so already.", "%(num)d had them so already.", same)),
        (
            full,
            ngettext(
                "%(num)d would break the limits of tags and was left out.",
                "%(num)d would break the limits of tags and were left out.",
                full,
            ),
        ),
    ]
    return [*(text for count, text in counted if count), *_meanwhile(found)]


def _meanwhile(found: Counter[str]) -> list[str]:
    changed, gone, closed = found[CHANGED], found[GONE], found[NOT_ALLOWED]
    counted = [
        (
            closed,
            ngettext(
                "%(num)d needs a reviewer or an administrator and was left out.",
                "%(num)d need a reviewer or an administrator and were left out.",
                closed,
            ),
        ),
        (
            changed,
            ngettext(
                "%(num)d was changed meanwhile and left out.", "%(num)d were changed meanwhile and left out.", changed
            ),
        ),
        (gone, ngettext("%(num)d was deleted meanwhile.", "%(num)d were deleted meanwhile.", gone)),
    ]
    return [text for count, text in counted if count]
