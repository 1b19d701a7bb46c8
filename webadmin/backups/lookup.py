"""Questions to the history: a page of it, the newest, how many of which kind.

While the rows are known to tell what the folder holds, only they are asked: no answer then takes noticeably longer, or
more memory, for more backups. Else the whole list is read, which gives the same answers (`history.list_backups`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from sqlalchemy import ColumnElement, false, func, select, tuple_
from sqlalchemy.orm import Session

from webadmin import clock
from webadmin.backups.folder import no_such_backup
from webadmin.backups.history import Backup, as_it_is, list_backups, numbered
from webadmin.backups.index import is_in_step
from webadmin.backups.models import BackupFact, Kind, OriginalBackup, State

_CHUNK = 100
_KEY = (func.coalesce(BackupFact.made_at, ""), BackupFact.name)


class Place(NamedTuple):
    """Where a backup stands in the history: the newer, the greater."""

    made_at: str
    name: str

    @classmethod
    def of(cls, backup: Backup) -> Place:
        """The place of this one; what has no readable time comes after everything else."""
        return cls(clock.to_text(backup.made_at) if backup.made_at else "", backup.name)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which backups are asked for; all that is said here holds for each of them."""

    kinds: frozenset[Kind] = frozenset(Kind)
    has_file: bool = False
    is_verified: bool = False
    is_ours: bool = False
    state: State | None = None
    local_day: str | None = None
    made_from: datetime | None = None
    made_before: datetime | None = None

    def fits(self, backup: Backup) -> bool:
        """Whether this is one of them."""
        return (
            backup.kind in self.kinds
            and (backup.has_file or not self.has_file)
            and (backup.is_verified or not self.is_verified)
            and (backup.is_ours or not self.is_ours)
            and self.state in (None, backup.state)
            and self.local_day in (None, backup.local_day)
            and (self.made_from is None or (backup.made_at is not None and backup.made_at >= self.made_from))
            and (self.made_before is None or (backup.made_at is not None and backup.made_at < self.made_before))
        )

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """The same of the stored rows, as far as they can tell: each of these backups meets them."""
        if self.kinds != frozenset(Kind):
            yield BackupFact.kind.in_(self.kinds)
        if self.has_file or self.is_verified:
            yield BackupFact.has_file.is_(True)
        if self.is_verified:
            yield BackupFact.state == State.VERIFIED
        if self.is_ours:
            yield BackupFact.is_ours.is_(True)
        if self.state is State.MISSING:
            # Rows can answer only while no file is missing.
            yield false()
        elif self.state is not None:
            yield BackupFact.state == self.state
        if self.local_day is not None:
            yield BackupFact.local_day == self.local_day
        if self.made_from is not None:
            yield BackupFact.made_at >= clock.to_text(self.made_from)
        if self.made_before is not None:
            yield BackupFact.made_at <= clock.to_text(self.made_before)


