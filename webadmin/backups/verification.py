"""Proving that a file can be restored: its bytes, its count, and every record rebuilt in a scratch catalogue."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from webadmin import clock, disk, jobs
from webadmin.backups import contents
from webadmin.backups.contents import Contents
from webadmin.backups.document import Document, Integrity, InvalidBackup
from webadmin.backups.models import State
from webadmin.backups.reader import Progress, Staged, open_scratch, rebuilt_lines, remove_scratch, stage
from webadmin.errors import N_, Message, Problem


@dataclass(frozen=True, slots=True)
class Proof:
    """What verification found: the state that the file has earned, the time that a rebuild takes, what is inside."""

    state: State
    document: Document
    staged: Staged
    seconds: float
    contents: Contents


class NotProved(InvalidBackup):
    """The file reads well, but what was rebuilt from it is not what it should hold."""


def prove(file: BinaryIO, *, expected: str | None = None, progress: Progress | None = None) -> Proof:
    """Read a file whole, rebuild every record, and compare.

    `expected` is the hash of the record lines that the writer read from the catalogue. A file without integrity line
    that is fine otherwise stays unchecked: nothing proves that it is whole.
    Raises InvalidBackup when it cannot be read, NotProved when the rebuilt records are not those of the file.
    """
    begun = time.monotonic()
    scratch = scratch_path()
    try:
        staged = stage(file, scratch, author="", created_at=clock.now_text(), progress=progress)
        with open_scratch(scratch) as connection:
            rebuilt, inside = _rebuilt(connection), contents.count(staged, connection)
    finally:
        remove_scratch(scratch)
    state = {Integrity.RIGHT: State.VERIFIED, Integrity.WRONG: State.ALTERED, Integrity.NONE: State.UNCHECKED}[
        staged.document.integrity
    ]
    if state is State.VERIFIED:
        _compare(staged, rebuilt, expected)
    return Proof(state, staged.document, staged, time.monotonic() - begun, inside)


def scratch_path() -> Path:
    """A name for a scratch catalogue beside the database; `remove_old_scratch` takes what a kill leaves."""
    jobs.folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    return jobs.folder() / f"scratch-{os.getpid()}-{secrets.token_hex(6)}.db"


def remove_old_scratch() -> None:
    """Delete scratch catalogues that have not been touched for a day."""
    for path in jobs.folder().glob("scratch-*"):
        try:
            if clock.now().timestamp() - path.stat().st_mtime > 86400:
                disk.remove(path)
        except FileNotFoundError:
            continue


def _rebuilt(connection: Connection) -> str:
    lines = hashlib.sha256()
    for line in rebuilt_lines(connection):
        lines.update(line)
        lines.update(b"\n")
    return lines.hexdigest()


def _compare(staged: Staged, rebuilt: str, expected: str | None) -> None:
    if staged.problem_count or rebuilt != staged.records_sha256 or (expected and expected != rebuilt):
        template = N_("The records that were rebuilt from the file are not those that it should hold.")
        raise NotProved(
            template,
            problems=staged.problems or [Problem(Message(template))],
            hint=N_("Make another backup now; keep this file aside and report it."),
        )
