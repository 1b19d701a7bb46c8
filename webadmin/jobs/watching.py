"""Looking at jobs from any process: what runs, waiting for an end, asking for one, and the true end of a killed one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from webadmin import clock, disk, locks, runtime
from webadmin.errors import Unavailable
from webadmin.jobs import rows
from webadmin.jobs.models import Job, State

KEPT = timedelta(hours=24)
POLL_SECONDS = 0.05

Outcome = Callable[[Job], dict[str, Any] | None]

_outcomes: dict[str, Outcome] = {}


def on_stopped(kind: str, outcome: Outcome) -> None:
    """Say how to tell whether a killed job of this kind had applied its change.

    `outcome(job)` looks for the row that the work wrote in the catalogue's own transaction and returns the job's
    result, or None when nothing was changed. It may raise Unavailable: then the next look asks again.
    """
    _outcomes[kind] = outcome


def get(id: str) -> Job:
    """One job as it stands now; a running one whose process died becomes `stopped` or `done`. Raises NotFound."""
    job = rows.read(id)
    return _settle(job) if job.state is State.RUNNING else job


def wait(id: str, seconds: float) -> Job:
    """Wait until the job runs no more, at most `seconds`; returns it as it stands then. Raises NotFound."""
    deadline = time.monotonic() + seconds
    while True:
        job = get(id)
        if job.state is not State.RUNNING or time.monotonic() >= deadline:
            return job
        time.sleep(POLL_SECONDS)


def cancel(id: str) -> Job:
    """Ask a running job to stop at its next batch; a waiting one is cancelled at once. Raises NotFound."""
    get(id)
    store, now = runtime.current(), clock.now_text()
    store.write("UPDATE jobs SET cancel_requested=1 WHERE id=? AND state=?", (id, State.RUNNING))
    if store.write(
        "UPDATE jobs SET state=?, updated_at=? WHERE id=? AND state=?", (State.CANCELLED, now, id, State.WAITING)
    ):
        rows.drop_files(id)
    return get(id)


def running() -> list[Job]:
    """All jobs that run now, in any process, oldest first."""
    found = runtime.current().read("SELECT * FROM jobs WHERE state=? ORDER BY created_at, id", (State.RUNNING,))
    return [job for job in (_settle(rows.from_row(row)) for row in found) if job.state is State.RUNNING]


def forget_old() -> None:
    """Drop jobs that did not move for 24 hours, with their files; running ones stay."""
    store, limit = runtime.current(), clock.to_text(clock.now() - KEPT)
    for row in store.read("SELECT id FROM jobs WHERE state<>? AND updated_at<?", (State.RUNNING, limit)):
        store.write("DELETE FROM jobs WHERE id=? AND state<>? AND updated_at<?", (row["id"], State.RUNNING, limit))
        disk.remove(*rows.folder().glob(f"{row['id']}.*"))


def _settle(job: Job) -> Job:
    """Give a running job whose lock is free its true end; one whose lock cannot be read runs, as far as we know."""
    try:
        with locks.unless_held(rows.lock_path(job.id)) as is_free:
            if not is_free:
                return job
            # It may have ended between the reading of its row and the lock.
            job = rows.read(job.id)
            return _close_dead(job) if job.state is State.RUNNING else job
    except OSError:
        return job


def _close_dead(job: Job) -> Job:
    outcome, end = _outcomes.get(job.kind), rows.unwritten_end(job.id)
    try:
        if end is None:
            result = outcome(job) if outcome else None
            end = rows.End(State.STOPPED if result is None else State.DONE, result)
    except Unavailable:
        return job
    try:
        rows.write_end(job.id, end)
    except Unavailable:
        # Its end is as true while it cannot be written down; the next look writes it.
        return replace(job, state=end.state, result=end.result, failure=end.failure)
    if end.state is State.STOPPED:
        # Nobody can go on with it.
        rows.drop_files(job.id)
    return rows.read(job.id)
