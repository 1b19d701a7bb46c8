"""Comparing a stored backup with the catalogue as it is now, or with another backup.

Both sides are walked in the order of ids in constant memory; what was found is kept for some minutes in a file of its
own, so that paging through it reads nothing again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webadmin import catalogue, clock, db, disk, jobs
from webadmin.backups import folder as folder_of
from webadmin.backups.front import unpacked
from webadmin.backups.history import current_folder
from webadmin.backups.reader import Progress, Silent, open_scratch, remove_scratch, stage
from webadmin.backups.verification import scratch_path
from webadmin.catalogue import Record

_EVERY = 500
# The name is that of a scratch file, so whoever tidies those up takes what a kill leaves of these too.
_NAMES = "scratch-compared-*"
_KEPT_SECONDS = 900
_KEPT_MOST = 8


class Since(StrEnum):
    """What became of a record between one side and the other."""

    CHANGED = "changed"
    ADDED = "added"
    DELETED = "deleted"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Difference:
    """One record of a comparison: version and time of the last edit on each side, None where it is not there.

    `lines_added` and `lines_removed` are of the prompt, wherever they stand in it.
    """

    since: Since
    id: str
    title: str
    emoji: str
    fields: tuple[str, ...] = ()
    version_then: int | None = None
    edited_then: str | None = None
    version_now: int | None = None
    edited_now: str | None = None
    lines_added: int = 0
    lines_removed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison that was made; `left_out` counts the records of the files that could not be read."""

    path: Path
    counts: dict[str, int]
    left_out: int = 0

    def page(self, since: Since, number: int, size: int) -> list[Difference]:
        """One page, from 0, of the records of one kind in the order of their ids."""
        query = "SELECT line FROM difference WHERE since=? ORDER BY rowid LIMIT ? OFFSET ?"
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute(query, (since, size, number * size)).fetchall()
        return [msgspec.json.decode(line, type=Difference) for (line,) in found]


def find_comparison(name: str, other: str | None = None) -> Comparison | None:
    """The comparison of a backup with another, or the catalogue, if it was made for just these; None when not yet.

    Raises NotFound for a backup that does not exist.
    """
    with db.reading() as connection:
        path = _path(connection, name, other)
    try:
        age = clock.now().timestamp() - path.stat().st_mtime
        return _opened(path) if age < _KEPT_SECONDS else None
    except FileNotFoundError:
        return None


def _opened(path: Path) -> Comparison:
    with closing(sqlite3.connect(path)) as connection:
        counts = dict(connection.execute("SELECT since, count(*) FROM difference GROUP BY since").fetchall())
        left_out = connection.execute("PRAGMA user_version").fetchone()[0]
    return Comparison(path, counts, left_out)


def compare(name: str, other: str | None = None, *, progress: Progress | None = None) -> Comparison:
    """Compare a backup with another, or with the catalogue as it is now.

    Raises NotFound, InvalidBackup for a file that cannot be read, DiskFull; lets jobs.Cancelled pass.
    """
    progress = progress or Silent()
    _tidy()
    with _side(name, progress) as then:
        if other is not None:
            with _side(other, progress) as now, db.reading() as connection:
                return _written(_path(connection, name, other), then, now, progress)
        with db.reading() as connection:
            now = _Side(connection, None, 0)
            return _written(_path(connection, name, None), then, now, progress)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side: its records, and what stands for `createdAt` where its document says no time at all."""

    connection: Connection
    assumed_at: str | None
    left_out: int

    def records(self) -> Iterator[Record]:
        """The records that an id leads to, in the order of ids; the others are nobody's."""
        return catalogue.iter_by_id(self.connection)


@contextmanager
def _side(name: str, progress: Progress) -> Iterator[_Side]:
    scratch = scratch_path()
    try:
        with unpacked(name) as file:
            staged = stage(file, scratch, author="", created_at=clock.now_text(), progress=progress)
        with open_scratch(scratch) as connection:
            yield _Side(connection, staged.assumed_at, staged.problem_count)
    finally:
        remove_scratch(scratch)


def _path(connection: Connection, name: str, other: str | None) -> Path:
    """Where the comparison of these two lies: their names, sizes and times, or the newest change of the catalogue."""
    entries = {entry.name: entry for entry in folder_of.entries(current_folder())}
    states: list[object] = [str(current_folder())]
    for each in (name, other):
        if each is None:
            states.append(catalogue.newest_number(Session(connection)))
        elif each in entries:
            states.append((each, entries[each].size_bytes, entries[each].changed_at))
        else:
            raise folder_of.no_such_backup()
    mark = hashlib.sha256(repr(states).encode()).hexdigest()[:32]
    return jobs.folder() / _NAMES.replace("*", mark)


def _written(path: Path, then: _Side, now: _Side, progress: Progress) -> Comparison:
    made = scratch_path()
    try:
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("CREATE TABLE difference (since TEXT NOT NULL, line BLOB NOT NULL)")
            connection.execute("BEGIN")
            counts = _fill(connection, _differences(then, now), progress)
            connection.execute("CREATE INDEX by_kind ON difference (since)")
            connection.execute(f"PRAGMA user_version={then.left_out + now.left_out}")
            connection.execute("COMMIT")
        made.replace(path)
    finally:
        disk.remove(made)
    return Comparison(path, dict(counts), then.left_out + now.left_out)


def _fill(connection: sqlite3.Connection, found: Iterator[Difference], progress: Progress) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number, each in enumerate(found):
        line = msgspec.json.encode(each)
        connection.execute("INSERT INTO difference (since, line) VALUES (?, ?)", (each.since, line))
        counts[each.since] += 1
        if number % _EVERY == 0:
            progress.update("comparing", number)
            progress.check_cancelled()
    return counts


def _differences(then: _Side, now: _Side) -> Iterator[Difference]:
    for left, right in catalogue.side_by_side(then.records(), now.records()):
        if left is not None and right is not None:
            if left.created_at == then.assumed_at:
                left = msgspec.structs.replace(left, created_at=right.created_at)  # noqa: PLW2901
            elif right.created_at == now.assumed_at:
                right = msgspec.structs.replace(right, created_at=left.created_at)  # noqa: PLW2901
        yield difference(left, right)


def difference(left: Record | None, right: Record | None) -> Difference:
    """What became of one record, which is None on a side that does not hold it."""
    known = right or left
    assert known is not None  # noqa: S101 (for mypy: one side holds it)
    fields = tuple(catalogue.changed_fields(left, right)) if left and right else ()
    added, removed = catalogue.changed_lines(left.prompt, right.prompt) if left and right and fields else (0, 0)
    since = Since.ADDED if left is None else Since.DELETED if right is None else Since.CHANGED
    return Difference(
        since=Since.SAME if left and right and not fields else since,
        id=str(known.id),
        title=known.title,
        emoji=known.emoji,
        fields=fields,
        version_then=left.version if left else None,
        edited_then=left.edited_at if left else None,
        version_now=right.version if right else None,
        edited_now=right.edited_at if right else None,
        lines_added=added,
        lines_removed=removed,
    )


def _tidy() -> None:
    """Delete comparisons that nobody looked at for a while, and the oldest beyond a number."""
    jobs.folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    aged = sorted(((path.stat().st_mtime, path) for path in jobs.folder().glob(_NAMES)), reverse=True)
    for place, (changed_at, path) in enumerate(aged):
        if place >= _KEPT_MOST - 1 or clock.now().timestamp() - changed_at > _KEPT_SECONDS:
            disk.remove(path)
