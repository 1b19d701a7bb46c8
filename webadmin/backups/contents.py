"""What is in a backup file: counted while it is proved, and what a damaged one still gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy import Connection

from webadmin import catalogue, clock
from webadmin.backups.document import Document, glance
from webadmin.backups.folder import translated_errors
from webadmin.backups.format import VERSION
from webadmin.backups.reader import Staged
from webadmin.backups.scanner import CHUNK, MAX_OWN_VALUE, BadStructure, Scanner
from webadmin.errors import Invalid

_BEGIN = re.compile(rb'"assistants"\s*:\s*\[|\A\s*\[')
_SUMMARY = "SELECT count(DISTINCT author), max(coalesce(updated_at, created_at)) FROM assistants"


@dataclass(frozen=True, slots=True)
class Contents:
    """How many of `total` records can be read (None: the file does not say), and what was counted in them."""

    readable: int
    total: int | None
    authors: int | None = None
    newest_edit: str | None = None
    statuses: dict[str, int] = field(default_factory=dict)


def encode(contents: Contents) -> str:
    """As it is stored with a backup."""
    return msgspec.json.encode(contents).decode()


def decode(text: str) -> Contents:
    """What `encode` stored."""
    return msgspec.json.decode(text, type=Contents)


def count(staged: Staged, connection: Connection) -> Contents:
    """What stands in a file that was read whole into a scratch catalogue."""
    authors, newest_edit = connection.exec_driver_sql(_SUMMARY).one()
    by_status = connection.exec_driver_sql("SELECT status, count(*) FROM assistants GROUP BY status")
    statuses = {str(status): int(n) for status, n in by_status if status in catalogue.STATUSES}
    total = staged.document.count
    return Contents(total - staged.problem_count, total, authors, newest_edit, statuses)


def count_readable(file: BinaryIO) -> Contents:
    """How much of a plain file that cannot be read as a whole can still be read."""
    head = _glance(file)
    total = head.count if head and head.count >= 0 else None
    return Contents(sum(1 for _ in readable_records(file)), total)


def readable_records(file: BinaryIO) -> Iterator[bytes]:
    """The raw JSON texts of the records that can be read, wherever the damage is; what is between is passed over.

    Where one record stands on each line, as in our own files, a damaged one costs itself alone; elsewhere reading
    ends at the first place that is no JSON.
    """
    file.seek(0)
    begin = _BEGIN.search(file.read(CHUNK))
    start = begin.end() - 1 if begin else 0
    file.seek(start)
    file.readline(MAX_OWN_VALUE)
    is_by_lines = begin is None or _is_record(_bare(file.readline(MAX_OWN_VALUE)))
    spans = _lines(file, start) if is_by_lines else _items(file, start)
    yield from (span for span in spans if _is_record(span))


def write_readable(file: BinaryIO, target: Path) -> int:
    """Write the records that can be read as a document of their own; how many they are. Raises DiskFull."""
    head, count = _glance(file), 0
    timestamp = (head.timestamp if head else None) or clock.now_text()
    metadata = msgspec.json.encode({"version": VERSION, "timestamp": timestamp})
    with translated_errors(), target.open("xb") as copy:
        copy.write(b'{"metadata": ' + metadata + b',\n"assistants": [\n')
        for count, span in enumerate(readable_records(file), 1):
            copy.write((b",\n" if count > 1 else b"") + span)
        copy.write(b"\n]}\n")
    return count


def _glance(file: BinaryIO) -> Document | None:
    file.seek(0)
    return glance(file)


def _lines(file: BinaryIO, start: int) -> Iterator[bytes]:
    file.seek(start)
    while line := file.readline(MAX_OWN_VALUE):
        yield _bare(line)


def _bare(line: bytes) -> bytes:
    return line.strip().removesuffix(b",")


def _items(file: BinaryIO, start: int) -> Iterator[bytes]:
    try:
        yield from Scanner(file, start).items()
    except BadStructure:
        return


def _is_record(span: bytes) -> bool:
    if not span.startswith(b"{"):
        return False
    try:
        catalogue.decode(span, created_at=clock.now_text())
    except Invalid:
        return False
    return True