class Tally(Counter[tuple[Kind, State, bool]]):
    """How many backups there are by kind, state and whether they have a file; `size_bytes` is that of the files."""

    size_bytes = 0

    def of_kinds(self, kinds: frozenset[Kind]) -> int:
        """How many are of these kinds."""
        return sum(count for (kind, _, _), count in self.items() if kind in kinds)

    @property
    def files(self) -> int:
        """How many have a file."""
        return sum(count for (_, _, has_file), count in self.items() if has_file)

    def in_state(self, *states: State, has_file: bool = True) -> int:
        """How many are in one of these states."""
        return sum(count for (_, state, there), count in self.items() if state in states and there is has_file)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of the history: `first` of `total` is its first entry, counted from 1.

    `older` is the name after which the next page begins; `newer` the same of the page before, "" if that is the first.
    """

    entries: list[Backup]
    first: int
    total: int
    newer: str | None
    older: str | None


class _Source(Protocol):
    def walk(self, wanted: Wanted, place: Place | None = None, *, upwards: bool = False) -> Iterator[Backup]:
        """Those beyond a place, from there on towards the older ones, or upwards."""

    def tally(self, down_to: Place | None = None) -> Tally:
        """All of them, or those at this place and above it."""

    def get(self, name: str) -> Backup | None:
        """The one of this name."""


class History:
    """The backups as they are now. Made by `open_history`, and good for one request."""

    def __init__(self, source: _Source) -> None:
        self._source = source

    def get(self, name: str) -> Backup:
        """One backup by its name. Raises NotFound."""
        found = self._source.get(name)
        if found is None:
            raise no_such_backup()
        return found

    def walk(self, wanted: Wanted | None = None) -> Iterator[Backup]:
        """Newest first; what has no readable time comes last."""
        return self._source.walk(wanted or Wanted())

    def newest(self, wanted: Wanted | None = None) -> Backup | None:
        """The newest of those; None without one."""
        return next(self.walk(wanted), None)

    def oldest(self, wanted: Wanted) -> Backup | None:
        """The oldest of those; None without one."""
        return next(self._source.walk(wanted, upwards=True), None)

    def tally(self) -> Tally:
        """How many there are."""
        return self._source.tally()

    def page(self, kinds: frozenset[Kind], after: str | None, size: int) -> HistoryPage:
        """The page of these kinds that begins after the backup of this name; the first one if there is none such."""
        wanted, start, newer = Wanted(kinds), 0, None
        place = self._place(kinds, after)
        if place is not None:
            start = self._source.tally(place).of_kinds(kinds)
            newer = next((b.name for b in islice(self._source.walk(wanted, place, upwards=True), size - 1, size)), "")
        entries = list(islice(self._source.walk(wanted, place), size + 1))
        shown = entries[:size]
        return HistoryPage(
            entries=shown,
            first=start + 1 if shown else 0,
            total=self._source.tally().of_kinds(kinds),
            newer=newer,
            older=shown[-1].name if len(entries) > size else None,
        )

    def _place(self, kinds: frozenset[Kind], name: str | None) -> Place | None:
        found = self._source.get(name) if name else None
        return Place.of(found) if found and found.kind in kinds else None


def open_history(session: Session) -> History:
    """The history for questions. Call `sync` before, outside of a transaction, so that the rows can answer them."""
    return History(_Rows(session) if is_in_step() else _Whole(list_backups(session)))


class _Rows:
    def __init__(self, session: Session) -> None:
        self._session = session

    def walk(self, wanted: Wanted, place: Place | None = None, *, upwards: bool = False) -> Iterator[Backup]:
        order = [each.asc() if upwards else each.desc() for each in _KEY]
        query = select(BackupFact).where(BackupFact.binned_at.is_(None), *wanted.conditions()).order_by(*order)
        while True:
            beyond = [] if place is None else [tuple_(*_KEY) > place if upwards else tuple_(*_KEY) < place]
            facts = self._session.scalars(query.where(*beyond).limit(_CHUNK)).all()
            yield from (backup for backup in self._as_they_are(facts) if wanted.fits(backup))
            if len(facts) < _CHUNK:
                return
            place = Place(facts[-1].made_at or "", facts[-1].name)

    def _as_they_are(self, facts: Sequence[BackupFact]) -> Iterator[Backup]:
        names = [fact.name for fact in facts]
        found = self._session.scalars(
            select(OriginalBackup).where(OriginalBackup.filename.in_(names)).order_by(OriginalBackup.id)
        )
        originals = {row.filename: row for row in found}
        for fact in facts:
            yield numbered(as_it_is(fact), originals)

    def tally(self, down_to: Place | None = None) -> Tally:
        grouped = (BackupFact.kind, BackupFact.state, BackupFact.has_file)
        query = select(*grouped, func.count(), func.sum(BackupFact.size_bytes)).group_by(*grouped)
        query = query.where(BackupFact.binned_at.is_(None), *([] if down_to is None else [tuple_(*_KEY) >= down_to]))
        tally = Tally()
        for kind, state, has_file, count, size in self._session.execute(query):
            tally[Kind(kind), State(state), bool(has_file)] += count
            tally.size_bytes += (size or 0) if has_file else 0
        return tally

    def get(self, name: str) -> Backup | None:
        fact = self._session.get(BackupFact, name)
        return next(self._as_they_are([fact])) if fact is not None and fact.binned_at is None else None


class _Whole:
    def __init__(self, everything: list[Backup]) -> None:
        self._everything = everything

    def walk(self, wanted: Wanted, place: Place | None = None, *, upwards: bool = False) -> Iterator[Backup]:
        for backup in reversed(self._everything) if upwards else self._everything:
            is_beyond = place is None or (Place.of(backup) > place if upwards else Place.of(backup) < place)
            if is_beyond and wanted.fits(backup):
                yield backup

    def tally(self, down_to: Place | None = None) -> Tally:
        tally = Tally()
        for backup in self._everything:
            if down_to is None or Place.of(backup) >= down_to:
                tally[backup.kind, backup.state, backup.has_file] += 1
                tally.size_bytes += (backup.size_bytes or 0) if backup.has_file else 0
        return tally

    def get(self, name: str) -> Backup | None:
        return next((backup for backup in self._everything if backup.name == name), None)
