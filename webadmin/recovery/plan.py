"""The plan of a recovery on the disk: what the copy and the damaged file hold differently, and what somebody chose.

It lies beside the new database in one small SQLite file, so that it outlives the request, the page and the process.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webadmin import catalogue
from webadmin.catalogue import Change, Record, Unreadable
from webadmin.errors import N_, Conflict, NotFound
from webadmin.recovery import workshop

_SCHEMA = """
CREATE TABLE difference (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL,
    version_in_copy INTEGER, version_read INTEGER, line BLOB, is_fixed INTEGER NOT NULL DEFAULT 0,
    is_taken INTEGER NOT NULL);
CREATE INDEX difference_page ON difference (kind, number);
CREATE TABLE unreadable (number INTEGER PRIMARY KEY, row INTEGER NOT NULL, id TEXT);
CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE report (body BLOB NOT NULL);
CREATE TABLE edition (word TEXT NOT NULL);
"""
_BATCH = 500


class PlanChanged(Conflict):
    """What was shown is not what would be put in place."""

    def __init__(self) -> None:
        super().__init__(
            N_("The damaged file, the copy, or a choice changed since this was shown. Nothing was changed."),
            hint=N_("Look at the choices again, or build it anew."),
        )


class Kind(StrEnum):
    """Who holds an assistant: both, each otherwise; the damaged file alone; the copy alone."""

    BOTH = "both"
    READ = "read"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Difference:
    """An assistant that the damaged file holds otherwise than the copy, or not; versions are None where it is not.

    `is_taken`: the damaged file decides. `is_fixed`: there is no choice, since what was read cannot be used.
    """

    number: int
    kind: Kind
    id: str
    title: str
    version_in_copy: int | None
    version_read: int | None
    is_fixed: bool
    is_taken: bool


class Report(msgspec.Struct):
    """What building came to: from which copy, how much was read, and by what a change of either shows.

    `newer` is the backup that brought a snapshot up to date; `has_people`: whether the copy holds an account.
    """

    source: str
    source_sha256: str
    built_at: str
    identity: list[list[int] | None]
    has_file: bool
    has_people: bool = True
    newer: str | None = None
    in_copy: int = 0
    was_read: int = 0
    unreadable: int = 0


class Plan:
    """An open plan; made by `open_plan` and `new_plan`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def report(self) -> Report:
        """What building came to."""
        [(body,)] = self._connection.execute("SELECT body FROM report").fetchall()
        return msgspec.json.decode(body, type=Report)

    @property
    def edition(self) -> str:
        """A word that changes with every decision."""
        [(word,)] = self._connection.execute("SELECT word FROM edition").fetchall()
        return str(word)

    def finish(self, report: Report) -> None:
        """Note the report; from now on there are decisions."""
        with self._connection:
            self._connection.execute("INSERT INTO report VALUES (?)", (msgspec.json.encode(report),))
            self._connection.execute("DROP TABLE seen")
            self._renew()

    def add(self, mine: Record | None, read: Record) -> None:
        """List an assistant that the damaged file holds otherwise; what is newer there, or there alone, is taken."""
        is_newer = mine is None or (read.version or 1) > (mine.version or 1)
        self._connection.execute(
            "INSERT INTO difference (kind, id, title, version_in_copy, version_read, line, is_taken)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                Kind.BOTH if mine else Kind.READ,
                read.id,
                read.title,
                mine.version if mine else None,
                read.version,
                catalogue.encode(read),
                is_newer,
            ),
        )

    def add_seen(self, id: str) -> None:
        """The damaged file holds an assistant of this id, readable or not."""
        self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (id,))

    def add_unreadable(self, found: Unreadable) -> None:
        """A row of the damaged file cannot be read; the id that can still be told belongs to the copy's version."""
        self._connection.execute("INSERT INTO unreadable (row, id) VALUES (?, ?)", (found.row, found.id))

    def add_missing(self, base: Path) -> None:
        """List what the copy alone holds, and keep it: it was deleted since, or cannot be read any more.

        Nothing is listed when nothing at all was read: then all of it stands in the copy alone.
        """
        if not self._connection.execute("SELECT 1 FROM seen LIMIT 1").fetchone():
            return
        self._connection.commit()
        self._connection.execute("ATTACH ? AS base", (str(base),))
        self._connection.execute(
            "INSERT INTO difference (kind, id, title, version_in_copy, is_fixed, is_taken)"
            " SELECT ?, id, title, version, id IN (SELECT id FROM unreadable WHERE id IS NOT NULL), 0"
            " FROM base.assistants WHERE id NOT IN (SELECT id FROM seen) ORDER BY id",
            (Kind.COPY,),
        )
        self._connection.commit()
        self._connection.execute("DETACH base")

    def refuse(self, record: Record) -> None:
        """What was read of this assistant breaks the rules of the table: the copy's stands, if there is one."""
        changed = self._connection.execute(
            "UPDATE difference SET is_fixed=1, is_taken=0 WHERE id=? AND kind<>?", (record.id, Kind.COPY)
        )
        if not changed.rowcount:
            self._connection.execute(
                "INSERT INTO difference (kind, id, title, version_read, is_fixed, is_taken) VALUES (?, ?, ?, ?, 1, 0)",
                (Kind.READ, str(record.id), record.title, record.version),
            )

    def counts(self) -> dict[Kind, tuple[int, int]]:
        """Of each kind how many there are, and about how many the damaged file decides."""
        rows = self._connection.execute("SELECT kind, count(*), sum(is_taken) FROM difference GROUP BY kind")
        found = {Kind(kind): (total, taken) for kind, total, taken in rows}
        return {kind: found.get(kind, (0, 0)) for kind in Kind}

    def page(self, kind: Kind, number: int, size: int) -> list[Difference]:
        """One page, from 0, of the differences of a kind."""
        return list(self._listed("kind=? ORDER BY number LIMIT ? OFFSET ?", [kind, size, number * size]))

    def all(self) -> Iterator[Difference]:
        """Every difference."""
        return self._listed("1 ORDER BY number", [])

    def _listed(self, rest: str, values: list[object]) -> Iterator[Difference]:
        columns = "number, kind, id, title, version_in_copy, version_read, is_fixed, is_taken"
        rows = self._connection.execute(f"SELECT {columns} FROM difference WHERE {rest}", values)  # noqa: S608 (clauses from above, values apart)
        for number, kind, id, title, in_copy, read, is_fixed, is_taken in rows:
            yield Difference(number, Kind(kind), id, title, in_copy, read, bool(is_fixed), bool(is_taken))

    def unreadable(self, most: int) -> list[Unreadable]:
        """The first of the rows that cannot be read."""
        rows = self._connection.execute("SELECT row, id FROM unreadable ORDER BY number LIMIT ?", (most,))
        return [Unreadable(row, id) for row, id in rows]

    def sides(self, number: int) -> tuple[Record | None, Record | None]:
        """An assistant as the copy and as the damaged file has it. Raises NotFound."""
        found = self._connection.execute("SELECT id, line FROM difference WHERE number=?", (number,)).fetchone()
        if found is None:
            raise NotFound(N_("There is no such difference in this recovery."))
        with workshop.opened(base_path()) as engine, engine.connect() as base:
            return catalogue.find_record(Session(base), found[0]), _record(found[1])

    def decide(self, decisions: Mapping[int, bool]) -> None:
        """Let the damaged file (True) or the copy decide about the numbered ones."""
        values = [(is_taken, number, is_taken) for number, is_taken in decisions.items()]
        with self._connection:
            changed = self._connection.executemany(
                "UPDATE difference SET is_taken=? WHERE number=? AND NOT is_fixed AND is_taken<>?", values
            )
            if changed.rowcount > 0:
                self._renew()

    def decide_all(self, kind: Kind | None, *, is_taken: bool) -> None:
        """Let the damaged file (True) or the copy decide about all of a kind, or about everything."""
        with self._connection:
            self._connection.execute(
                "UPDATE difference SET is_taken=? WHERE NOT is_fixed AND coalesce(?, kind)=kind", (is_taken, kind)
            )
            self._renew()

    def changes(self, base: Connection, *, is_trial: bool = False) -> Iterator[Change]:
        """What is to be written over the copy; in a trial everything that could be chosen, but no deletion."""
        where, session, last = "line IS NOT NULL" if is_trial else "is_taken", Session(base), 0
        while rows := self._connection.execute(
            f"SELECT number, id, line FROM difference WHERE {where} AND number>? ORDER BY number LIMIT ?",  # noqa: S608 (one of the two clauses above)
            (last, _BATCH),
        ).fetchall():
            for last, id, line in rows:  # noqa: B007 (the last number is where the next batch begins)
                mine = catalogue.find_record(session, id)
                read = _record(line)
                yield Change(mine, None if read is None else above(mine, read))

    def commit(self) -> None:
        """Write what was listed."""
        self._connection.commit()

    def _renew(self) -> None:
        self._connection.execute("DELETE FROM edition")
        self._connection.execute("INSERT INTO edition VALUES (?)", (secrets.token_hex(8),))


