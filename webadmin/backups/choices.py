"""What differs between a file and the catalogue, and what somebody decided about each record of it.

Both lie in one small SQLite file, so that memory does not grow with the number of changes, and decisions outlive the
request, the page and the process.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from webadmin.backups.restore import MARK_BYTES, Action, Counts, Mode, PlannedChange, mark_of
from webadmin.errors import N_, NotFound

_SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS change (number INTEGER PRIMARY KEY, action TEXT NOT NULL, place INTEGER NOT NULL,
    id BLOB NOT NULL UNIQUE, mark BLOB NOT NULL, is_newer INTEGER NOT NULL, is_since INTEGER NOT NULL DEFAULT 0,
    kept INTEGER, line BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS change_page ON change (action, place);
CREATE INDEX IF NOT EXISTS change_since ON change (number) WHERE is_since;
CREATE INDEX IF NOT EXISTS change_kept ON change (action, kept, is_newer);
CREATE TABLE IF NOT EXISTS edition (word TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS same (place INTEGER PRIMARY KEY, id BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS touched (id BLOB PRIMARY KEY, mark BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version={form};
"""
# A list that an earlier version of the program left behind cannot be read on: the file is chosen again.
_FORM = 2
_INSERT = "INSERT INTO change (action, place, id, mark, is_newer, line) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_SAME = "INSERT INTO same (id) VALUES (?)"
_BATCH = 500
_CHOSEN = {Mode.MERGE: "coalesce(kept, is_newer)", Mode.SKIP: "coalesce(kept, 0)", Mode.REPLACE: "coalesce(kept, 0)"}
"""What is newer here is left alone unless somebody says otherwise; not where all is to become the file."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A change with its number in the list, and whether somebody, or its being newer here, keeps what is here."""

    number: int
    change: PlannedChange
    is_newer: bool
    is_kept: bool


