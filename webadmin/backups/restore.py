"""A restore is a plan first: what a staged file would do to the catalogue, computed once and applied as computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import msgspec
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webadmin import catalogue, clock, db, strict
from webadmin.accounts import Actor
from webadmin.backups.models import RestoreRun
from webadmin.backups.reader import Progress, Silent, Staged, is_refused, open_scratch
from webadmin.catalogue import Change, Record
from webadmin.errors import N_, Conflict

_EVERY = 500
_SHOWN_MOST = 600
_FIELDS_MOST = 50


class Mode(StrEnum):
    """What a file may do: create and update; create only; make the catalogue equal to it."""

    MERGE = "merge"
    SKIP = "skip"
    REPLACE = "replace"


class Action(StrEnum):
    """What happens to one record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    ONLY_HERE = "only here"


class PlanChanged(Conflict):
    """The catalogue or the file is not what it was when the plan was shown."""

    def __init__(self) -> None:
        super().__init__(
            N_("The catalogue changed since the changes were shown. Nothing was written."),
            hint=N_("Look at the new list of changes, then apply it."),
        )


class Decisions(Protocol):
    """What somebody decided record by record; `choices.Choices` is one. `edition` changes with every decision."""

    @property
    def edition(self) -> str: ...

    def covers(self, id: str) -> bool: ...

    def keeps(self, id: str, mode: Mode) -> bool: ...


@dataclass(slots=True)
class Counts:
    """How many records of each action; `only_here` are those that the file does not hold and that stay."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    skipped: int = 0
    only_here: int = 0

    @property
    def changes(self) -> int:
        """How many records are written."""
        return self.created + self.updated + self.deleted


_COUNTED = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
    Action.UNCHANGED: "unchanged",
    Action.SKIP: "skipped",
    Action.ONLY_HERE: "only_here",
}


_KEPT = {Action.CREATE: Action.SKIP, Action.UPDATE: Action.SKIP, Action.DELETE: Action.ONLY_HERE}
"""What a change becomes that somebody decided against."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One record of the plan, for showing: the names of the fields that differ where it is an update.

    Title, emoji, and the names and number of fields are cut where a file makes too much of them. Version and time of
    the last edit on both sides; None on the side that does not hold the record. `lines_added` and `lines_removed` are
    of the prompt, wherever they stand in it. `mark` stands for the content of both sides, one half for each; it is
    empty where both are the same.
    """

    action: Action
    id: str
    title: str
    emoji: str = ""
    fields: tuple[str, ...] = ()
    version_here: int | None = None
    edited_here: str | None = None
    version_in_file: int | None = None
    edited_in_file: str | None = None
    lines_added: int = 0
    lines_removed: int = 0
    mark: bytes = b""

    @property
    def is_newer_here(self) -> bool:
        """Whether the file would take back what was done here: by the times as text, or by the version."""
        if self.action is not Action.UPDATE:
            return False
        return (self.edited_here or "") > (self.edited_in_file or "") or (self.version_here or 0) > (
            self.version_in_file or 0
        )


@dataclass(slots=True)
class Plan:
    """What a file would do.

    `fingerprint` stands for mode, file, the content of every assistant and, where there are some, the decisions.
    """

    mode: Mode
    fingerprint: str
    counts: Counts = field(default_factory=Counts)

    @property
    def content(self) -> str:
        """The part of the fingerprint that stands for file and catalogue alone."""
        return self.fingerprint.split("-")[1]

    def in_mode(self, mode: Mode, kept: Counts | None = None, edition: str | None = None) -> Plan:
        """What the file of a `merge` plan would do in another mode, without comparing again.

        `kept` says how many of each action somebody decided against, `edition` is that of these decisions.
        """
        counts = replace(self.counts)
        kept = kept or Counts()
        if mode is Mode.SKIP:
            counts.skipped += counts.updated + counts.unchanged
            counts.updated = counts.unchanged = 0
        elif mode is Mode.REPLACE:
            counts.deleted, counts.only_here = counts.only_here - kept.deleted, kept.deleted
        if mode is not Mode.SKIP:
            counts.updated -= kept.updated
            counts.skipped += kept.updated
        counts.created -= kept.created
        counts.skipped += kept.created
        return Plan(mode, _fingerprint(mode, self.content, edition), counts)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two records of an id, what happens, and what is stored afterwards."""

    action: Action
    mine: Record | None
    theirs: Record | None
    after: Record | None = None


