"""Reading the log: newest first, by who, what, object and time, page by page; and all of it for an export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, text

from webadmin import db
from webadmin.audit.acts import Act, Result

PAGE_SIZE = 50
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as it stands in the log. `act` is none of `Act` where a later version of the program wrote it."""

    number: int
    at: str
    who_kind: str
    who_id: str | None
    who_name: str | None
    act: str
    result: str
    thing_kind: str | None
    thing_id: str | None
    thing_name: str | None
    way: str
    address: str | None
    before: str | None
    after: str | None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_refusal(self) -> bool:
        """Whether somebody was refused."""
        return self.result == Result.REFUSED

    def as_json(self) -> dict[str, Any]:
        """The entry as exports and `--json` have it."""
        return {
            "number": self.number,
            "at": self.at,
            "who": {"kind": self.who_kind, "id": self.who_id, "name": self.who_name},
            "act": self.act,
            "result": self.result,
            "object": {"kind": self.thing_kind, "id": self.thing_id, "name": self.thing_name},
            "way": self.way,
            "address": self.address,
            "before": self.before,
            "after": self.after,
            "details": self.details,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: `who` is kind and id, `thing` an id or a name, times are stored texts, from and before."""

    who: tuple[str, str | None] | None = None
    act: Act | None = None
    thing_kind: str | None = None
    thing: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One page, newest first, and the numbers with which to go on: `older` and `newer`, None where nothing is."""

    entries: list[Entry]
    older: int | None
    newer: int | None


def find(connection: Connection, wanted: Wanted, *, older: int | None = None, newer: int | None = None) -> Found:
    """The newest page, the one before the entry `older`, or the one after the entry `newer`."""
    # One more than a page holds tells whether there is another.
    entries = _read(connection, wanted, older, newer, PAGE_SIZE + 1)
    is_more, entries = len(entries) > PAGE_SIZE, entries[:PAGE_SIZE]
    if newer is not None:
        entries.reverse()
    if not entries:
        return Found([], None, None)
    has_older = is_more if newer is None else True
    has_newer = is_more if newer is not None else older is not None
    return Found(entries, entries[-1].number if has_older else None, entries[0].number if has_newer else None)


def iter_entries(wanted: Wanted) -> Iterator[Entry]:
    """All that is asked for, newest first; read in batches, so that no slow reader holds the database's log."""
    last: int | None = None
    while True:
        with db.reading() as connection:
            batch = _read(connection, wanted, last, None, _BATCH)
        yield from batch
        if len(batch) < _BATCH:
            return
        last = batch[-1].number


def _read(connection: Connection, wanted: Wanted, older: int | None, newer: int | None, most: int) -> list[Entry]:
    clauses, params = _clauses(wanted)
    if older is not None:
        clauses.append("number < :older")
    if newer is not None:
        clauses.append("number > :newer")
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    order = "DESC" if newer is None else "ASC"
    statement = text(f"SELECT * FROM aa_audit {where} ORDER BY number {order} LIMIT :most")  # noqa: S608 (clauses of ours)
    rows = connection.execute(statement, params | {"older": older, "newer": newer, "most": most})
    return [_entry(row) for row in rows.mappings()]


def _clauses(wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    clauses, params = list[str](), dict[str, Any]()
    if wanted.who is not None:
        kind, id = wanted.who
        clauses.append(
            "who_kind = :who_kind AND who_id IS NULL" if id is None else "who_kind = :who_kind AND who_id = :who_id"
        )
        params |= {"who_kind": kind, "who_id": id}
    if wanted.act is not None:
        clauses.append("act = :act")
        params["act"] = str(wanted.act)
    if wanted.thing_kind is not None:
        # The plus keeps SQLite from thinking of an index where the id finds a few.
        clauses.append("+thing_kind = :thing_kind")
        params["thing_kind"] = wanted.thing_kind
    if wanted.thing is not None:
        clauses.append(
            "number IN (SELECT number FROM aa_audit WHERE thing_id = :thing"
            " UNION SELECT number FROM aa_audit WHERE thing_name = :thing)"
        )
        params["thing"] = wanted.thing
    times = [("at >= :since", "since", wanted.since), ("at < :until", "until", wanted.until)]
    in_range = [clause for clause, _, value in times if value is not None]
    if in_range:
        # Numbers stand in the order of time but for a clock that jumped: between these two lies all that is asked for.
        where = " AND ".join(in_range)
        params |= {name: value for _, name, value in times if value is not None}
        clauses += [f"+{clause}" for clause in in_range]
        clauses.append(f"number >= (SELECT min(number) FROM aa_audit WHERE {where})")  # noqa: S608 (clauses of ours)
        clauses.append(f"number <= (SELECT max(number) FROM aa_audit WHERE {where})")  # noqa: S608 (clauses of ours)
    return clauses, params


def _entry(row: Any) -> Entry:
    columns = dict(row)
    try:
        details = json.loads(columns.pop("details"))
    except ValueError:
        details = {}
    before, after = columns.pop("before_ref"), columns.pop("after_ref")
    return replace(Entry(**columns, before=before, after=after), details=details if isinstance(details, dict) else {})
