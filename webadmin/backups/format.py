"""The backup file as this program writes it: layout A, one record a line, an `integrity` line at its end.

Pure: works on an open binary file, knows no folder and no database. docs/backup-format.md describes the file for other
programs. The JSON names are known here, in `document` and in `catalogue/records.py` only.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from webadmin import __version__

VERSION = "1.0.0"
FORMAT = 1
GENERATOR = f"Assistant Admin {__version__}"
RECORDS_LINE = b'"assistants": [\n'
END_OF_RECORDS = b"],\n"
CHUNK = 1024 * 1024

_INTEGRITY = re.compile(rb'"integrity": \{"count": (0|[1-9]\d{0,17}), "sha256": "([0-9a-f]{64})"\}\}\n')
_LONGEST_INTEGRITY = 160


class Metadata(msgspec.Struct, rename="camel", frozen=True):
    """What the first line of our own files says."""

    timestamp: str
    record_count: int
    kind: str
    local_day: str
    actor: str
    counts: dict[str, int]
    version: str = VERSION
    format: int = FORMAT
    generator: str = GENERATOR


_ORDER = ("version", "timestamp", "recordCount", "format", "generator", "kind", "localDay", "actor", "counts")


def head(metadata: Metadata) -> bytes:
    """The bytes of a document before its first record."""
    known = msgspec.to_builtins(metadata)
    pairs = (f'"{key}": '.encode() + msgspec.json.encode(known[key]) for key in _ORDER)
    return b'{"metadata": {' + b", ".join(pairs) + b"},\n" + RECORDS_LINE


def foot(count: int, sha256: str) -> bytes:
    """The last line: the number of records, and the hash of every byte before this line."""
    return f'"integrity": {{"count": {count}, "sha256": "{sha256}"}}}}\n'.encode()


@dataclass(slots=True)
class Written:
    """What one document came to: `records_sha256` covers the record lines alone and tells equal contents apart."""

    count: int
    size_bytes: int
    sha256: str
    records_sha256: str


def write(target: BinaryIO, metadata: Metadata, lines: Iterator[bytes]) -> Written:
    """Write a whole document from canonical record lines (without line ends)."""
    body, records = hashlib.sha256(), hashlib.sha256()
    size = count = 0
    pending = bytearray(head(metadata))
    for line in lines:
        if count:
            pending += b",\n"
        pending += line
        records.update(line)
        records.update(b"\n")
        count += 1
        if len(pending) >= CHUNK:
            size += _flush(target, body, pending)
    pending += b"\n" if count else b""
    pending += END_OF_RECORDS
    size += _flush(target, body, pending)
    last = foot(count, body.hexdigest())
    target.write(last)
    body.update(last)
    return Written(count, size + len(last), body.hexdigest(), records.hexdigest())


def _flush(target: BinaryIO, body: Any, pending: bytearray) -> int:
    target.write(pending)
    body.update(pending)
    size = len(pending)
    pending.clear()
    return size


@dataclass(frozen=True, slots=True)
class Seal:
    """The outcome of reading every byte once: size, hash, and whether the last line proves the rest."""

    size_bytes: int
    sha256: str
    is_right: bool
    count: int | None


def check_seal(file: BinaryIO) -> Seal:
    """Read the whole file and compare its last line, byte for byte, with what the writer would have written."""
    size = file.seek(0, os.SEEK_END)
    tail_at = max(0, size - _LONGEST_INTEGRITY)
    file.seek(0)
    body = hashlib.sha256()
    left = tail_at
    while left:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            break
        body.update(chunk)
        left -= len(chunk)
    tail = file.read()
    split = tail.rfind(b"\n", 0, -1) + 1
    last = tail[split:]
    body.update(tail[:split])
    found = _INTEGRITY.fullmatch(last)
    count = int(found[1]) if found else None
    is_right = count is not None and last == foot(count, body.hexdigest()) and tail[:split].endswith(END_OF_RECORDS)
    body.update(last)
    return Seal(size, body.hexdigest(), is_right, count)
