"""A save that came second: both versions field by field, nothing typed lost, the person chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from webadmin import catalogue
from webadmin.catalogue import Record
from webadmin.web import field_diffs
from webadmin.web.assistant_forms import FIELDS, LABELS, Typed
from webadmin.web.differences import Line, Parts
from webadmin.web.htmx import page


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a field: how it differs from what both started from."""

    is_changed: bool
    lines: list[Line] | None
    parts: Parts


@dataclass(frozen=True, slots=True)
class Choice:
    """A field in which the two versions differ, and which of them is chosen."""

    name: str
    label: str
    mine: Side
    theirs: Side
    chosen: str

    @property
    def is_contested(self) -> bool:
        """Whether both sides changed it."""
        return self.mine.is_changed and self.theirs.is_changed


def conflict_page(session: Session, assistant_id: str, typed: Typed) -> ResponseReturnValue:
    """409: what was typed beside what is stored now. Raises NotFound when it was deleted meanwhile."""
    theirs = catalogue.get(session, assistant_id)
    started = request.form.get("base_version", type=int)
    if started is None:
        started = request.form.get("version", type=int)
    base = catalogue.find_version(session, assistant_id, started) if started is not None else None
    choices = _choices(typed.fields(base or theirs), theirs, base)
    last = catalogue.list_revisions(session, assistant_id, most=1)
    note = request.form.get("review_note", "")
    return page(
        "assistants/conflict.html",
        "assistants/_conflict.html",
        status=409,
        record=theirs,
        typed=typed,
        choices=choices,
        contested=sum(choice.is_contested for choice in choices),
        started=started,
        last=last[0] if last else None,
        note=note if note != (theirs.review_note or "") else None,
    )


def gone_page(session: Session, assistant_id: str, typed: Typed) -> ResponseReturnValue:
    """409: it was deleted while somebody was editing; the text can become a new assistant."""
    entry = catalogue.newest_in_trash(session, assistant_id)
    return page(
        "assistants/gone.html",
        "assistants/_gone.html",
        status=409,
        typed=typed,
        entry=entry,
        new_id=catalogue.new_id(),
    )


def _choices(mine: dict[str, Any], theirs: Record, base: Record | None) -> list[Choice]:
    found = [
        _choice(
            name, mine[name], getattr(theirs, name), getattr(base, name) if base else None, is_known=base is not None
        )
        for name in FIELDS
        if mine[name] != getattr(theirs, name)
    ]
    return sorted(found, key=lambda choice: not choice.is_contested)


def _choice(name: str, mine: Any, theirs: Any, base: Any, *, is_known: bool) -> Choice:
    # Without the common base each side is shown against the other one, and both count as changed.
    my_side = _side(name, base if is_known else theirs, mine, is_changed=not is_known or mine != base)
    their_side = _side(name, base if is_known else mine, theirs, is_changed=not is_known or theirs != base)
    default = "mine" if my_side.is_changed else "theirs"
    sent = request.form.get("all") or request.form.get(f"choice-{name}")
    return Choice(
        name=name,
        label=gettext(LABELS[name]),
        mine=my_side,
        theirs=their_side,
        chosen=sent if sent in ("mine", "theirs") else default,
    )


def _side(name: str, old: Any, new: Any, *, is_changed: bool) -> Side:
    return Side(is_changed, *field_diffs.shown(name, old, new))
