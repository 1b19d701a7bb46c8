"""Running a job: its work in a thread of this process, its progress and its end written to its row."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from filelock import FileLock, Timeout

from webadmin import audit, clock, db_errors, problems, runtime
from webadmin.errors import N_, Conflict, DomainError, Message, Unavailable
from webadmin.jobs import rows, watching
from webadmin.jobs.models import Cancelled, Failure, Job, Named, State, Waiting

_WRITE_INTERVAL_SECONDS = 0.2
_HANDOVER_SECONDS = 5
# What a person who asks for a task cannot help: it stands among the recent problems.
_OURS = frozenset({"SERVICE_UNAVAILABLE", "INTERNAL_ERROR"})
_log = logging.getLogger(__name__)

ContextFactory = Callable[[], AbstractContextManager[Any]]

_context_provider: Callable[[], ContextFactory] | None = None


def use(provider: Callable[[], ContextFactory]) -> None:
    """Install the function that gives, for the caller's application, what opens a context for a thread."""
    global _context_provider
    _context_provider = provider


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
    watching.forget_old()
    job_id, store, now = id or new_id(), runtime.current(), clock.now_text()
    lock = rows.lock(job_id)
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
                rows.to_json(title),
                rows.to_json(params or {}),
                State.RUNNING,
                rows.holder(),
                now,
                now,
            ),
        )
        job = rows.read(job_id)
        _run_in_thread(job, work, lock)
    except BaseException:
        lock.release()
        raise
    return job


def resume(id: str, work: Work, *, params: dict[str, Any] | None = None) -> Job:
    """Go on with a waiting job: run `work` as `start` does; `params`, when given, replace the job's.

    Raises NotFound, Conflict when the job is not waiting (any more), RuntimeUnavailable.
    """
    job = watching.get(id)
    if (end := rows.unwritten_end(id)) is not None:
        # It waits as far as this process knows; while that cannot be written down, nothing can go on.
        rows.write_end(id, end)
    lock = _lock_waiting(id)
    try:
        changed = runtime.current().write(
            "UPDATE jobs SET state=?, params=?, phase=NULL, done=0, total=NULL, result=NULL, cancel_requested=0,"
            " holder=?, updated_at=? WHERE id=? AND state=?",
            (
                State.RUNNING,
                rows.to_json(job.params if params is None else params),
                rows.holder(),
                clock.now_text(),
                id,
                State.WAITING,
            ),
        )
        if not changed:
            raise _not_waiting()
        job = rows.read(id)
        _run_in_thread(job, work, lock)
    except BaseException:
        lock.release()
        raise
    return job


def _run_in_thread(job: Job, work: Work, lock: FileLock) -> None:
    if _context_provider is None:
        raise RuntimeError("jobs.use() has not been called")
    open_context, store, origin = _context_provider(), runtime.current(), audit.origin()

    def run() -> None:
        try:
            with open_context(), audit.coming_from(origin):
                _perform(job, work, store)
        finally:
            lock.release()

    # A daemon: the end of the process must not wait for hours; the next look finds the lock free.
    threading.Thread(target=run, name=f"job-{job.id}", daemon=True).start()


def _perform(job: Job, work: Work, store: runtime.Runtime) -> None:
    try:
        returned = work(Progress(job.id, store))
        if isinstance(returned, Waiting):
            end = rows.End(State.WAITING, returned.result)
        else:
            end = rows.End(State.DONE, returned)
    except Cancelled:
        end = rows.End(State.CANCELLED)
    except Exception as error:
        end = rows.End(State.FAILED, failure=_failure(job, error))
    try:
        rows.write_end(job.id, end)
    except Unavailable as error:
        # The next look finds the lock free: in this process it knows the end, in another it asks the catalogue.
        _log.warning("the end of job %s (%s) could not be written: %s", job.id, end.state, error)


def _failure(job: Job, error: Exception) -> Failure:
    known = error if isinstance(error, DomainError) else db_errors.translate(error)
    if known is not None:
        failure = Failure(known.code, known.message, known.hint, known.details())
    else:
        _log.error("job %s failed", job.id, exc_info=error)
        template = N_("Something broke on our side; the log names the cause under task %(id)s.")
        failure = Failure("INTERNAL_ERROR", Message(template, {"id": job.id}))
    if failure.code in _OURS:
        problems.note(f"task-{job.kind}", failure.message)
    return failure


def _lock_waiting(id: str) -> FileLock:
    """Take the lock of a waiting job. Its last thread may hold it for a moment after the row says so."""
    lock, deadline = rows.lock(id), time.monotonic() + _HANDOVER_SECONDS
    while True:
        if rows.read(id).state is not State.WAITING or time.monotonic() > deadline:
            raise _not_waiting()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            time.sleep(watching.POLL_SECONDS)
        else:
            return lock


def _not_waiting() -> Conflict:
    return Conflict(N_("This task is not waiting for a decision any more."), hint=N_("Load its page again."))