def make_plan(
    staged: Staged,
    mode: Mode,
    *,
    decisions: Decisions | None = None,
    progress: Progress | None = None,
    tell: Callable[[PlannedChange], None] | None = None,
) -> Plan:
    """Compare a staged file with the catalogue as it is now. Writes nothing.

    `tell` is called, in the order of ids, for every record that the file may have a say about.
    """
    progress = progress or Silent()
    plan = Plan(mode, "")
    mark = hashlib.sha256()
    with db.reading() as mine, open_scratch(staged.scratch) as theirs:
        read, both = 0, staged.good_count + catalogue.count_all(mine)
        for number, pair in enumerate(_pairs(mine, theirs, mode, staged.assumed_at, decisions)):
            _note(plan.counts, mark, pair)
            read += (pair.mine is not None) + (pair.theirs is not None)
            if tell is not None and pair.action is not Action.SKIP:
                tell(_shown(pair))
            if number % _EVERY == 0:
                progress.update("comparing", read, both)
                progress.check_cancelled()
    plan.fingerprint = _fingerprint(mode, mark.hexdigest(), _edition(decisions))
    return plan


def _edition(decisions: Decisions | None) -> str | None:
    return (decisions.edition or None) if decisions else None


FINGERPRINT = "(merge|skip|replace)-[0-9a-f]{64}"
"""What the fingerprint of a plan without decisions looks like."""


def _fingerprint(mode: Mode, content: str, edition: str | None) -> str:
    return f"{mode}-{content}" if edition is None else f"{mode}-{content}-{edition}"


