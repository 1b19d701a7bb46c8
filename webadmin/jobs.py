"""Long tasks: each has a row in `runtime.db` that any process can show, and a lock that tells whether it still runs.

The work runs in a thread of the process that took the request. Its operating-system lock is released by the kernel
when that process dies, so a row that is unfinished while its lock is free belongs to a task that was killed.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from webadmin import clock, runtime
from webadmin.errors import N_, Conflict, DomainError, Message, NotFound, Unavailable

KEPT = timedelta(hours=24)
_WRITE_INTERVAL_SECONDS = 0.2
_POLL_SECONDS = 0.05
_HANDOVER_SECONDS = 5
_log = logging.getLogger(__name__)


class State(StrEnum):
    """Where a job stands; `waiting` means for a person's decision."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


class Named(Protocol):
    """What a job needs to know of an actor (accounts lie above this module)."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: code of contract section 5, message, next step, JSON-ready details."""

    code: str
    message: Message
    hint: Message | None = None
    details: Any = None


@dataclass(frozen=True, slots=True)
class Job:
    """One row: who started what, how far it is, how it ended."""

    id: str
    kind: str
    actor_kind: str
    actor_name: str
    title: Message
    params: dict[str, Any]
    state: State
    phase: str | None
    phase_at: str | None
    done: int
    total: int | None
    result: dict[str, Any] | None
    failure: Failure | None
    is_cancel_requested: bool
    holder: str
    created_at: str
    updated_at: str

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen any more."""
        return self.state not in (State.RUNNING, State.WAITING)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Returned by a work that needs a person's decision before it can go on; see `resume`."""

    result: dict[str, Any]


class Cancelled(Exception):
    """Somebody asked for the task to stop; the work lets it pass, and its transaction rolls back."""


ContextFactory = Callable[[], AbstractContextManager[Any]]
Outcome = Callable[[Job], dict[str, Any] | None]

_context_provider: Callable[[], ContextFactory] | None = None
_outcomes: dict[str, Outcome] = {}


def use(provider: Callable[[], ContextFactory]) -> None:
    """Install the function that gives, for the caller's application, what opens a context for a thread."""
    global _context_provider
    _context_provider = provider


def on_stopped(kind: str, outcome: Outcome) -> None:
    """Say how to tell whether a killed job of this kind had applied its change.

    `outcome(job)` looks for the row that the work wrote in the catalogue's own transaction and returns the job's
    result, or None when nothing was changed. It may raise Unavailable: then the next look asks again.
    """
    _outcomes[kind] = outcome


