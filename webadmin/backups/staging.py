"""Checking files for an import: their records in a scratch catalogue, and what is wrong with them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from webadmin import catalogue, clock, db
from webadmin.accounts import Actor, Permission, require
from webadmin.backups.document import InvalidBackup
from webadmin.backups.front import open_backup
from webadmin.backups.history import find_fact, integrity_of
from webadmin.backups.keeping import verify
from webadmin.backups.models import State
from webadmin.backups.reader import Progress, Staged, receive, stage
from webadmin.errors import DomainError


def stage_file(actor: Actor, path: Path, scratch: Path, *, progress: Progress | None = None) -> Staged:
    """Check a received (plain) file and stage its records in a new scratch catalogue.

    Raises Forbidden, InvalidBackup.
    """
    require(actor, Permission.IMPORT)
    with path.open("rb") as file:
        return stage(
            file,
            scratch,
            author=actor.name,
            created_at=clock.now_text(),
            limits=catalogue.current_limits(),
            progress=progress,
        )


def stage_listed(actor: Actor, name: str, copy: Path, scratch: Path, *, progress: Progress | None = None) -> Staged:
    """The same for a stored backup; `copy` is where it is unpacked to, so that deleting it meanwhile does no harm.

    One that is not the file made or kept under its name is staged as altered.
    Raises NotFound, InvalidBackup, DiskFull.
    """
    with open_backup(name) as file:
        receive(file, copy)
    return stage_copy(actor, name, copy, scratch, progress=progress)


def stage_copy(actor: Actor, name: str, copy: Path, scratch: Path, *, progress: Progress | None = None) -> Staged:
    """The same for a plain copy of the stored backup, which is there already. Raises Forbidden, InvalidBackup."""
    try:
        staged = stage_file(actor, copy, scratch, progress=progress)
    except InvalidBackup:
        _prove_again(name)
        raise
    with db.reading() as connection:
        integrity = integrity_of(staged.document, find_fact(connection, name))
    staged.document = replace(staged.document, integrity=integrity)
    if staged.alteration is not None:
        _prove_again(name)
    return staged


def _prove_again(name: str) -> None:
    """Let the list say what was found, if it says otherwise; whoever imports is told in any case."""
    with suppress(DomainError):
        with db.reading() as connection:
            fact = find_fact(connection, name)
        if fact is not None and fact.state == State.VERIFIED:
            verify(name)
