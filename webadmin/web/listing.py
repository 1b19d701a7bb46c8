"""The list of assistants and its address: everything that a list shows stands in the query string, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from unicodedata import east_asian_width

from flask import url_for
from werkzeug.datastructures import MultiDict

from webadmin.catalogue import STATUSES, Query, Sort

PAGE_SIZES = (25, 50, 100)
_VISIBILITY = {"public": True, "private": False}
# SQLite refuses expressions nested deeper than 1,000; nobody combines so many by hand.
_MOST_TAGS = 20
# In columns, of which a Chinese character takes two: no list has room for more in a line.
_EXCERPT_BEFORE, _EXCERPT_WIDTH = 40, 120


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list shows (`query`) and how."""

    query: Query = field(default_factory=Query)
    is_compact: bool = False

    @classmethod
    def from_args(cls, args: MultiDict[str, str]) -> Listing:
        """Read a query string; what makes no sense there counts as absent."""
        status, sort, size = args.get("status", ""), args.get("sort", ""), args.get("size", "")
        query = Query(
            search=args.get("q", "").strip(),
            status=status if status in STATUSES else None,
            author=args.get("author") or None,
            tags=tuple(dict.fromkeys(tag for tag in args.getlist("tag") if tag))[:_MOST_TAGS],
            is_public=_VISIBILITY.get(args.get("visibility", "")),
            sort=Sort(sort) if sort in set(Sort) else Sort.EDITED,
            cursor=args.get("cursor") or None,
            page_size=int(size) if size in {str(n) for n in PAGE_SIZES} else PAGE_SIZES[0],
        )
        return cls(query, is_compact=args.get("view") == "compact")

    @property
    def visibility(self) -> str | None:
        """The visibility filter as it stands in the address."""
        return next((word for word, value in _VISIBILITY.items() if value is self.query.is_public), None)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the tab narrows the list."""
        of = self.query
        return bool(of.search or of.author or of.tags or of.is_public is not None)

    def pairs(self) -> list[tuple[str, str]]:
        """The query string's names and values, without what is the default; the cursor aside."""
        return list(self._pairs())

    def _pairs(self) -> Iterator[tuple[str, str]]:
        of = self.query
        if of.search:
            yield "q", of.search
        if of.status:
            yield "status", of.status
        yield from (("tag", tag) for tag in of.tags)
        if of.author:
            yield "author", of.author
        if self.visibility:
            yield "visibility", self.visibility
        if of.sort is not Sort.EDITED:
            yield "sort", str(of.sort)
        if of.page_size != PAGE_SIZES[0]:
            yield "size", str(of.page_size)
        if self.is_compact:
            yield "view", "compact"

    def href(self, *, is_compact: bool | None = None, **changes: Any) -> str:
        """The address of this list with `changes` to its query, at the first page unless `cursor` is given."""
        changed = Listing(
            replace(self.query, **{"cursor": None, **changes}),
            is_compact=self.is_compact if is_compact is None else is_compact,
        )
        return url_for("assistants.list", **changed._args(), cursor=changed.query.cursor)

    def facet_href(self, name: str) -> str:
        """The address of the values that the filter `name` can take in this list."""
        return url_for("assistants.facet", name=name, **self._args())

    def _args(self) -> dict[str, Any]:
        args: dict[str, Any] = {}
        for name, value in self.pairs():
            args.setdefault(name, []).append(value)
        return args

    def without_tag(self, tag: str) -> str:
        """The address of this list without one of its tags."""
        return self.href(tags=tuple(other for other in self.query.tags if other != tag))


def excerpt(text: str, needle: str) -> str:
    """The part of a long text that a list shows: around the first place where `needle` is found, else its beginning."""
    end = _fitting(text, _EXCERPT_WIDTH)
    if end == len(text):
        return text
    start = 0
    found = re.search(re.escape(needle), text, re.IGNORECASE) if needle else None
    if found and found.end() > end:
        before = text[: found.start()][::-1]
        start = found.start() - _fitting(before, _EXCERPT_BEFORE)
        end = start + _fitting(text[start:], _EXCERPT_WIDTH)
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def _fitting(text: str, width: int) -> int:
    """How many characters at the beginning of `text` take no more than `width` columns."""
    for at, character in enumerate(text):
        width -= 2 if east_asian_width(character) in "WF" else 1
        if width < 0:
            return at
    return len(text)