class Progress:
    """What a work tells about itself, and how it learns that it should stop."""

    def __init__(self, job_id: str, store: runtime.Runtime) -> None:
        self.job_id = job_id
        self._store = store
        self._phase: str | None = None
        self._phase_at: str | None = None
        self._written_at = 0.0

    def update(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """Show phase and count. Written at most five times a second, a new phase at once."""
        instant = time.monotonic()
        if phase == self._phase and instant - self._written_at < _WRITE_INTERVAL_SECONDS:
            return
        now = clock.now_text()
        if phase != self._phase:
            self._phase_at = now
        self._phase, self._written_at = phase, instant
        try:
            self._store.write(
                "UPDATE jobs SET phase=?, phase_at=?, done=?, total=?, updated_at=? WHERE id=?",
                (phase, self._phase_at, done, total, now, self.job_id),
            )
        except Unavailable:
            # The work must not fail because its progress cannot be shown.
            _log.warning("progress of job %s could not be written", self.job_id, exc_info=True)

    def check_cancelled(self) -> None:
        """To be called between batches. Raises Cancelled when somebody asked the job to stop."""
        try:
            rows = self._store.read("SELECT cancel_requested FROM jobs WHERE id=?", (self.job_id,))
        except Unavailable:
            return
        if rows and rows[0]["cancel_requested"]:
            raise Cancelled


Work = Callable[[Progress], dict[str, Any] | Waiting | None]


def folder() -> Path:
    """Where files of jobs lie: every file named `ID.…` goes when the job's row goes."""
    return runtime.current().path.parent / ".incoming"


def new_id() -> str:
    """An id for a job whose files are made before it starts."""
    return secrets.token_hex(8)


def start(
    kind: str,
    actor: Named,
    work: Work,
    *,
    title: Message,
    params: dict[str, Any] | None = None,
    id: str | None = None,
) -> Job:
    """Run `work(progress)` in a thread and return its job at once.

    The work's return value becomes the job's result; a DomainError that it raises becomes its failure.
    `id` comes from `new_id` when files of the job exist already. Raises RuntimeUnavailable.
    """
    forget_old()
    job_id, store, now = id or new_id(), runtime.current(), clock.now_text()
    lock = _lock(job_id)
    lock.acquire(timeout=0)
    try:
        store.write(
            "INSERT INTO jobs (id, kind, actor_kind, actor_name, title, params, state, done, holder, created_at,"
            " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
            (
                job_id,
                kind,
                str(actor.kind),
                actor.name,
                _json(title),
                _json(params or {}),
                State.RUNNING,
                _holder(),
                now,
                now,
            ),
        )
        job = _row(job_id)
        _run_in_thread(job_id, work, lock)
    except BaseException:
        lock.release()
        raise
    return job


def resume(id: str, work: Work, *, params: dict[str, Any] | None = None) -> Job:
    """Go on with a waiting job: run `work` as `start` does; `params`, when given, replace the job's.

    Raises NotFound, Conflict when the job is not waiting (any more), RuntimeUnavailable.
    """
    job = get(id)
    lock = _lock_waiting(id)
    try:
        changed = runtime.current().write(
            "UPDATE jobs SET state=?, params=?, phase=NULL, done=0, total=NULL, result=NULL, cancel_requested=0,"
            " holder=?, updated_at=? WHERE id=? AND state=?",
            (
                State.RUNNING,
                _json(job.params if params is None else params),
                _holder(),
                clock.now_text(),
                id,
                State.WAITING,
            ),
        )
        if not changed:
            raise _not_waiting()
        job = _row(id)
        _run_in_thread(id, work, lock)
    except BaseException:
        lock.release()
        raise
    return job


def get(id: str) -> Job:
    """One job as it stands now; a running one whose process died becomes `stopped` or `done`. Raises NotFound."""
    job = _row(id)
    return _settle(job) if job.state is State.RUNNING else job


def wait(id: str, seconds: float) -> Job:
    """Wait until the job runs no more, at most `seconds`; returns it as it stands then. Raises NotFound."""
    deadline = time.monotonic() + seconds
    while True:
        job = get(id)
        if job.state is not State.RUNNING or time.monotonic() >= deadline:
            return job
        time.sleep(_POLL_SECONDS)


def cancel(id: str) -> Job:
    """Ask a running job to stop at its next batch; a waiting one is cancelled at once. Raises NotFound."""
    get(id)
    store, now = runtime.current(), clock.now_text()
    store.write("UPDATE jobs SET cancel_requested=1 WHERE id=? AND state=?", (id, State.RUNNING))
    store.write(
        "UPDATE jobs SET state=?, updated_at=? WHERE id=? AND state=?", (State.CANCELLED, now, id, State.WAITING)
    )
    return get(id)


def running() -> list[Job]:
    """All jobs that run now, in any process, oldest first."""
    rows = runtime.current().read("SELECT * FROM jobs WHERE state=? ORDER BY created_at, id", (State.RUNNING,))
    return [job for job in (_settle(_job(row)) for row in rows) if job.state is State.RUNNING]


def forget_old() -> None:
    """Drop jobs that did not move for 24 hours, with their files; running ones stay."""
    store, limit = runtime.current(), clock.to_text(clock.now() - KEPT)
    for row in store.read("SELECT id FROM jobs WHERE state<>? AND updated_at<?", (State.RUNNING, limit)):
        store.write("DELETE FROM jobs WHERE id=? AND state<>? AND updated_at<?", (row["id"], State.RUNNING, limit))
        for path in folder().glob(f"{row['id']}.*"):
            path.unlink(missing_ok=True)


def _run_in_thread(job_id: str, work: Work, lock: FileLock) -> None:
    if _context_provider is None:
        raise RuntimeError("jobs.use() has not been called")
    open_context, store = _context_provider(), runtime.current()

    def run() -> None:
        try:
            with open_context():
                _perform(job_id, work, store)
        finally:
            lock.release()

    # A daemon: the end of the process must not wait for hours; the next look finds the lock free.
    threading.Thread(target=run, name=f"job-{job_id}", daemon=True).start()


def _perform(job_id: str, work: Work, store: runtime.Runtime) -> None:
    state, result, failure = State.DONE, None, None
    try:
        returned = work(Progress(job_id, store))
        state, result = (State.WAITING, returned.result) if isinstance(returned, Waiting) else (State.DONE, returned)
    except Cancelled:
        state = State.CANCELLED
    except DomainError as error:
        state, failure = State.FAILED, Failure(error.code, error.message, error.hint, error.details())
    except Exception:
        _log.exception("job %s failed", job_id)
        state = State.FAILED
        failure = Failure(
            "INTERNAL_ERROR",
            Message(N_("Something broke on our side; the log names the cause under task %(id)s."), {"id": job_id}),
        )
    try:
        store.write(
            "UPDATE jobs SET state=?, result=?, error=?, updated_at=? WHERE id=?",
            (state, _json(result), _failure_json(failure), clock.now_text(), job_id),
        )
    except Unavailable:
        # The next look finds the lock free and asks the catalogue what became of it.
        _log.exception("the end of job %s (%s) could not be written", job_id, state)


def _settle(job: Job) -> Job:
    """Give a running job whose lock is free its true end."""
    if not _lock_path(job.id).exists():
        return _close_dead(job)
    lock = _lock(job.id)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return job
    try:
        # It may have ended between the reading of its row and the lock.
        job = _row(job.id)
        return _close_dead(job) if job.state is State.RUNNING else job
    finally:
        lock.release()


def _close_dead(job: Job) -> Job:
    outcome = _outcomes.get(job.kind)
    try:
        result = outcome(job) if outcome else None
    except Unavailable:
        return job
    runtime.current().write(
        "UPDATE jobs SET state=?, result=?, updated_at=? WHERE id=? AND state=?",
        (State.STOPPED if result is None else State.DONE, _json(result), clock.now_text(), job.id, State.RUNNING),
    )
    if result is None:
        # Nobody can go on with what it was reading, and that may be as large as the upload limit.
        for path in folder().glob(f"{job.id}.*"):
            if path != _lock_path(job.id):
                path.unlink(missing_ok=True)
    return _row(job.id)


def _row(id: str) -> Job:
    rows = runtime.current().read("SELECT * FROM jobs WHERE id=?", (id,))
    if not rows:
        raise NotFound(N_("There is no such task; tasks are kept for 24 hours."))
    return _job(rows[0])


def _job(row: sqlite3.Row) -> Job:
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


def _failure_json(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    stored = {"code": failure.code, "message": failure.message, "hint": failure.hint, "details": failure.details}
    return _json(stored)


def _lock_waiting(id: str) -> FileLock:
    """Take the lock of a waiting job. Its last thread may hold it for a moment after the row says so."""
    lock, deadline = _lock(id), time.monotonic() + _HANDOVER_SECONDS
    while True:
        if _row(id).state is not State.WAITING or time.monotonic() > deadline:
            raise _not_waiting()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            time.sleep(_POLL_SECONDS)
        else:
            return lock


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=_as_json)


def _as_json(value: Any) -> Any:
    # A parameter of a message may be a path or a date, which pages show as text anyway.
    return asdict(value) if isinstance(value, Message) else str(value)


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _not_waiting() -> Conflict:
    return Conflict(N_("This task is not waiting for a decision any more."), hint=N_("Load its page again."))


def _lock_path(job_id: str) -> Path:
    return folder() / f"{job_id}.lock"


def _lock(job_id: str) -> FileLock:
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    # Taken by the thread that starts the job, released by the one that ran it.
    return FileLock(_lock_path(job_id), mode=0o600, thread_local=False)