def base_path() -> Path:
    """The database that was made from the copy alone."""
    return workshop.folder() / workshop.database().name


def plan_path() -> Path:
    """The plan, once building has ended."""
    return workshop.folder() / "plan.db"


@contextmanager
def new_plan() -> Iterator[Plan]:
    """A plan to be filled; it has its name when the block ends well."""
    draft = plan_path().with_suffix(".draft")
    with closing(sqlite3.connect(draft)) as connection:
        connection.executescript(_SCHEMA)
        yield Plan(connection)
        connection.commit()
    draft.replace(plan_path())


@contextmanager
def open_plan() -> Iterator[Plan]:
    """The plan that was built. Raises NotFound when there is none."""
    try:
        connection = sqlite3.connect(f"{plan_path().absolute().as_uri()}?mode=rw", uri=True)
    except sqlite3.OperationalError:
        raise NotFound(
            N_("No recovery is prepared."), hint=N_("Begin it on the health page, or run: flask recover")
        ) from None
    with closing(connection):
        yield Plan(connection)


def is_prepared() -> bool:
    """Whether a plan waits for a decision."""
    return plan_path().exists() and workshop.is_needed()


def _record(line: bytes | None) -> Record | None:
    return None if line is None else catalogue.decode(line, is_trusted=True)[0]


def above(mine: Record | None, read: Record) -> Record:
    """What is written over a record: a number must never stand for two texts (contract 4), whichever was chosen."""
    if mine is None or (read.version or 1) > (mine.version or 1):
        return read
    return msgspec.structs.replace(read, version=catalogue.next_version(mine.version))
