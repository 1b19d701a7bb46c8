"""A catalogue on a real file with a backup folder beside it, in an application context, without the web."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.catalogue.conftest import open_app
from webadmin import backups, catalogue, db, runtime
from webadmin.accounts import Actor, ActorKind
from webadmin.catalogue import Change, Record
from webadmin.config import Config
from webadmin.runtime import Runtime

ADA = Actor(ActorKind.PERSON, "ada")


def make_record(number: int, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "id": f"ast_{number:05}",
        "title": f"助手 {number}",
        "desc": "one line",
        "prompt": "You are helpful.\r\nAlways. 产品",
        "tags": ["a", "b"],
        "author": "ada",
        "created_at": "2024-01-15T10:30:00.000Z",
        "version": 1,
    }
    return Record(**(values | changes))


@pytest.fixture
def data(settings: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """The configured database, at the program's schema and empty."""
    store = Runtime(settings.database_path.with_name("runtime.db"))
    monkeypatch.setattr(runtime, "_provider", lambda: store)
    with open_app(settings).app_context():
        yield settings
        db.db.session.remove()
        db.db.engine.dispose()


@pytest.fixture
def fill(data: Config) -> Callable[..., None]:
    """Write records into the catalogue, replacing those of the same id."""

    def write(*records: Record) -> None:
        with db.transaction() as session:
            changes = [Change(catalogue.find_record(session, str(record.id)), record) for record in records]
            catalogue.write_records(session.connection(), ADA, changes, source="edit")

    return write


@pytest.fixture
def stage(data: Config, tmp_path: Path) -> Iterator[Callable[[Any], backups.Staged]]:
    """Stage a file: bytes, or a value that is written as JSON."""
    made: list[Path] = []

    def read(content: Any) -> backups.Staged:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        path, scratch = tmp_path / f"upload-{len(made)}.json", tmp_path / f"scratch-{len(made)}.db"
        path.write_bytes(raw)
        made.append(scratch)
        return backups.stage_file(ADA, path, scratch)

    yield read
    for scratch in made:
        backups.remove_scratch(scratch)


def document(*records: Record) -> bytes:
    """A file of the flat layout, as another program would write it."""
    return b'{"count":%d,"assistants":[%s]}' % (len(records), b",".join(map(catalogue.encode, records)))


def exported() -> bytes:
    """An export of the catalogue as it is now."""
    made = backups.export(ADA)
    with made.file as file:
        return file.read()


def lines() -> list[bytes]:
    """The lines of an export from the list of records on, without integrity."""
    return exported().splitlines(keepends=True)[1:-1]


def stored() -> dict[str, Record]:
    """The catalogue as it is now."""
    with db.reading() as connection:
        return {str(record.id): record for record in catalogue.iter_records(connection)}


@contextmanager
def full_disk(largest: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the system then refuses the write."""
    before, old = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)


@contextmanager
def root_like_anybody() -> Iterator[None]:
    """Permissions bind this thread, also when root runs the tests: its right to override them is laid down."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # <linux/capability.h>: version 3, this thread; then effective, permitted and inheritable, twice 32 bits of each.
    head, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    before = sets[0]
    sets[0] = before & ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(head, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(head, sets) == 0
