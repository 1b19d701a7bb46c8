"""A recovery as two tasks: building beside the damaged file, and putting in place what was chosen."""

from __future__ import annotations

from typing import Any

from webadmin import accounts, jobs, recovery, safety
from webadmin.accounts import Actor
from webadmin.errors import N_, Message, Unavailable
from webadmin.jobs import Job, Progress

BUILD, APPLY = "recovery-build", "recovery-apply"


def start_build(actor: Actor, source: str | None) -> Job:
    """Begin to build from a copy, the newest sound one without a name.

    Raises Forbidden, NotFound when no copy has the name, RuntimeUnavailable.
    """
    accounts.require(actor, accounts.Permission.ADMINISTER)
    if source is not None:
        recovery.check_known(source)

    def work(progress: Progress) -> dict[str, Any]:
        return {"source": recovery.build(actor, progress, source=source).source}

    return jobs.start(BUILD, actor, work, title=Message(N_("Preparing the recovery")))


def start_apply(actor: Actor, edition: str) -> Job:
    """Begin to put in place what was shown in this edition of the choices. Raises Forbidden, RuntimeUnavailable."""
    accounts.require(actor, accounts.Permission.ADMINISTER)
    id = jobs.new_id()

    def work(progress: Progress) -> dict[str, Any]:
        try:
            done = recovery.apply(actor, progress, edition=edition, job_id=id)
        finally:
            safety.forget()
        return {"source": done.source, "recovered": done.recovered, "taken": done.taken, "setAside": done.set_aside}

    return jobs.start(APPLY, actor, work, title=Message(N_("Recovering the database")), id=id)


def running() -> Job | None:
    """The task of a recovery that runs now."""
    try:
        return next((job for job in jobs.running() if job.kind in (BUILD, APPLY)), None)
    except Unavailable:
        return None


def _built(_job: Job) -> dict[str, Any] | None:
    return {} if recovery.is_prepared() else None


jobs.on_stopped(BUILD, _built)
jobs.on_stopped(APPLY, lambda job: recovery.find_outcome(job.id))
