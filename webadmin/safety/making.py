"""A backup by hand: a task that every way in shows, after which the answer is looked for anew."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from webadmin import backups, db, jobs, strict
from webadmin.accounts import Actor, Permission, require
from webadmin.errors import N_, Message
from webadmin.jobs import Job, Progress
from webadmin.safety.facts import forget

MANUAL_BACKUP = "backup"
"""The kind of task of a backup made by hand."""


def find_backup(job: Job) -> dict[str, Any] | None:
    """The row of a backup whose task was killed when the file had its name already; None when it made none.

    The file was begun between the first and the last sign of life of its task, by nobody else. Raises the errors of
    `webadmin.db`.
    """
    begun, last = strict.to_instant(job.created_at), strict.to_instant(job.updated_at)
    with db.reading() as connection:
        listed = backups.list_backups(Session(connection))
    for each in listed:
        is_mine = each.has_file and each.kind is backups.Kind.MANUAL and each.actor == job.actor_name
        if is_mine and begun and last and each.made_at and begun <= each.made_at <= last:
            return each.as_json()
    return None


jobs.on_stopped(MANUAL_BACKUP, find_backup)


def start_backup(actor: Actor, *, note: str | None = None) -> Job:
    """Begin to make a backup by hand, as a task that every way in shows; its result is the row of the backup.

    Its failures are those of `backups.create`. Raises Forbidden, RuntimeUnavailable, Busy when the folder is in use
    already.
    """
    require(actor, Permission.BACK_UP)
    backups.refuse_when_busy()

    def work(progress: Progress) -> dict[str, Any]:
        try:
            return backups.create(actor, note=note, progress=progress).as_json()
        finally:
            forget()

    return jobs.start(MANUAL_BACKUP, actor, work, title=Message(N_("Manual backup")))
