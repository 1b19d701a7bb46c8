"""What differs between two states of an assistant, field by field, for the diff components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request, url_for
from flask_babel import gettext, ngettext

from webadmin import catalogue
from webadmin.catalogue import Record
from webadmin.errors import N_
from webadmin.web import differences
from webadmin.web.assistant_forms import LABELS
from webadmin.web.differences import Line, Parts
from webadmin.web.filters import STATUSES, number

TIMES = {
    "created_at": N_("Created"),
    "updated_at": N_("Edited"),
    "reviewed_at": N_("Reviewed"),
    "published_at": N_("Published"),
}
_OTHERS = {"id": N_("Id"), "version": N_("Version")}
TEXTS = frozenset({"title", "emoji", "desc", "prompt", "tags", "status", "author"})
"""What is shown of an assistant that only one side holds."""
_VISIBLE = str.maketrans({" ": "·", "\t": "⇥", "\r": "␍", "\u00a0": "⍽", "\u3000": "□"})
_LONG = frozenset({"prompt"})


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field of two states: `lines` of a long text, else `parts`; `can_return` when it may come back alone.

    `is_split` says that the lines stand in two columns, `is_long` that they were compared as wholes alone.
    """

    name: str
    label: str
    lines: list[Line] | None
    parts: Parts
    can_return: bool
    is_split: bool = False
    is_long: bool = False


def between(old: Record, new: Record) -> list[FieldDiff]:
    """Every field that differs, those that people write first; times only where nothing else differs.

    Long texts in two columns where the address says so.
    """
    found = [_diff(name, old, new) for name in told(catalogue.changed_fields(old, new))]
    return [_split(each) for each in found] if _is_split() else found


def _is_split() -> bool:
    return request.args.get("view") == "side"


def _split(diff: FieldDiff) -> FieldDiff:
    return replace(diff, lines=differences.beside(diff.lines), is_split=True) if diff.lines is not None else diff


def views() -> list[dict[str, Any]]:
    """The two ways to show long texts, as links to this page."""
    args = {**(request.view_args or {}), **request.args.to_dict(flat=False)}
    args.pop("closed", None)
    return [
        {
            "label": gettext(label),
            "href": url_for(str(request.endpoint), **args | {"view": view}),
            "current": is_split == _is_split(),
        }
        for label, view, is_split in ((N_("Inline"), None, False), (N_("Side by side"), "side", True))
    ]


def lines(old: str, new: str) -> list[Line]:
    """How two long texts differ, line by line."""

    def folded(n: int) -> str:
        return ngettext("… %(count)s unchanged line", "… %(count)s unchanged lines", n, count=number(n))

    return differences.lines(old, new, folded=folded)


def told(fields: Iterable[str]) -> list[str]:
    """The changed fields worth naming: the time of an edit goes without saying when there is more."""
    names = list(fields)
    return [name for name in names if name not in TIMES] or names


def names(fields: Iterable[str], added: int = 0, removed: int = 0) -> str:
    """The same in words, with how many lines of the prompt came and went: "System prompt +4 −2, Tags"."""
    lines = f" +{added} −{removed}" if added or removed else ""
    return gettext(", ").join(label(name) + (lines if name in _LONG else "") for name in told(fields))


def label(name: str) -> str:
    """A field as people know it; a kept key as it is called."""
    known = LABELS.get(name) or TIMES.get(name) or _OTHERS.get(name)
    return gettext(known) if known else name


def shown(name: str, old: Any, new: Any) -> tuple[list[Line] | None, Parts]:
    """How two values of a field differ: by line for a long text, as a set for tags, by word else.

    Where blanks and line ends alone differ, they are made visible.
    """
    if isinstance(old, str) and isinstance(new, str) and old.split() == new.split():
        old, new = old.translate(_VISIBLE), new.translate(_VISIBLE)
    if name in _LONG:
        return lines(old, new), []
    if name == "tags":
        return None, _tag_parts(_list(old), _list(new))
    return None, differences.words(_text(name, old), _text(name, new))


def _diff(name: str, old: Record, new: Record) -> FieldDiff:
    is_known = name in catalogue.JSON_NAMES
    values = [getattr(each, name) if is_known else each.extra.get(name, b"").decode() for each in (old, new)]
    return FieldDiff(
        name,
        label(name),
        *shown(name, *values),
        can_return=name in catalogue.SINGLE_FIELDS or not is_known,
        is_long=name in _LONG and max(map(len, values)) > differences.WORDS_IN_TEXTS_UP_TO,
    )


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    if name == "status" and value in STATUSES:
        return gettext(STATUSES[value].text)
    if isinstance(value, list):
        return gettext(", ").join(map(str, value))
    return "" if value is None else str(value)


def _tag_parts(before: Sequence[str], after: Sequence[str]) -> Parts:
    parts = [(tag, "same" if tag in before else "added") for tag in after]
    return parts + [(tag, "removed") for tag in before if tag not in after]


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []
