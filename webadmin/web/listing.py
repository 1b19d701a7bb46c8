"""The list of assistants and its address: everything that a list shows stands in the query string, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, date, datetime, time, timedelta
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from flask import url_for
from werkzeug.datastructures import MultiDict

from webadmin import clock, config
from webadmin.catalogue import STATUSES, Query, Sort

PAGE_SIZES = (25, 50, 100)
_VISIBILITY = {"public": True, "private": False}
# SQLite refuses expressions nested deeper than 1,000; nobody combines so many by hand.
_MOST_TAGS = 20
# Stored times have four digits of the year; at the end of the calendar there is no day after.
_FIRST_YEAR = 1000
_REVISIONS = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
# In columns, of which a Chinese character takes two: no list has room for more in a line.
_EXCERPT_BEFORE, _EXCERPT_WIDTH = 16, 120


class Days(NamedTuple):
    """From which day to which, both included, in the zone of the site; None: no bound."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, first: str, last: str) -> Days:
        """Days as an address writes them; what is none counts as absent, and an end before the start swaps them."""
        one, other = _day(first), _day(last)
        return cls(other, one) if one and other and other < one else cls(one, other)

    def narrow(self, query: Query) -> Query:
        """`query` with these bounds, as times of the catalogue."""
        return replace(
            query,
            edited_from=midnight(self.first) if self.first else None,
            edited_before=midnight(self.last + timedelta(days=1)) if self.last else None,
        )


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year < MAXYEAR else None


def _revisions(text: str) -> tuple[int, int] | None:
    found = _REVISIONS.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def midnight(day: date) -> str:
    """The beginning of a day in the zone of the site, as a stored time."""
    return clock.to_text(datetime.combine(day, time(), config.current().timezone))


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list shows (`query`) and how."""

    query: Query = field(default_factory=Query)
    is_compact: bool = False
    days: Days = field(default_factory=Days)

    @classmethod
    def from_args(cls, args: MultiDict[str, str]) -> Listing:
        """Read a query string; what makes no sense there counts as absent."""
        status, sort, size = args.get("status", ""), args.get("sort", ""), args.get("size", "")
        days = Days.read(args.get("from", ""), args.get("to", ""))
        query = Query(
            search=args.get("q", "").strip(),
            status=status if status in STATUSES else None,
            author=args.get("author") or None,
            tags=tuple(dict.fromkeys(tag for tag in args.getlist("tag") if tag))[:_MOST_TAGS],
            is_public=_VISIBILITY.get(args.get("visibility", "")),
            written=_revisions(args.get("changed", "")),
            sort=Sort(sort) if sort in set(Sort) else Sort.EDITED,
            cursor=args.get("cursor") or None,
            page_size=int(size) if size in {str(n) for n in PAGE_SIZES} else PAGE_SIZES[0],
        )
        return cls(days.narrow(query), is_compact=args.get("view") == "compact", days=days)

    @property
    def visibility(self) -> str | None:
        """The visibility filter as it stands in the address."""
        return next((word for word, value in _VISIBILITY.items() if value is self.query.is_public), None)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the tab narrows the list."""
        of = self.query
        return bool(of.search or of.author or of.tags or of.is_public is not None or of.written or any(self.days))

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
        if self.days.first:
            yield "from", self.days.first.isoformat()
        if self.days.last:
            yield "to", self.days.last.isoformat()
        if of.written:
            yield "changed", "{}-{}".format(*of.written)
        if of.sort is not Sort.EDITED:
            yield "sort", str(of.sort)
        if of.page_size != PAGE_SIZES[0]:
            yield "size", str(of.page_size)
        if self.is_compact:
            yield "view", "compact"

    def href(self, *, is_compact: bool | None = None, days: Days | None = None, **changes: Any) -> str:
        """The address of this list with `changes` to its query, at the first page unless `cursor` is given."""
        changed = Listing(
            replace(self.query, **{"cursor": None, **changes}),
            is_compact=self.is_compact if is_compact is None else is_compact,
            days=self.days if days is None else days,
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

    def recent(self, count: int) -> str:
        """The address of this list with what was edited today, or in the `count` days that end today."""
        today = clock.now().astimezone(config.current().timezone).date()
        return self.href(days=Days(today - timedelta(days=count - 1)))

    def without_days(self) -> str:
        """The address of this list whenever it was edited."""
        return self.href(days=Days())

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