class Choices:
    """The decisions in an open file; made by `open_choices`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_undo = bool(connection.execute("SELECT 1 FROM touched LIMIT 1").fetchone())

    @property
    def edition(self) -> str:
        """A word that changes with every decision."""
        row = self._connection.execute("SELECT word FROM edition").fetchone()
        return str(row[0]) if row else ""

    def limit_to(self, written: Iterable[tuple[str, bytes | None]]) -> None:
        """Let the list be about these records alone, each with what an import wrote of it: it is to be undone.

        What is not as the import left it counts as newer here.
        """
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT OR REPLACE INTO touched VALUES (?, ?)", ((_key(id), mark_of(line)) for id, line in written)
            )
        self.is_undo = True

    @property
    def scope(self) -> Scope:
        """The records that the list is about, with nothing decided."""
        return Scope(self)

    def covers(self, id: str) -> bool:
        """Whether the list is about this record."""
        if not self.is_undo:
            return True
        return self._connection.execute("SELECT 1 FROM touched WHERE id=?", (_key(id),)).fetchone() is not None

    @contextmanager
    def filling(self) -> Iterator[Callable[[PlannedChange], None]]:
        """List the changes that are told; decisions about records whose two sides are as they were before stay."""
        run, places = self._connection.execute, Counter[Action]()
        waiting: dict[str, list[tuple[object, ...]]] = {_INSERT: [], _INSERT_SAME: []}

        def write() -> None:
            for statement, rows in waiting.items():
                self._connection.executemany(statement, rows)
                rows.clear()

        def tell(change: PlannedChange) -> None:
            places[change.action] += 1
            if change.action is Action.UNCHANGED:
                waiting[_INSERT_SAME].append((_key(change.id),))
            else:
                waiting[_INSERT].append(_row(change, places[change.action]))
            if places.total() % _BATCH == 0:
                write()

        with self._connection:
            run("BEGIN IMMEDIATE")
            is_first = not self.edition
            run("CREATE TABLE was (id BLOB PRIMARY KEY, mark BLOB, kept INTEGER) WITHOUT ROWID")
            run("INSERT INTO was SELECT id, mark, kept FROM change")
            run("DELETE FROM change")
            run("DELETE FROM same")
            yield tell
            write()
            if self.is_undo:
                run(
                    f"UPDATE change SET is_newer=substr(mark, 1, {MARK_BYTES})<>"  # noqa: S608 (a number of ours)
                    "(SELECT mark FROM touched WHERE touched.id=change.id)"
                )
            run("UPDATE change SET kept=(SELECT kept FROM was WHERE was.id=change.id AND was.mark=change.mark)")
            if not is_first:
                run("UPDATE change SET is_since=1 WHERE (id, mark) NOT IN (SELECT id, mark FROM was)")
            run("DROP TABLE was")
            self._renew()

    def decide(self, decisions: Mapping[int, bool], mode: Mode) -> None:
        """Keep (True) or take the numbered changes; what is that way already is not noted as decided."""
        values = [(keep, number, keep) for number, keep in decisions.items()]
        self._write(f"UPDATE change SET kept=? WHERE number=? AND {self._chosen(mode)} IS NOT ?", values)  # noqa: S608 (two constants by mode)

    def decide_all(self, action: Action, *, keep: bool) -> None:
        """Keep or take every change of an action."""
        self._write("UPDATE change SET kept=? WHERE action=?", [(keep, str(action))])

    def decide_since(self, *, keep: bool) -> None:
        """Keep or take everything that changed since it was shown."""
        self._write("UPDATE change SET kept=? WHERE is_since", [(keep,)])

    def keeps(self, id: str, mode: Mode) -> bool:
        """Whether the record stays as it is here."""
        row = self._connection.execute(f"SELECT {self._chosen(mode)} FROM change WHERE id=?", (_key(id),)).fetchone()  # noqa: S608 (two constants by mode)
        return bool(row and row[0])

    def kept(self, mode: Mode) -> Counts:
        """How many of each action are kept from happening."""
        where = self._chosen(mode)
        rows = self._connection.execute(f"SELECT action, count(*) FROM change WHERE {where} GROUP BY action")  # noqa: S608 (two constants by mode)
        found = dict(rows.fetchall())
        return Counts(
            created=found.get(Action.CREATE, 0),
            updated=found.get(Action.UPDATE, 0),
            deleted=found.get(Action.ONLY_HERE, 0) if mode is Mode.REPLACE else 0,
        )

    def count_since(self) -> int:
        """How many changed since they were shown."""
        return int(self._connection.execute("SELECT count(*) FROM change WHERE is_since").fetchone()[0])

    def count_newer(self) -> int:
        """How many records are newer here than in the file."""
        return int(self._connection.execute("SELECT count(*) FROM change WHERE is_newer").fetchone()[0])

    def page(self, action: Action | None, mode: Mode, number: int, size: int) -> list[Listed]:
        """One page, from 0, of the changes of an action; without one, of those that changed since they were shown."""
        if action is None:
            return list(self._listed("is_since ORDER BY number LIMIT ? OFFSET ?", [size, number * size], mode))
        rest = "action=? AND place>? ORDER BY place LIMIT ?"
        return list(self._listed(rest, [str(action), number * size, size], mode))

    def page_same(self, number: int, size: int) -> list[str]:
        """One page, from 0, of the ids of the records that are the same on both sides."""
        rows = self._connection.execute(
            "SELECT id FROM same WHERE place>? ORDER BY place LIMIT ?", (number * size, size)
        )
        return [id.decode("utf-8", "surrogatepass") for (id,) in rows]

    def find(self, number: int, mode: Mode) -> Listed:
        """The change of that number. Raises NotFound."""
        for found in self._listed("number=?", [number], mode):
            return found
        raise NotFound(N_("There is no such change in this import."))

    def all(self, mode: Mode) -> Iterator[Listed]:
        """Every change, in the order of ids."""
        return self._listed("1 ORDER BY number", [], mode)

    def _listed(self, rest: str, values: list[object], mode: Mode) -> Iterator[Listed]:
        rows = self._connection.execute(
            f"SELECT number, line, is_newer, {self._chosen(mode)} FROM change WHERE {rest}",  # noqa: S608 (clauses from above, values apart)
            values,
        )
        for number, line, is_newer, is_kept in rows:
            yield Listed(number, msgspec.json.decode(line, type=PlannedChange), bool(is_newer), bool(is_kept))

    def _chosen(self, mode: Mode) -> str:
        # An undo replaces what the import touched, but not what was edited since.
        return _CHOSEN[Mode.MERGE if self.is_undo else mode]

    def _write(self, statement: str, values: Iterable[tuple[object, ...]]) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(statement, values)
            self._renew()

    def _renew(self) -> None:
        self._connection.execute("DELETE FROM edition")
        self._connection.execute("INSERT INTO edition VALUES (?)", (secrets.token_hex(8),))


@dataclass(frozen=True, slots=True)
class Scope:
    """The records that a list is about, with nothing decided: what a plan is made of before it is listed."""

    _choices: Choices
    edition: str = ""

    def covers(self, id: str) -> bool:
        """Whether the list is about this record."""
        return self._choices.covers(id)

    def keeps(self, id: str, mode: Mode) -> bool:
        """Nothing is kept."""
        return False


@contextmanager
def open_choices(path: Path, *, is_new: bool = False, is_frozen: bool = False) -> Iterator[Choices]:
    """Open the decisions of an import; `is_frozen` shows them as they are now whatever is decided meanwhile.

    Raises NotFound when the file is gone, or is one of an earlier version of the program.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'rwc' if is_new else 'rw'}", uri=True, isolation_level=None
        )
    except sqlite3.OperationalError:
        raise _gone() from None
    try:
        if is_new:
            connection.executescript(_SCHEMA.format(form=_FORM))
        elif connection.execute("PRAGMA user_version").fetchone()[0] != _FORM:
            raise _gone()
        if is_frozen:
            connection.execute("BEGIN")
        yield Choices(connection)
    finally:
        connection.close()


def _gone() -> NotFound:
    return NotFound(N_("The files of this import are gone."), hint=N_("Choose the file again."))


def _row(change: PlannedChange, place: int) -> tuple[object, ...]:
    return str(change.action), place, _key(change.id), change.mark, change.is_newer_here, msgspec.json.encode(change)


def _key(id: str) -> bytes:
    return id.encode("utf-8", "surrogatepass")