def apply_plan(
    session: Session,
    actor: Actor,
    staged: Staged,
    plan: Plan,
    *,
    source_name: str,
    safety_backup: str | None,
    is_shown: bool = True,
    decisions: Decisions | None = None,
    job_id: str | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Do what the plan says, inside the caller's write transaction.

    The plan is computed again while it is done. Where it was shown, raises PlanChanged when it came out differently
    (the caller's transaction then rolls everything back); where nobody saw it, what is true now counts.
    """
    progress = progress or Silent()
    catalogue.absorb(session)
    first = catalogue.last_revision(session.connection()) + 1
    counts, mark = Counts(), hashlib.sha256()
    # The lock is held, so another connection sees what this one would, and is not disturbed by what is written.
    with db.reading() as mine, open_scratch(staged.scratch) as theirs:

        def changes() -> Iterator[Change]:
            for number, pair in enumerate(_pairs(mine, theirs, plan.mode, staged.assumed_at, decisions)):
                _note(counts, mark, pair)
                if number % _EVERY == 0:
                    progress.update("importing", counts.changes, plan.counts.changes)
                    progress.check_cancelled()
                if pair.after is not None or pair.action is Action.DELETE:
                    yield Change(pair.mine, pair.after)

        catalogue.write_records(session.connection(), actor, changes(), source="import")
    plan_now = _fingerprint(plan.mode, mark.hexdigest(), _edition(decisions))
    if is_shown and plan_now != plan.fingerprint:
        raise PlanChanged
    progress.check_cancelled()
    run = _run(actor, staged, replace(plan, fingerprint=plan_now), counts, source_name, safety_backup, job_id)
    run.first_revision, run.last_revision = first, catalogue.last_revision(session.connection())
    session.add(run)
    return counts


def _run(
    actor: Actor, staged: Staged, plan: Plan, counts: Counts, source: str, safety: str | None, job_id: str | None
) -> RestoreRun:
    return RestoreRun(
        job_id=job_id,
        applied_at=clock.now_text(),
        actor_kind=actor.kind,
        actor=actor.name,
        source_name=source,
        source_sha256=staged.document.sha256,
        mode=plan.mode,
        counts=msgspec.json.encode(asdict(counts)).decode(),
        safety_backup=safety,
        fingerprint=plan.fingerprint,
    )


def _pairs(
    mine: Connection, theirs: Connection, mode: Mode, assumed_at: str | None, decisions: Decisions | None
) -> Iterator[_Pair]:
    """Walk both catalogues side by side in the order of ids; rows that no id leads to are nobody's."""
    odd = catalogue.odd_ids(mine)
    for left, right in catalogue.side_by_side(catalogue.iter_by_id(mine), catalogue.iter_by_id(theirs)):
        if decisions and not decisions.covers(_id(left, right)):
            continue
        if _is_left_alone(left, right, theirs, odd):
            pair = _Pair(Action.SKIP, left, right)
        else:
            pair = _decided(left, _dated(right, left, assumed_at), mode)
        if decisions and pair.action in _KEPT and decisions.keeps(_id(left, right), mode):
            pair = _Pair(_KEPT[pair.action], pair.mine, pair.theirs)
        yield pair


def _is_left_alone(mine: Record | None, theirs: Record | None, scratch: Connection, odd: frozenset[str]) -> bool:
    """Whether one side holds the id in a form that cannot be used: a bad entry of the file, or an odd row here."""
    if mine is None:
        return theirs is not None and theirs.id in odd
    return theirs is None and is_refused(scratch, str(mine.id))


def _dated(theirs: Record | None, mine: Record | None, assumed_at: str | None) -> Record | None:
    """A record whose file says no time of creation has that of the one here."""
    if theirs is None or mine is None or theirs.created_at != assumed_at:
        return theirs
    return msgspec.structs.replace(theirs, created_at=mine.created_at)


def find_same(staged: Staged, ids: Sequence[str]) -> list[PlannedChange]:
    """The records with these ids, which a plan found to be the same on both sides, for showing."""
    with db.reading() as mine, open_scratch(staged.scratch) as theirs:
        pairs = [[catalogue.find_record(Session(side), id) for side in (mine, theirs)] for id in ids]
    return [_shown(_Pair(Action.UNCHANGED, left, right)) for left, right in pairs if left or right]


def find_sides(staged: Staged, id: str) -> tuple[Record | None, Record | None]:
    """The assistant as it is here now and as it is in the file; None where it is not."""
    with db.reading() as mine, open_scratch(staged.scratch) as theirs:
        left, right = (catalogue.find_record(Session(side), id) for side in (mine, theirs))
    return left, _dated(right, left, staged.assumed_at)


def _id(mine: Record | None, theirs: Record | None) -> str:
    known = theirs or mine
    assert known is not None  # noqa: S101 (for mypy: one of the two is there)
    return known.id or ""


def _decided(mine: Record | None, theirs: Record | None, mode: Mode) -> _Pair:
    if theirs is None:
        action = Action.DELETE if mode is Mode.REPLACE else Action.ONLY_HERE
        return _Pair(action, mine, None)
    if mine is None:
        return _Pair(
            Action.CREATE, None, theirs, _with_version(theirs, 1 if theirs.version is None else theirs.version)
        )
    if mode is Mode.SKIP:
        return _Pair(Action.SKIP, mine, theirs)
    if catalogue.equal(mine, theirs):
        return _Pair(Action.UNCHANGED, mine, theirs)
    # A number must never stand for two texts (contract 4).
    version = max(theirs.version or 1, catalogue.next_version(mine.version))
    return _Pair(Action.UPDATE, mine, theirs, _with_version(theirs, version))


def _with_version(record: Record, version: int) -> Record:
    return record if record.version == version else msgspec.structs.replace(record, version=version)


def _note(counts: Counts, mark: hashlib._Hash, pair: _Pair) -> None:
    name = _COUNTED[pair.action]
    setattr(counts, name, getattr(counts, name) + 1)
    for record in (pair.mine, pair.theirs):
        mark.update(catalogue.encode(record) if record else b"-")
        mark.update(b"\n")


def _shown(pair: _Pair) -> PlannedChange:
    mine, theirs = pair.mine, pair.theirs
    known = theirs or mine
    assert known is not None  # noqa: S101 (for mypy: one of the two is there)
    is_same = pair.action is Action.UNCHANGED
    fields = catalogue.changed_fields(mine, theirs) if mine and theirs and not is_same else []
    added, removed = catalogue.changed_lines(mine.prompt, theirs.prompt) if mine and theirs and fields else (0, 0)
    return PlannedChange(
        action=pair.action,
        id=known.id or "",
        title=known.title if len(known.title) <= _SHOWN_MOST else known.title[:_SHOWN_MOST] + "…",
        emoji=known.emoji[:_SHOWN_MOST],
        fields=tuple(map(strict.shown, fields[:_FIELDS_MOST])),
        version_here=mine.version if mine else None,
        edited_here=mine.edited_at if mine else None,
        version_in_file=theirs.version if theirs else None,
        edited_in_file=theirs.edited_at if theirs else None,
        lines_added=added,
        lines_removed=removed,
        mark=b"" if is_same else _side_mark(mine) + _side_mark(theirs),
    )


def _side_mark(record: Record | None) -> bytes:
    return mark_of(catalogue.encode(record) if record else None)


MARK_BYTES = 16


def mark_of(line: bytes | None) -> bytes:
    """A short stand-in for a record as it is written, or for there being none."""
    return hashlib.blake2b(line or b"", digest_size=MARK_BYTES).digest()
