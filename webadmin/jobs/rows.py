"""The row of a job in `runtime.db`, and the files that belong to it: its lock, and what it reads or prepares."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from webadmin import clock, disk, runtime
from webadmin.errors import N_, Message, NotFound
from webadmin.jobs.models import Failure, Job, State


def folder() -> Path:
    """Where files of jobs lie: every file named `ID.…` goes when the job's row goes."""
    return runtime.current().path.parent / ".incoming"


def read(id: str) -> Job:
    """One row as it stands. Raises NotFound."""
    rows = runtime.current().read("SELECT * FROM jobs WHERE id=?", (id,))
    if not rows:
        raise NotFound(N_("There is no such task; tasks are kept for 24 hours."))
    return from_row(rows[0])


def from_row(row: sqlite3.Row) -> Job:
    """The job of a row."""
    failure = json.loads(row["error"]) if row["error"] else None
    return Job(
        id=row["id"],
        kind=row["kind"],
        actor_kind=row["actor_kind"],
        actor_name=row["actor_name"],
        title=Message.stored(json.loads(row["title"])),
        params=json.loads(row["params"]),
        state=State(row["state"]),
        phase=row["phase"],
        phase_at=row["phase_at"],
        done=row["done"],
        total=row["total"],
        result=json.loads(row["result"]) if row["result"] else None,
        failure=_failure(failure) if failure else None,
        is_cancel_requested=bool(row["cancel_requested"]),
        holder=row["holder"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _failure(stored: dict[str, Any]) -> Failure:
    hint = Message.stored(stored["hint"]) if stored["hint"] else None
    return Failure(stored["code"], Message.stored(stored["message"]), hint, stored["details"])


@dataclass(frozen=True, slots=True)
class End:
    """How a running job ended."""

    state: State
    result: dict[str, Any] | None = None
    failure: Failure | None = None


# How jobs of this process ended whose rows could not be written then: memory is all there is.
_unwritten: dict[str, End] = {}


def unwritten_end(job_id: str) -> End | None:
    """How a job of this process ended when that could not be written; None for every other."""
    return _unwritten.get(job_id)


def write_end(job_id: str, end: End) -> None:
    """Write how a running job ended. Raises RuntimeUnavailable; this process remembers it then."""
    _unwritten[job_id] = end
    runtime.current().write(
        "UPDATE jobs SET state=?, result=?, error=?, updated_at=? WHERE id=? AND state=?",
        (end.state, to_json(end.result), failure_json(end.failure), clock.now_text(), job_id, State.RUNNING),
    )
    _unwritten.pop(job_id, None)


def failure_json(failure: Failure | None) -> str | None:
    """A failure as its column holds it."""
    if failure is None:
        return None
    stored = {"code": failure.code, "message": failure.message, "hint": failure.hint, "details": failure.details}
    return to_json(stored)


def to_json(value: Any) -> str | None:
    """A value as a column holds it; NULL for None."""
    return None if value is None else json.dumps(value, default=_as_json)


def _as_json(value: Any) -> Any:
    # A parameter of a message may be a path or a date, which pages show as text anyway.
    return asdict(value) if isinstance(value, Message) else str(value)


def holder() -> str:
    """This machine and process, for the row of a job that runs here."""
    return f"{socket.gethostname()}:{os.getpid()}"


def lock_path(job_id: str) -> Path:
    """The file whose lock is held while the job runs."""
    return folder() / f"{job_id}.lock"


def lock(job_id: str) -> FileLock:
    """That lock, not yet taken: by the thread that starts the job, and released by the one that ran it."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileLock(lock_path(job_id), mode=0o600, thread_local=False)


def drop_files(job_id: str) -> None:
    """Delete what the job was reading or prepared: that may be as large as the upload limit. Its lock stays."""
    disk.remove(*(path for path in folder().glob(f"{job_id}.*") if path != lock_path(job_id)))
