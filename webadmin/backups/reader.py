"""Taking a file in: a bounded copy of what is sent, and the check report with the records in a scratch catalogue."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from sqlalchemy import Connection, column, select, table

from webadmin import catalogue, db, disk, strict
from webadmin.backups.document import (
    ALTERATIONS,
    GIVE_UP_AFTER,
    Document,
    Integrity,
    InvalidBackup,
    open_document,
    records,
)
from webadmin.backups.folder import translated_errors
from webadmin.backups.keys import LOOKED_AT, SeenKey, look
from webadmin.catalogue import Limits, Record
from webadmin.errors import N_, DomainError, Invalid, Message, Problem

GZIP_RATIO = 20
GZIP = b"\x1f\x8b"
_CHUNK = 1024 * 1024
_TOLD = 1000


class Progress(Protocol):
    """What a long work tells, and how it learns that it should stop; `jobs.Progress` is one."""

    def update(self, phase: str, done: int = 0, total: int | None = None) -> None: ...

    def check_cancelled(self) -> None: ...


class Silent:
    """Progress that nobody looks at."""

    def update(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """Say nothing."""

    def check_cancelled(self) -> None:
        """Never stop."""


class TooLarge(DomainError):
    """What was sent, or what it unpacks to, is larger than the settings allow."""

    code = "PAYLOAD_TOO_LARGE"


def receive(stream: BinaryIO, target: Path, *, bound: int | None = None) -> int:
    """Copy a stream to a new file in bounded memory, unpacking gzip. Returns the number of bytes written.

    The folder is made where it is missing. `bound` is the largest size as sent; gzip may unpack to 20 times that.
    Raises TooLarge, InvalidBackup for broken gzip, DiskFull. The target is gone then.
    """
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with translated_errors(), open(target, "xb", opener=_private) as file:
            return _copy(stream, file, bound)
    except BaseException:
        disk.remove(target)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _copy(stream: BinaryIO, file: BinaryIO, bound: int | None) -> int:
    written = 0
    allowed = None if bound is None else bound * GZIP_RATIO
    for piece in _unpacked(_bounded(stream, bound)):
        written += file.write(piece)
        if allowed is not None and written > allowed:
            raise TooLarge(
                N_("The file unpacks to more than %(limit)d bytes."), hint=N_("Send it unpacked."), limit=allowed
            )
    return written


def _bounded(stream: BinaryIO, bound: int | None) -> Iterator[bytes]:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if bound is not None and size > bound:
            raise TooLarge(N_("The file is larger than the limit of %(limit)d bytes."), limit=bound)
        yield chunk


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, or what they unpack to when they are gzip (of any number of members)."""
    first = next(chunks, b"")
    if not first.startswith(GZIP):
        yield first
        yield from chunks
        return
    packed = first
    unpacker = zlib.decompressobj(wbits=31)
    try:
        while True:
            yield unpacker.decompress(packed, _CHUNK)
            packed = unpacker.unconsumed_tail or unpacker.unused_data
            if unpacker.eof and packed.startswith(GZIP):
                unpacker = zlib.decompressobj(wbits=31)
            elif unpacker.eof and packed.strip(b"\0"):
                raise zlib.error
            elif not unpacker.unconsumed_tail:
                packed = next(chunks, b"")
                if not packed:
                    break
    except zlib.error:
        raise _broken_gzip() from None
    if not unpacker.eof:
        raise _broken_gzip()


def _broken_gzip() -> InvalidBackup:
    template = N_("The gzip file is cut or damaged.")
    return InvalidBackup(template, problems=[Problem(Message(template))])


@dataclass(slots=True)
class Staged:
    """A file that was read: what it says of itself, what is wrong with it, and its good records in `scratch`.

    `records_sha256` covers the canonical lines of the records as they came. `problems` names every bad record, with
    all its faults among the first thousand; `warnings` holds the first thousand. The numbers count all. `keys` are
    those of the first records of a file that is not of our making.
    """

    document: Document
    scratch: Path
    records_sha256: str = ""
    # What stands for `createdAt` in records of a document without a time of its own: an existing record keeps its own.
    assumed_at: str | None = None
    good_count: int = 0
    problem_count: int = 0
    warning_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unknown_keys: Counter[str] = field(default_factory=Counter)
    keys: dict[str, SeenKey] = field(default_factory=dict)

    @property
    def alteration(self) -> str | None:
        """What makes the file an altered one, in words; None for one that is not."""
        return ALTERATIONS.get(self.document.integrity)


# Records without an id, and second ones of an id that another program stored in another form, which only our own files
# can hold: no restore brings them back, but they must not stop a backup. And the ids of records that cannot be read.
_BESIDE = (
    "CREATE TABLE aside (position INTEGER PRIMARY KEY, line BLOB NOT NULL)",
    "CREATE TABLE refused (id TEXT PRIMARY KEY) WITHOUT ROWID",
)


@contextmanager
def scratch_catalogue(path: Path) -> Iterator[Connection]:
    """A new scratch catalogue for writing. It is not durable: whoever was killed stages again."""
    engine = db.open_file(path, is_passing=True)
    try:
        with db.translated_errors(), engine.connect() as plain:
            connection = plain.execution_options(begin="BEGIN IMMEDIATE")
            with connection.begin():
                catalogue.create_tables(connection)
                for statement in _BESIDE:
                    connection.exec_driver_sql(statement)
                yield connection
    except BaseException:
        remove_scratch(path)
        raise
    finally:
        engine.dispose()


