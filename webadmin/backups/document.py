"""Reading a backup document in any layout of contract 4, in constant memory.

Layouts A and B, a bare array and our own, with any order of keys, indentation and line ends. Pure: works on an open
binary file, knows no folder and no database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

from webadmin import strict
from webadmin.backups.format import CHUNK, END_OF_RECORDS, FORMAT, Seal, check_seal
from webadmin.backups.scanner import MAX_OWN_VALUE, BadStructure, Scanner
from webadmin.errors import N_, Invalid, Message, Problem
from webadmin.strict import is_date


class InvalidBackup(Invalid):
    """The file is no backup that can be read, or it contradicts itself."""


class Layout(StrEnum):
    """The layouts of contract 4."""

    OURS = "ours"
    METADATA = "metadata"
    FLAT = "flat"
    ARRAY = "array"


class Integrity(StrEnum):
    """What the file itself says about being whole; OTHER: whole, and not the one that was made under its name."""

    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"
    OTHER = "other"


ALTERATIONS = {
    Integrity.WRONG: N_("This file was changed after it was made: its checksum is wrong."),
    Integrity.OTHER: N_("This is not the file that was made under this name; it may have been swapped with another."),
}
"""What makes a file an altered one, in words."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says of itself, and what was found: `count` is the number of records that stand in it.

    `timestamp` is None where the file has none that can be read. `records_at` is where the list of records begins.
    """

    layout: Layout
    integrity: Integrity
    size_bytes: int
    sha256: str
    count: int
    records_at: int
    timestamp: str | None = None
    kind: str | None = None
    local_day: str | None = None
    actor: str | None = None
    generator: str | None = None
    counts: dict[str, int] | None = None


@dataclass(slots=True)
class _Outline:
    """The structure of a document: the values beside the records, and where and how many the records are."""

    values: dict[str, Any]
    records_at: int | None = None
    count: int = 0
    is_array: bool = False

    @property
    def is_ours(self) -> bool:
        """One flipped bit may hide either sign of our format, never both."""
        metadata = self.values.get("metadata")
        return "integrity" in self.values or (isinstance(metadata, dict) and "format" in metadata)


GIVE_UP_AFTER = 10_000
_SHORTEST_RECORD = len(b'{"id":"1","title":"1","prompt":"1"}')
_KNOWN = frozenset({"metadata", "version", "exportedAt", "count", "integrity"})


def open_document(file: BinaryIO) -> Document:
    """Read a plain (unpacked) file once, twice where it carries no right integrity line, and tell what it is.

    Raises InvalidBackup when it is no backup, is not well-formed, contradicts itself or is of a later format.
    """
    seal = check_seal(file)
    try:
        outline = _outline(file, _start(file, seal.size_bytes), seal)
    except BadStructure as error:
        raise _explained(file, error) from None
    if outline.records_at is None:
        raise _refused(
            N_("This is not a backup of assistants: it has no list named «assistants»."),
            hint=N_("Choose a file that this program or the earlier system exported."),
        )
    stated = _stated(outline)
    for count in _stated_counts(outline):
        if count != outline.count:
            raise _refused(
                N_("The file says that it holds %(stated)s records, but %(found)d are in it."),
                hint=N_("The file was changed or cut after it was made; use another one."),
                stated=count,
                found=outline.count,
            )
    integrity = Integrity.NONE
    if outline.is_ours:
        integrity = Integrity.RIGHT if seal.is_right else Integrity.WRONG
    return Document(
        integrity=integrity,
        size_bytes=seal.size_bytes,
        sha256=seal.sha256,
        count=outline.count,
        records_at=outline.records_at,
        **stated,
    )


def _start(file: BinaryIO, size: int) -> int:
    """Where the document begins. Raises InvalidBackup for what is recognised as something else."""
    file.seek(0)
    first = file.read(64)
    if not size:
        raise _refused(N_("The file is empty."))
    if first.startswith(b"SQLite format 3"):
        raise _refused(N_("This is an SQLite database, not a backup document."))
    if not first.strip(b"\0"):
        raise _refused(N_("The file begins with zero bytes: it was never written completely."))
    if first.startswith(b"\x1f\x8b"):
        raise _refused(N_("A gzip file stands where the document should begin."), hint=N_("Unpack it first."))
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in first[:4]:
        raise _refused(N_("The file is in UTF-16 or UTF-32."), hint=N_("Save it as UTF-8."))
    begin = 3 if first.startswith(b"\xef\xbb\xbf") else 0
    if first[begin:].lstrip(b" \t\r\n")[:1] not in (b"{", b"[", b""):
        raise _refused(N_("This is not a backup: it does not begin like a JSON document."))
    return begin


def _outline(file: BinaryIO, start: int, seal: Seal) -> _Outline:
    scanner = Scanner(file, start)
    outline = _Outline({})
    if scanner.peek() == b"[":
        outline.is_array = True
        outline.records_at = scanner.offset
        outline.count = _count(scanner)
    else:
        for key in scanner.members():
            if key == "assistants":
                if scanner.peek() != b"[":
                    raise scanner.bad(N_("«assistants» is not a list, at line %(line)d (byte %(byte)d)."))
                outline.records_at = scanner.offset
                if seal.is_right and outline.is_ours:
                    outline.count = seal.count or 0
                    return outline
                outline.count = _count(scanner)
            elif key in _KNOWN:
                outline.values[key] = _load(scanner)
            else:
                scanner.value()
    if scanner.peek():
        raise scanner.bad(N_("There is more after the end of the document, at line %(line)d (byte %(byte)d)."))
    return outline


def _count(scanner: Scanner) -> int:
    """How many values the list holds. Gives up early on millions that are too short to be records."""
    count = short = 0
    for span in scanner.items():
        count += 1
        short += len(span) < _SHORTEST_RECORD
        if short > GIVE_UP_AFTER:
            raise _refused(
                N_("More than %(number)d records cannot be read: this is not a backup of assistants."),
                number=GIVE_UP_AFTER,
            )
    return count


def _load(scanner: Scanner) -> Any:
    start = scanner.offset
    try:
        return strict.load(scanner.value())
    except strict.NotReadable:
        raise BadStructure(start, N_("This is not valid JSON at line %(line)d (byte %(byte)d).")) from None


def _stated(outline: _Outline) -> dict[str, Any]:
    """What the document says of itself, as arguments of Document."""
    metadata = outline.values.get("metadata")
    if outline.is_array:
        return {"layout": Layout.ARRAY}
    if "metadata" in outline.values and not isinstance(metadata, dict):
        raise _refused(N_("«metadata» is not an object."))
    source = metadata or {}
    flat = metadata is None
    _refuse_later(outline.values.get("version") if flat else source.get("version"), source.get("format"))
    layout = Layout.OURS if outline.is_ours else Layout.FLAT if flat else Layout.METADATA
    time = outline.values.get("exportedAt") if flat else source.get("timestamp")
    return {
        "layout": layout,
        "timestamp": time if isinstance(time, str) and is_date(time) else None,
        "kind": _text(source.get("kind")),
        "local_day": _text(source.get("localDay")),
        "actor": _text(source.get("actor")),
        "generator": _text(source.get("generator")),
        "counts": _counts(source.get("counts")),
    }


def _stated_counts(outline: _Outline) -> list[int | str]:
    """Every number of records that the document states, of whatever type."""
    metadata, integrity = outline.values.get("metadata"), outline.values.get("integrity")
    counts = [outline.values.get("count") if metadata is None else metadata.get("recordCount")]
    counts += [integrity.get("count")] if isinstance(integrity, dict) else []
    return [_shown_count(count) for count in counts if count is not None]


def _counts(value: Any) -> dict[str, int] | None:
    is_plain = isinstance(value, dict) and all(type(number) is int for number in value.values())
    return dict(value) if is_plain else None


def _shown_count(count: Any) -> int | str:
    return count if type(count) is int else strict.shown(repr(count))


def _text(value: Any) -> str | None:
    return strict.shown(value) if isinstance(value, str) else None


def _refuse_later(version: Any, form: Any) -> None:
    """Refuse what a later program wrote in a way that this one cannot know."""
    major = re.match(r"\d{1,9}", version) if isinstance(version, str) else None
    is_later = (major and int(major[0]) > 1) or (type(version) in (int, float) and version >= 2)
    if is_later or (type(form) is int and form > FORMAT):
        raise _refused(
            N_("The file was made by a later version of the program, in a format that this one does not know."),
            hint=N_("Update this program, then import the file again."),
        )


def glance(file: BinaryIO) -> Document | None:
    """What a file says of itself before its records, read in no time and unproved; None when that cannot be read.

    `count` is the stated one, or -1 where the file states none there.
    """
    outline = _Outline({})
    scanner = Scanner(file)
    try:
        if scanner.peek() != b"{":
            return None
        for key in scanner.members():
            if key == "assistants":
                outline.records_at = scanner.offset
                break
            if key not in _KNOWN:
                return None
            outline.values[key] = _load(scanner)
        stated, counts = _stated(outline), _stated_counts(outline)
    except (BadStructure, InvalidBackup):
        return None
    count = next((count for count in counts if isinstance(count, int)), -1)
    return Document(
        integrity=Integrity.NONE, size_bytes=0, sha256="", count=count, records_at=outline.records_at or 0, **stated
    )


def records(file: BinaryIO, document: Document) -> Iterator[tuple[int, bytes]]:
    """The index and the raw JSON text of every record, in constant memory.

    Raises InvalidBackup where the file does not hold what `open_document` found.
    """
    spans = (
        _lines(file, document) if document.integrity is Integrity.RIGHT else Scanner(file, document.records_at).items()
    )
    try:
        yield from enumerate(spans)
    except BadStructure as error:
        raise _explained(file, error) from None


def _lines(file: BinaryIO, document: Document) -> Iterator[bytes]:
    """The records of a file whose integrity line is right: one a line, the comma at its end."""
    file.seek(document.records_at)
    offset = document.records_at + len(file.readline())
    for index in range(document.count):
        line = file.readline(MAX_OWN_VALUE)
        end = -1 if index == document.count - 1 else -2
        if not (line.startswith(b"{") and line.endswith(b"}\n" if end == -1 else b"},\n")):
            error = BadStructure(offset, N_("Line %(line)d (byte %(byte)d) is not one record."))
            error.record = index
            raise error
        offset += len(line)
        yield line[:end]
    if file.readline() != END_OF_RECORDS:
        raise BadStructure(offset, N_("There are more records than the file says, at line %(line)d (byte %(byte)d)."))


def _refused(template: str, *, hint: str | None = None, index: int | None = None, **params: Any) -> InvalidBackup:
    problem = Problem(Message(template, params), index=index)
    return InvalidBackup(template, problems=[problem], hint=hint, **params)


def _explained(file: BinaryIO, error: BadStructure) -> InvalidBackup:
    """The refusal with the line of the place, which is counted only now."""
    file.seek(0)
    left, line = error.offset, 1
    while left > 0 and (chunk := file.read(min(CHUNK, left))):
        line += chunk.count(b"\n")
        left -= len(chunk)
    return _refused(error.template, index=error.record, line=line, byte=error.offset)