def remove_scratch(path: Path) -> None:
    """Delete a scratch catalogue and what SQLite may have left beside it."""
    disk.remove(*(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")))


@contextmanager
def open_scratch(path: Path) -> Iterator[Connection]:
    """A scratch catalogue for reading."""
    engine = db.open_file(path, is_passing=True)
    try:
        with db.translated_errors(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def rebuilt_lines(connection: Connection) -> Iterator[bytes]:
    """The canonical lines of everything that a scratch catalogue holds, in the order of the file."""
    asides = iter(connection.exec_driver_sql("SELECT position, line FROM aside ORDER BY position"))
    aside, position = next(asides, None), 0
    for record in catalogue.iter_records(connection, order="rowid"):
        while aside is not None and aside[0] == position:
            yield aside[1]
            aside, position = next(asides, None), position + 1
        yield catalogue.encode(record)
        position += 1
    while aside is not None:
        yield aside[1]
        aside = next(asides, None)


def is_refused(connection: Connection, id: str) -> bool:
    """Whether the file of this scratch catalogue has a record of this id that cannot be read."""
    return connection.exec_driver_sql("SELECT 1 FROM refused WHERE id=?", (id,)).first() is not None


def stage(
    file: BinaryIO,
    scratch: Path,
    *,
    author: str,
    created_at: str,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Staged:
    """Read a plain file whole into a new scratch catalogue and report on it; nothing else is touched.

    `author` and `created_at` stand in for what a record lacks (the document's own time goes before `created_at`).
    Records that cannot be read and second records of an id become problems, the others are staged.
    Raises InvalidBackup when the file is no backup or contradicts itself, or when too many records are unreadable.
    """
    progress = progress or Silent()
    progress.update("reading")
    found = Staged(open_document(file), scratch)
    found.assumed_at = None if found.document.timestamp else created_at
    lines = hashlib.sha256()
    with scratch_catalogue(scratch) as connection:
        decoded = _decoded(file, connection, found, lines, author, found.document.timestamp or created_at, limits)
        seen = 0
        for batch in catalogue.batches(decoded, lambda found: found[1]):
            _insert(connection, batch, found)
            seen = batch[-1][0] + 1
            # The next one is read while this loop still holds the last: one of them may be large.
            batch.clear()
            progress.update("reading", seen, found.document.count)
            progress.check_cancelled()
    found.records_sha256 = lines.hexdigest()
    return found


def _decoded(
    file: BinaryIO,
    connection: Connection,
    found: Staged,
    lines: hashlib._Hash,
    author: str,
    created_at: str,
    limits: Limits | None,
) -> Iterator[tuple[int, Record]]:
    is_trusted = found.document.integrity is Integrity.RIGHT
    for index, span in records(file, found.document):
        if index < LOOKED_AT and not is_trusted:
            look(span, found.keys)
        try:
            record, warnings = catalogue.decode(
                span, index=index, author=author, created_at=created_at, limits=limits, is_trusted=is_trusted
            )
        except Invalid as error:
            _tell(found, error.problems)
            _refuse(connection, span)
            continue
        if warnings:
            found.warning_count += len(warnings)
            found.warnings += warnings[: _TOLD - len(found.warnings)]
        lines.update(catalogue.encode(record))
        lines.update(b"\n")
        if record.extra and len(found.unknown_keys) < _TOLD:
            found.unknown_keys.update(map(strict.shown, record.extra))
        yield index, record


class _Identified(msgspec.Struct):
    id: str


_identified = msgspec.json.Decoder(_Identified)


def _refuse(connection: Connection, span: bytes) -> None:
    """Remember the id of a record that cannot be read, if that at least can be."""
    try:
        id = _identified.decode(span).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    connection.exec_driver_sql("INSERT OR IGNORE INTO refused VALUES (?)", (id,))


def _tell(found: Staged, problems: list[Problem]) -> None:
    found.problem_count += 1
    # Each record is named; beyond the first thousand findings by one fault alone.
    found.problems += problems[: max(1, _TOLD - len(found.problems))]
    if found.problem_count > GIVE_UP_AFTER:
        raise InvalidBackup(
            N_("More than %(number)d records cannot be read: this is not a backup of assistants."),
            problems=found.problems[:20],
            number=GIVE_UP_AFTER,
        )


def _insert(connection: Connection, batch: list[tuple[int, Record]], found: Staged) -> None:
    """Stage the first record of each id; a second one is a problem, or set aside if the file is of our making."""
    assistants = table("assistants", column("id"))
    ids = [record.id for _, record in batch]
    seen = set(connection.execute(select(assistants.c.id).where(assistants.c.id.in_(ids))).scalars())
    fresh = []
    for index, record in batch:
        if record.id is None:
            _set_aside(connection, index, record)
            continue
        if record.id in seen:
            _note_second(connection, found, index, record)
            continue
        seen.add(record.id)
        fresh.append(record)
    if fresh:
        found.good_count += catalogue.insert_records(connection, fresh)


def _note_second(connection: Connection, found: Staged, index: int, record: Record) -> None:
    said = Problem(Message(N_("This id stands in the file twice.")), field="id", index=index, id=record.id)
    if found.document.integrity is not Integrity.RIGHT:
        _tell(found, [said])
        return
    found.warning_count += 1
    found.warnings += [said][: _TOLD - len(found.warnings)]
    _set_aside(connection, index, record)


def _set_aside(connection: Connection, index: int, record: Record) -> None:
    connection.exec_driver_sql("INSERT INTO aside VALUES (?, ?)", (index, catalogue.encode(record)))
